"""What the soak measures: memory, descriptors, threads, and where every frame went. And whether that is good."""

from __future__ import annotations

import gc
import os
import statistics
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WARM_UP = 0.2
"""Of the samples: caches fill, retention begins to delete."""
NOISE_MB = 2.0
"""Over the whole run: the allocator takes and gives pages as it likes, a segment's worth of objects among them."""


@dataclass(frozen=True)
class Sample:
    """One quiet moment: nobody watches, nothing is broken."""

    hours: float
    memory_mb: float
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
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


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

    @property
    def rise(self) -> float:
        """All over the run."""
        return self.per_hour * self.hours

    @property
    def is_flat(self) -> bool:
        """Zero within what the samples scatter, or within what an allocator does."""
        return self.rise <= max(NOISE_MB, 3 * self.error * self.hours)


def slope(samples: Sequence[Sample]) -> Slope:
    """Of the memory, MB per recorded hour."""
    used = samples[int(len(samples) * WARM_UP) :]
    hours, memory = [s.hours for s in used], [s.memory_mb for s in used]
    if len(used) < 3:
        return Slope(0.0, float("inf"), 0.0)
    line = statistics.linear_regression(hours, memory)
    rest = [y - line.intercept - line.slope * x for x, y in zip(hours, memory, strict=True)]
    middle = statistics.fmean(hours)
    spread = sum((x - middle) ** 2 for x in hours)
    error = (sum(r * r for r in rest) / (len(used) - 2) / spread) ** 0.5
    return Slope(line.slope, error, hours[-1] - hours[0])


HEAD = "  hour   memory  files threads    expected    recorded  lost (cause)                 unexplained segments speed"


def row(sample: Sample) -> str:
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(sample.lost.items()) if count) or "-"
    return (
        f"{sample.hours:6.1f} {sample.memory_mb:6.1f} MB {sample.descriptors:5} {len(sample.threads):7} "
        f"{sample.expected:11} {sample.recorded:11}  {causes:30} {sample.unexplained:9} {sample.segments:8} "
        f"{sample.speed:4.0f}x"
    )


def verdict(samples: Sequence[Sample]) -> list[str]:
    """What is not as it should be, in words; [] when all is."""
    used = samples[int(len(samples) * WARM_UP) :]
    if len(used) < 3:
        return ["too few samples: a longer soak is needed"]
    bad = []
    line = slope(samples)
    if not line.is_flat:
        bad.append(f"memory grows by {line.per_hour:.3f} ± {line.error:.3f} MB in an hour of recording")
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
