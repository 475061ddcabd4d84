"""How long the card takes to confirm a fragment: what a power cut can take, and what a stall costs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, broken, look, ok
from blackbox_qt.doctor.mounts import existing
from blackbox_qt.doctor.numbers import percentile
from blackbox_qt.storage.disk import Disk, words_for

_FILE = ".blackbox-doctor.tmp"
_SLOW_MS, _TOO_SLOW_MS = 250.0, 2000.0
Wait = Callable[[float], object]


def sync(case: Case) -> Finding:
    """Write fragments of the configured size as fast as they would come, sync each, for `case.sync_s`."""
    folder = case.machine.path(existing(case.machine, case.data))
    period_s = case.config.storage.fragment_ms / 1000
    size = round(case.config.record.bitrate_kbit * 125 * period_s)
    try:
        took = measure(Disk(), folder, size, period_s, case.sync_s, case.machine.clock)
    except PermissionError:
        words = "Only the recorder's user must be able to: to measure, run sudo blackbox-qt doctor."
        return look(f"not measured: this user may not write in {folder}", words)
    except OSError as error:
        words = "Look at the lines about the data folder, the card and its space; storage.data names another place."
        return broken(f"{words_for(error, folder)} (tried with a small file)", words)
    return judge(took, size, folder)


def measure(
    disk: Disk,
    folder: Path,
    size: int,
    period_s: float,
    seconds: float,
    clock: Clock,
    wait: Wait | None = None,
) -> list[float]:
    """Milliseconds that each write with its sync took; the file is gone afterwards. Raises OSError."""
    wait = wait or threading.Event().wait
    path = folder / _FILE
    data = os.urandom(size)  # some disks compress
    fd = disk.replace(path)
    try:
        return [_one(disk, fd, data, clock, wait, period_s) for _ in range(max(1, round(seconds / period_s)))]
    finally:
        disk.close(fd)
        disk.unlink(path)


def _one(disk: Disk, fd: int, data: bytes, clock: Clock, wait: Wait, period_s: float) -> float:
    begin = clock.boot_ns()
    disk.write(fd, [data])
    disk.datasync(fd)
    took = clock.boot_ns() - begin
    wait(max(0.0, period_s - took / NS))
    return took / 1e6


def judge(took: list[float], size: int, folder: Path) -> Finding:
    """What these times mean.

    Threads: any.
    """
    middle, late, longest = percentile(took, 50), percentile(took, 99), max(took)
    data = {"p50_ms": round(middle, 2), "p99_ms": round(late, 2), "max_ms": round(longest, 2),
            "syncs": len(took), "bytes": size}  # fmt: skip
    text = f"{size / 1000:.0f} kB safe in {middle:.1f} ms (p50), {late:.1f} ms (p99), {longest:.1f} ms at worst"
    card = "Take an endurance card (A1 or better, from a known maker) or a USB SSD."
    if late > _TOO_SLOW_MS:
        return broken(f"{text}, in {folder}", f"Too slow to record to. {card}", **data)
    if late > _SLOW_MS:
        return look(text, f"Pictures wait in memory meanwhile, and a power cut takes them. {card}", **data)
    return ok(text, **data)
