"""Listing 10,000 segments: known, from the cache, and from the segments themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.segments import make
from benchmarks.setup import Setup
from blackbox_qt.core.clock import NS, SystemClock
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.library_cache import FILE
from blackbox_qt.storage.sidecar import Lock

COUNT = 10_000
WARM_S, COLD_S, STALL_S = 0.3, 2.0, 0.05


def measure(setup: Setup) -> list[Figure]:
    """Makes the segments once; each run looks at them with a library that knows nothing yet."""
    count = 1000 if setup.quick else COUNT
    with setup.folder() as data:
        root = data / "recordings"
        began = time.monotonic()
        make(root, count)
        os.sync()
        print(f"  {count} segments made in {time.monotonic() - began:.1f} s")
        cold, warm, asked, changed, stall = [], [], [], [], []
        trouble = ""
        for _ in range(setup.runs):
            _forget(root)
            library = _library(root)
            cold.append(_time(library.load))
            library.save()
            again = _library(root)
            warm.append(_time(again.load))
            asked.append(_time(lambda library=again: (library.trips(), library.segments(camera="front"))))
            if len(again.segments()) != count or again.segments() != library.segments():
                trouble = "not the same segments were listed"
            changed.append(_time(lambda library=again: _lock(library)))
            stall.append(_longest_wait(root))
    name = f"library: {count} segments listed"
    return [
        Figure(f"{name}, from the cache", tuple(warm), "s", WARM_S, trouble=trouble),
        Figure(f"{name}, without it, not in memory", tuple(cold), "s", COLD_S, trouble=trouble),
        Figure("library: trips and one camera, once known", tuple(asked), "s"),
        Figure("library: one lock, durable", tuple(changed), "s"),
        Figure("library: longest wait of somebody asking during a load", tuple(stall), "s", STALL_S, worst=True),
    ]


def _library(root: Path) -> Library:
    return Library(Disk(), root, SystemClock())


def _time(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def _lock(library: Library) -> None:
    library.lock(library.segments()[0].name, Lock(f"m{time.monotonic_ns()}", "manual", "bench"))


def _forget(root: Path) -> None:
    """No cache, and nothing of the segments' content in the page cache (their names stay in the kernel's)."""
    (root / FILE).unlink(missing_ok=True)
    for path in root.rglob("*.*"):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def _longest_wait(root: Path) -> float:
    """Ask again and again while another thread loads without its cache, and take the slowest answer."""
    (root / FILE).unlink(missing_ok=True)
    library = _library(root)
    worker = Worker("load", library.load)
    worker.start()
    longest = 0
    while worker.alive:
        began = time.monotonic_ns()
        library.newest("front")
        longest = max(longest, time.monotonic_ns() - began)
        worker.join(0.001)
    return longest / NS
