"""From the start to the first fragment on the disk, and whether a cold start with everything on costs frames."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.procs import BenchmarkError, screen
from benchmarks.program import LOCAL, Program, Recorded, recorded
from benchmarks.setup import FPS, Setup
from benchmarks.viewers import Viewers

_FIRST_S = 15.0
_PATTERN = ("--source", f"pattern:1280x720@{FPS}")
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def measure(setup: Setup) -> list[Figure]:
    """Warm starts first; then one cold start with window, viewer and OpenCV."""
    said, seen = [], []
    for number in range(setup.runs + 1):
        ours, outside = _warm(setup)
        if number:  # the first one warms the page cache
            said.append(ours)
            seen.append(outside)
    _trace(setup)
    return [
        Figure("startup: start to first fragment safe, warm", tuple(said), "s", 1.0),
        Figure("startup: the same seen from outside, in the file", tuple(seen), "s"),
        *_cold(setup),
    ]


def _warm(setup: Setup) -> tuple[float, float]:
    """(what the program says, when the file held a whole fragment), s from the start."""
    with setup.folder() as data:
        began = time.monotonic()
        with Program(data, "--headless", *LOCAL, *_PATTERN) as program:
            seen = _first_fragment(data) - began
            return program.recording(), seen


def _first_fragment(data: Path) -> float:
    """Wait until a file holds a fragment and the record behind it; when that was, monotonic s."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        for path in data.rglob("*.mp4.part"):
            if b"uuid" in path.read_bytes().partition(b"moof")[2]:
                return time.monotonic()
        time.sleep(0.002)
    raise BenchmarkError("no fragment was written within 15 s")


def _trace(setup: Setup) -> None:
    """Where the time goes: imports by package before the first fragment was safe (under -X importtime, so slower)."""
    with setup.folder() as data, Program(data, "--headless", *LOCAL, *_PATTERN, command=("-X", "importtime", "-m",
                                         "blackbox_qt")) as program:  # fmt: skip
        total = program.recording()
        log = program.log().partition("first fragment safe")[0]
    own: Counter[str] = Counter()
    for micros, _, _, name in _IMPORT.findall(log):
        own[name.partition(".")[0]] += int(micros)
    shown = ", ".join(f"{name} {micros / 1000:.0f}" for name, micros in own.most_common(10))
    print(f"  imports before the first fragment, ms: {shown}; all {own.total() / 1000:.0f} of {total * 1000:.0f} "
          f"(traced); Python itself {_bare() * 1000:.0f}; the fragment itself is 33 to 250", flush=True)  # fmt: skip


def _bare() -> float:
    """Seconds that an interpreter needs to do nothing."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-P", "-c", ""], check=True)
    return time.monotonic() - began


def _cold(setup: Setup) -> list[Figure]:
    missing, holes, how = [], "", ""
    runs = 1 if setup.quick else min(2, setup.runs)
    for _ in range(runs):
        how = _drop_caches()
        files = _everything_on(setup)
        short = _shortfall(files)
        missing.append(float(short))
        holes = holes or files.trouble
        print(f"  {how} start with everything on: {len(files.times_ns)} frames in {_FIRST_S:.0f} s and a little, "
              f"{short} missing{'; ' + files.trouble if files.trouble else ''}", flush=True)  # fmt: skip
    name = f"startup: frames missing in the first {_FIRST_S:.0f} s, {how}, everything on"
    return [Figure(name, tuple(missing), "", 0, worst=True)]


def _everything_on(setup: Setup) -> Recorded:
    """Window, page, a viewer whose small picture OpenCV has to make; for fifteen seconds and a little."""
    with setup.folder() as data, screen() as env:
        small = ("--set", "stream.width=960", "--set", "stream.height=540")
        with Program(data, *LOCAL, *_PATTERN, *small, env=env) as program:
            port = program.port()
            with Viewers(port, 1) as viewer:
                time.sleep(_FIRST_S)
                frames = viewer.look().total
            shown = "OpenGL" not in program.log() and program.process.poll() is None
        if not frames or not shown:
            raise BenchmarkError(f"viewer got {frames} frames; window open: {shown}")
        return recorded(data, FPS)


def _shortfall(files: Recorded) -> int:
    """Frames that should be there between the first and fifteen seconds later, and are not."""
    if not files.times_ns:
        return int(_FIRST_S * FPS)
    first = files.times_ns[0]
    return max(0, int(_FIRST_S * FPS) - files.within(first, first + int((_FIRST_S - 0.5 / FPS) * 1e9)))


def _drop_caches() -> str:
    """Empty the page cache where that is allowed. "cold" or "warm (not root)"."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return "warm (cold needs root)"
    return "cold"
