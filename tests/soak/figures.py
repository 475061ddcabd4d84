"""What the soak measures: memory, descriptors, threads, and where every frame went. And whether that is good."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

WARM_UP = 0.2
"""Of the samples: caches fill, retention begins to delete."""
NOISE = {"heap_mb": 1.0, "blocks": 5000, "memory_mb": 10.0}
"""What each may rise over the whole run. In use: a day's marks and their journal. Resident: also what lies fragmented
between, as every fault and every viewer leaves some."""
WORDS = {
    "heap_mb": "the heap in use grows by {:.3f} ± {:.3f} MB",
    "blocks": "Python has {:.0f} ± {:.0f} blocks of memory more",
    "memory_mb": "resident memory grows by {:.3f} ± {:.3f} MB",
}


@dataclass(frozen=True)
class Sample:
    """One quiet moment: nobody watches, nothing is broken."""

    hours: float
    memory_mb: float  # resident, without what the C library keeps for later
    heap_mb: float  # in use in the C library's heap
    blocks: int  # of memory that Python has given out
    descriptors: int
    threads: tuple[str, ...]
    expected: int
    recorded: int
    lost: Counter[str]
    in_flight: int
    segments: int
    speed: float  # recorded seconds per second of the machine

    @property
    def unexplained(self) -> int:
        return self.expected - self.recorded - self.lost.total() - self.in_flight


def memory_mb() -> float:
    """Resident, without what the C library keeps for later: it is told to keep up to 16 MB (`core/heap.py`)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def heap_mb() -> float:
    """In use in all arenas of the C library's heap (mallinfo2(3) tells of the first only). After `memory_mb`, which
    collects."""
    libc = ctypes.CDLL(None)
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    libc.open_memstream.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    told = ElementTree.fromstring(text.value or b"")
    libc.free(text)
    total = {f"{one.tag} {one.get('type')}": int(one.get("size", 0)) for one in told if one.tag in ("total", "system")}
    free = total["total fast"] + total["total rest"]
    return (total["system current"] - free + total["total mmap"]) / (1 << 20)


def descriptors(without: Path) -> int:
    """Open ones, but for the recordings that are being written just now."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += not os.readlink(f"/proc/self/fd/{name}").startswith(str(without))
        except FileNotFoundError:  # the one that lists the folder, or one closed meanwhile
            continue
    return found


def threads() -> tuple[str, ...]:
    return tuple(sorted(thread.name for thread in threading.enumerate()))


@dataclass(frozen=True)
class Slope:
    """A straight line through the samples after the warm-up, least squares."""

    per_hour: float
    error: float  # standard error of that
    hours: float  # between the first and the last sample used
    noise: float

    @property
    def rise(self) -> float:
        """All over the run."""
        return self.per_hour * self.hours

    @property
    def is_flat(self) -> bool:
        """Zero within what the samples scatter, or within the noise."""
        return self.rise <= max(self.noise, 3 * self.error * self.hours)


def slope(samples: Sequence[Sample], what: str) -> Slope:
    """Of one figure, per recorded hour."""
    used = samples[int(len(samples) * WARM_UP) :]
    hours, memory = [s.hours for s in used], [float(getattr(s, what)) for s in used]
    if len(used) < 3:
        return Slope(0.0, float("inf"), 0.0, NOISE[what])
    line = statistics.linear_regression(hours, memory)
    rest = [y - line.intercept - line.slope * x for x, y in zip(hours, memory, strict=True)]
    middle = statistics.fmean(hours)
    spread = sum((x - middle) ** 2 for x in hours)
    error = (sum(r * r for r in rest) / (len(used) - 2) / spread) ** 0.5
    return Slope(line.slope, error, hours[-1] - hours[0], NOISE[what])


HEAD = "  hour  resident    in use  blocks files threads  expected  recorded unexplained segments speed  lost (cause)"


def row(sample: Sample) -> str:
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(sample.lost.items()) if count) or "-"
    memory = f"{sample.memory_mb:6.1f} MB {sample.heap_mb:6.2f} MB {sample.blocks:7}"
    frames = f"{sample.expected:9} {sample.recorded:9} {sample.unexplained:11}"
    kept = f"{sample.descriptors:5} {len(sample.threads):7} {frames} {sample.segments:8}"
    return f"{sample.hours:6.1f} {memory} {kept} {sample.speed:4.0f}x  {causes}"


def verdict(samples: Sequence[Sample]) -> list[str]:
    """What is not as it should be, in words; [] when all is."""
    used = samples[int(len(samples) * WARM_UP) :]
    if len(used) < 3:
        return ["too few samples: a longer soak is needed"]
    bad = []
    for what, words in WORDS.items():
        line = slope(samples, what)
        if not line.is_flat:
            bad.append(words.format(line.per_hour, line.error) + " in an hour of recording")
    first, last = used[0], used[-1]
    if last.descriptors > first.descriptors:
        bad.append(f"{last.descriptors - first.descriptors} descriptors more than at the beginning")
    if last.threads != first.threads:
        new = Counter(last.threads) - Counter(first.threads)
        bad.append(f"other threads than at the beginning: {', '.join(new.elements()) or 'fewer'}")
    unexplained = [sample for sample in samples if sample.unexplained]
    if unexplained:
        bad.append(f"{unexplained[-1].unexplained} frames are missing without a cause")
    return bad
