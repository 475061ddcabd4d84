"""Listing 10,000 segments: as the next command finds them, after a start of the machine, and without a cache."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.segments import make
from benchmarks.setup import Setup
from blackbox_qt.commands.run import SWITCH_INTERVAL_S
from blackbox_qt.core.clock import NS, SystemClock
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.library_cache import FILE
from blackbox_qt.storage.sidecar import Lock

COUNT = 10_000
WARM_S, COLD_S, STALL_S = 0.3, 2.0, 0.05
_DROP = Path("/proc/sys/vm/drop_caches")


def measure(setup: Setup) -> list[Figure]:
    """Makes the segments once; each run looks at them with a library that knows nothing yet."""
    count = 1000 if setup.quick else COUNT
    with setup.folder() as data:
        root = data / "recordings"
        began = time.monotonic()
        make(root, count)
        _age(root)
        print(f"  {count} segments made in {time.monotonic() - began:.1f} s")
        cold, warm, anew, asked, changed, stall = [], [], [], [], [], []
        trouble, dropped = "", ""
        for _ in range(setup.runs):
            (root / FILE).unlink(missing_ok=True)
            library = _library(root)
            anew.append(_time(library.load))
            library.save()
            dropped = dropped or _drop_memory()
            cold.append(_time(_library(root).load))
            again = _library(root)
            warm.append(_time(again.load))
            asked.append(_time(lambda library=again: (library.trips(), library.segments(camera="front"))))
            if len(again.segments()) != count or again.segments() != library.segments():
                trouble = "not the same segments were listed"
            changed.append(_time(lambda library=again: _lock(library)))
            stall.append(_longest_wait(root))
    name = f"library: {count} segments listed"
    return [
        Figure(f"{name}, warm", tuple(warm), "s", WARM_S, trouble=trouble),
        Figure(f"{name}, nothing in memory", tuple(cold), "s", COLD_S, trouble=trouble or dropped),
        Figure(f"{name}, cache lost, every file read", tuple(anew), "s", trouble=trouble),
        Figure("library: trips and one camera, once known", tuple(asked), "s"),
        Figure("library: one lock, durable", tuple(changed), "s"),
        Figure("library: longest wait of somebody asking during a load", tuple(stall), "s", STALL_S),
    ]


def _age(root: Path) -> None:
    """As if recorded over days: what is as new as the newest is looked at again, whatever the cache says."""
    for number, path in enumerate(sorted(root.rglob("*.*"))):
        os.utime(path, (1_600_000_000 + 30 * number,) * 2)


def _library(root: Path) -> Library:
    return Library(Disk(), root, SystemClock())


def _time(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def _lock(library: Library) -> None:
    library.lock(library.segments()[0].name, Lock(f"m{time.monotonic_ns()}", "manual", "bench"))


def _drop_memory() -> str:
    """As after a start of the machine: neither names nor contents are in memory. Why that cannot be, or ""."""
    os.sync()
    try:
        _DROP.write_text("3\n")
    except OSError as error:
        return f"memory cannot be emptied without root: {error.strerror}"
    return ""


def _longest_wait(root: Path) -> float:
    """Ask again and again while another thread loads without its cache, and take the slowest answer."""
    (root / FILE).unlink(missing_ok=True)
    library = _library(root)
    worker = Worker("load", library.load)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the program does
    worker.start()
    longest = 0
    while worker.alive:
        began = time.monotonic_ns()
        library.newest("front")
        longest = max(longest, time.monotonic_ns() - began)
        worker.join(0.001)
    sys.setswitchinterval(interval)
    return longest / NS
