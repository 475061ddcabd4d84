"""Resident memory of a headless recorder of 1080p30 with ten viewers, and whether it grows."""

from __future__ import annotations

import time

from benchmarks.measure import Figure, slope
from benchmarks.procs import memory_mb
from benchmarks.program import LOCAL, Program, recorded
from benchmarks.setup import FPS, Setup
from benchmarks.viewers import Viewers

_WARM_S = 15.0
_EVERY_S = 2.0
FLAT_MB_PER_MIN = 0.5


def measure(setup: Setup) -> list[Figure]:
    """RSS and PSS every two seconds, after fifteen seconds to fill buffers."""
    source = setup.pixels(1920, 1080)
    seconds = setup.seconds(setup.minutes * 60, 10)
    points: list[tuple[float, float, float]] = []
    with setup.folder() as data:
        with Program(data, "--headless", *LOCAL, "--source", f"file:{source}") as program:
            port = program.port()
            with Viewers(port, 10) as viewers:
                time.sleep(setup.seconds(_WARM_S, 5))
                began = time.monotonic()
                while (now := time.monotonic() - began) < seconds:
                    points.append((now / 60, *memory_mb(program.pid)))
                    time.sleep(_EVERY_S)
                fewest = min(viewers.look().frames)
        trouble = recorded(data, FPS).trouble
    if fewest < 0.9 * FPS * seconds:
        trouble = f"a viewer got only {fewest} frames; {trouble}"
    rss, pss = tuple(point[1] for point in points), tuple(point[2] for point in points)
    growth = slope([(minute, each) for minute, each, _ in points])
    half = slope([(minute, each) for minute, each, _ in points[len(points) // 2 :]])
    return [
        Figure("memory: resident (RSS)", rss, "MB", 200, worst=True, trouble=trouble),
        Figure("memory: proportional (PSS)", pss, "MB", 200, worst=True, trouble=trouble),
        Figure("memory: growth of RSS", (growth,), "MB/min", FLAT_MB_PER_MIN, trouble=trouble),
        Figure("memory: growth in the second half", (half,), "MB/min"),
    ]
