"""How old a frame is when a local viewer has its JPEG's last byte, and when the window has issued its draw."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import drawn
from benchmarks.measure import Figure, percentile
from benchmarks.procs import screen
from benchmarks.program import LOCAL, Program, recorded
from benchmarks.setup import FPS, Setup
from benchmarks.viewers import Viewers

_WARM_S = 3.0
_GUI = ("--set", "window.width=960", "--set", "window.height=540")


def measure(setup: Setup) -> list[Figure]:
    """Both while 720p30 road is being recorded; percentiles of each window, judged by their median."""
    source = setup.pixels(1280, 720)
    return _to_viewer(setup, source) + _to_screen(setup, source)


def _to_viewer(setup: Setup, source: Path) -> list[Figure]:
    windows: list[list[float]] = []
    with setup.folder() as data:
        with Program(data, "--headless", *LOCAL, "--source", f"file:{source}") as program:
            port = program.port()
            with Viewers(port, 1) as viewer:
                time.sleep(_WARM_S)
                for _ in range(setup.runs):
                    viewer.look()
                    time.sleep(setup.seconds(8, 3))
                    windows.append(viewer.look().ages_ms)
        trouble = recorded(data, FPS).trouble
    return _figures("latency: frame to last byte at a viewer", windows, (10, 25), trouble, setup.seconds(8, 3))


def _to_screen(setup: Setup, source: Path) -> list[Figure]:
    seconds = setup.seconds(8, 3)
    with setup.folder() as data, screen() as env:
        notes = data / "drawn"
        arguments = (*_GUI, *LOCAL, "--source", f"file:{source}")
        command = ("-m", "benchmarks.drawn")
        with Program(data, *arguments, env={**env, drawn.FILE: str(notes)}, command=command) as program:
            program.port()
            time.sleep(2 * _WARM_S)
            begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            time.sleep(setup.runs * seconds)
        trouble = recorded(data, FPS).trouble
        windows: list[list[float]] = [[] for _ in range(setup.runs)]
        for text in notes.read_text().splitlines():
            now_ns, age_ms = text.split()
            index = int((int(now_ns) - begin) / 1e9 // seconds)
            if 0 <= index < setup.runs:
                windows[index].append(float(age_ms))
    return _figures("latency: frame to GL draw, 960x540", windows, (5, 20), trouble, seconds)


def _figures(
    name: str, windows: list[list[float]], targets: tuple[float, float], trouble: str, seconds: float
) -> list[Figure]:
    fewest = min(map(len, windows))
    if fewest < 0.97 * FPS * seconds - 2:
        trouble = f"only {fewest} frames in {seconds:.0f} s; {trouble}"
    some = [window or [float("inf")] for window in windows]
    return [
        Figure(f"{name}, p{percent}", tuple(percentile(each, percent) for each in some), "ms", target, trouble=trouble)
        for percent, target in zip((50, 99), targets, strict=True)
    ]
