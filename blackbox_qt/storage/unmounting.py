"""Takes a card's file system off, by whichever right the program has: its own, systemd's rule, or udisks's."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from blackbox_qt.core.systembus import BusError, SystemBus, on_system_bus

log = logging.getLogger(__name__)

_SYSTEMD, _SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
_UDISKS, _UDISKS_BLOCK = "org.freedesktop.UDisks2", "/org/freedesktop/UDisks2/block_devices/"
_FILESYSTEM = "org.freedesktop.UDisks2.Filesystem"
LIMIT_S = 10.0


class Unmounting:
    """Ways to take a mount off, and to put it on again. Nobody is asked for a password.

    `number` is its file system's device number, `sys` where the kernel tells of devices. Tests put in another `program`
    and another `is_mounted`.

    Threads: any without an event loop; every method blocks for up to `limit_s`.
    """

    def __init__(
        self,
        program: Callable[[list[str]], str] | None = None,
        is_mounted: Callable[[Path], bool] = os.path.ismount,
        sys: Path = Path("/sys"),
        limit_s: float = LIMIT_S,
        *,
        is_root: bool | None = None,
    ) -> None:
        self._program = program or (lambda command: _program(command, limit_s))
        self._is_mounted = is_mounted
        self._sys = sys
        self._limit_s = limit_s
        self._is_root = os.geteuid() == 0 if is_root is None else is_root

    def unmount(self, point: Path, number: int) -> str:
        """ "" when nothing is mounted at `point` any more; else why that could not be done, in words."""
        if not self._is_mounted(point):
            return ""
        ways = [partial(self._unit, "StopUnit", point), partial(self._by_udisks, number)]
        if self._is_root:
            ways.insert(0, partial(self._program, ["umount", str(point)]))
        said = []
        for way in ways:
            if not (words := way()) and self._gone(point):
                return ""
            said.append(words)
            log.debug("unmounting %s: %s", point, words)
        return "; ".join(words for words in said if words) or "it is in use by another program"

    def mount(self, point: Path) -> str:
        """Put it on again as the system is configured (fstab); "" when it is there, else why not, in words."""
        if self._is_mounted(point):
            return ""
        words = self._program(["mount", str(point)]) if self._is_root else self._unit("StartUnit", point)
        if not words and not self._becomes(lambda: self._is_mounted(point)):
            words = "nothing was mounted"
        return words

    def _unit(self, method: str, point: Path) -> str:
        """Its mount unit, for which packaging/polkit has a rule."""
        body = (unit_name(point), "replace")
        return self._ask(lambda bus: bus.call(_SYSTEMD, _SYSTEMD_PATH, _MANAGER, method, "ss", body), "systemd")

    def _by_udisks(self, number: int) -> str:
        name = self._device_name(number)
        if not name:
            return "it is on no device of this machine"
        path = _UDISKS_BLOCK + "".join(c if c.isalnum() and c.isascii() else f"_{ord(c):02x}" for c in name)
        options: tuple[dict[str, object]] = ({},)
        return self._ask(lambda bus: bus.call(_UDISKS, path, _FILESYSTEM, "Unmount", "a{sv}", options), "udisks")

    def _device_name(self, number: int) -> str:
        try:
            text = (self._sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}" / "uevent").read_text()
        except OSError:
            return ""
        found = re.search(r"^DEVNAME=(\S+)$", text, re.MULTILINE)
        return found[1] if found else ""

    def _ask(self, call: Callable[[SystemBus], Awaitable[object]], whom: str) -> str:
        try:
            on_system_bus(call, self._limit_s)
        except BusError as error:
            return f"{whom}: {error}"
        return ""

    def _gone(self, point: Path) -> bool:
        return self._becomes(lambda: not self._is_mounted(point))

    def _becomes(self, condition: Callable[[], bool]) -> bool:
        """systemd answers when it has begun."""
        until = time.monotonic() + min(self._limit_s, 5.0)
        while not condition():
            if time.monotonic() > until:
                return False
            threading.Event().wait(0.05)
        return True


def unit_name(point: Path) -> str:
    """systemd's name of a mount: /srv/blackbox is srv-blackbox.mount; systemd.unit(5), systemd-escape --path.

    Threads: any.
    """
    parts = [part for part in str(point).split("/") if part]
    escaped = "-".join("".join(_escaped(c, first=not n) for n, c in enumerate(part)) for part in parts)
    return f"{escaped or '-'}.mount"


def _escaped(sign: str, *, first: bool) -> str:
    if (sign.isascii() and sign.isalnum()) or sign in ":_" or (sign == "." and not first):
        return sign
    return "".join(f"\\x{byte:02x}" for byte in sign.encode())


def _program(command: list[str], limit_s: float) -> str:
    """Run it; "" when it did its work, else what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                              stdin=subprocess.DEVNULL, timeout=limit_s)  # fmt: skip
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not answer within {limit_s:.0f} s"
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{command[0]} failed").replace("\n", " ")
