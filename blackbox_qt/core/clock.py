"""The boot clock, which never jumps, and the wall clock, which does; replaceable in tests."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on both clocks, with what the wall clock's word is worth.

    Threads: immutable, any.
    """

    boot_ns: int  # CLOCK_BOOTTIME, ns
    utc_ns: int  # ns since 1970-01-01 UTC; CLOCK_REALTIME, or what somebody else says who is trusted more
    source: str  # one of core.trust.TRUST ("ntp": the kernel says so); "unsynced": nobody vouches for it
    uncertainty_ns: int | None  # None: unknown


class Clock(Protocol):
    """Threads: any."""

    @property
    def machine_boot(self) -> str:
        """Which start of the machine the boot clock counts from: the kernel's boot id; "" when it has none."""
        ...

    def boot_ns(self) -> int:
        """Now on the boot clock, ns."""
        ...

    def anchor(self) -> Anchor:
        """The two clocks side by side, read now."""
        ...


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's clocks.

    Threads: any.
    """

    def __init__(self, boot_id: Path = _BOOT_ID) -> None:
        self._machine_boot = _read(boot_id)

    @property
    def machine_boot(self) -> str:
        return self._machine_boot

    def boot_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def anchor(self) -> Anchor:
        before = self.boot_ns()
        utc = time.time_ns()
        after = self.boot_ns()
        source, error_ns = _discipline()
        if error_ns is not None:
            error_ns += after - before
        return Anchor((before + after) // 2, utc, source, error_ns)


def _read(path: Path) -> str:
    """A kernel's line; "" where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


_STA_UNSYNC = 0x0040
_TIMEX_BYTES = 208  # sizeof(struct timex) on 64-bit Linux


def _discipline() -> tuple[str, int | None]:
    """Ask the kernel whether something keeps its clock: adjtimex(2) with modes = 0, which only reads."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    if _libc.adjtimex(timex) < 0:
        return "unsynced", None
    maxerror_us = ctypes.c_long.from_buffer(timex, 24).value
    status = ctypes.c_int.from_buffer(timex, 40).value
    if status & _STA_UNSYNC:
        return "unsynced", None
    return "ntp", maxerror_us * 1000


_libc = ctypes.CDLL(None, use_errno=True)
if os.uname().sysname != "Linux":
    raise ImportError("Blackbox Qt runs on Linux only")
