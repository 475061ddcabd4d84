"""The machine as probes see it: files under a root, programs, environment. Tests put a tree of their own there."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from blackbox_qt.core.clock import Clock, SystemClock

_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended.

    Threads: immutable, any.
    """

    code: int  # as the shell has it; negative: ended by that signal
    out: str
    error: str = ""


Run = Callable[[Sequence[str], float], Done | None]
"""Runs a program for at most so many seconds; None when it is not installed."""


def run(command: Sequence[str], patience_s: float = _PATIENCE_S) -> Done | None:
    """Run a program with nothing to read, in plain English. One that takes too long is ended: code 124.

    Threads: any.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                              stdin=subprocess.DEVNULL, timeout=patience_s, env=environment)  # fmt: skip
    except (FileNotFoundError, PermissionError):
        return None
    except subprocess.TimeoutExpired:
        return Done(124, "", f"did not answer within {patience_s:.0f} s")
    return Done(done.returncode, done.stdout, done.stderr)


def installed(name: str) -> str:
    """Version of an installed Python distribution; "" when there is none.

    Threads: any.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def importable(name: str) -> bool:
    """Whether this Python finds a package, without importing it.

    Threads: any.
    """
    return importlib.util.find_spec(name) is not None


class Machine:
    """Everything a probe may ask that is not the program itself.

    Threads: one owner.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        run: Run = run,
        env: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        arch: str = "",
        version: Callable[[str], str] = installed,
        importable: Callable[[str], bool] = importable,
    ) -> None:
        self.root = root
        self.run = run
        self.env = os.environ if env is None else env
        self.clock = clock or SystemClock()
        self.arch = arch or platform.machine()
        self.bits = ctypes.sizeof(ctypes.c_void_p) * 8  # of this Python, whatever the kernel is
        self.python = platform.python_version()
        self.libc = platform.libc_ver()[1]
        self.cores = len(os.sched_getaffinity(0))
        self.prefix, self.in_venv = Path(sys.prefix), sys.prefix != sys.base_prefix
        self.version = version
        self.importable = importable

    def path(self, name: str | Path) -> Path:
        """Where an absolute path of the machine is."""
        return self.root / str(name).lstrip("/")

    def read(self, name: str | Path) -> str | None:
        """A small text file without its line end; None when it is not there. Raises OSError when it may not be read."""
        try:
            return self.path(name).read_bytes().decode(errors="replace").strip("\0\n ")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def value(self, name: str | Path) -> str | None:
        """Like `read`, but a sysfs file whose driver refuses to answer is None too."""
        try:
            return self.read(name)
        except OSError:
            return None

    def number(self, name: str | Path) -> int | None:
        """A sysfs file that holds a whole number, decimal or 0x...; None when there is none."""
        text = self.value(name)
        try:
            return None if text is None else int(text, 0)
        except ValueError:
            return None

    def glob(self, pattern: str) -> list[str]:
        """Absolute names that match, sorted."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted("/" + str(path.relative_to(self.root)) for path in found)

    def exists(self, name: str | Path) -> bool:
        """False also where this user may not look."""
        return os.path.exists(self.path(name))

    def may_use(self, name: str | Path) -> bool:
        """Whether this user may read and write it."""
        return os.access(self.path(name), os.R_OK | os.W_OK)

    def space(self, name: str | Path) -> tuple[int, int]:
        """(free for an ordinary user, size) of the file system that holds it, bytes."""
        found = os.statvfs(self.path(name))
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def meminfo(self) -> dict[str, int]:
        """/proc/meminfo in bytes."""
        rows = (row.split() for row in (self.read("/proc/meminfo") or "").splitlines())
        return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) >= 2}

    @property
    def model(self) -> str:
        """The board's name as firmware gives it, "" on a PC."""
        return self.value("/proc/device-tree/model") or ""

    @property
    def is_pi(self) -> bool:
        return "Raspberry Pi" in self.model
