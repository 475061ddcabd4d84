"""CPU of recording 1080p30, beside ffmpeg and GStreamer, from the same raw file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Figure, ratios
from benchmarks.procs import cpu_over, end, need, wait_until
from benchmarks.program import NO_PAGE, Program, recorded
from benchmarks.setup import FPS, LOOP_FRAMES, LOOP_S, LOOPS, Setup

WIDTH, HEIGHT = 1920, 1080
FRAME_BYTES = WIDTH * HEIGHT * 3 // 2 + len(b"FRAME\n")
ALL_FRAMES = LOOPS * LOOP_FRAMES
_WARM_S = 3.0
_SLICED = "ours with the peers' threads"


@dataclass(frozen=True)
class Run:
    """One contender's window.

    Threads: immutable, any.
    """

    cpu_s: float
    wall_s: float
    frames: int  # recorded in the window
    trouble: str
    x264: str

    @property
    def ms_per_frame(self) -> float:
        return self.cpu_s * 1000 / max(1, self.frames)


Contender = Callable[[Setup, Path], Run]


def measure(setup: Setup) -> list[Figure]:
    """Rounds of all three, interleaved."""
    need("ffmpeg", "ffprobe", "gst-launch-1.0")
    source = setup.pixels(WIDTH, HEIGHT)
    contenders: dict[str, Contender] = {
        "ours": _ours,
        "ffmpeg": _ffmpeg,
        "GStreamer": _gstreamer,
        _SLICED: lambda setup, source: _ours(setup, source, "--set", "record.threads=0"),
    }
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(setup.runs):
        for name, contender in contenders.items():
            runs[name].append(contender(setup, source))
            print(f"  round {number + 1} {name:9}: {said(runs[name][-1])}", flush=True)
    _compare_settings({name: some[0].x264 for name, some in runs.items()})
    return _figures(runs)


def said(run: Run) -> str:
    text = f"{run.ms_per_frame:.2f} ms CPU per frame, {run.cpu_s / run.wall_s:.1%} of a core, {run.frames} frames"
    return f"{text} INVALID: {run.trouble}" if run.trouble else text


def _figures(runs: dict[str, list[Run]]) -> list[Figure]:
    cost = {name: [run.ms_per_frame for run in some] for name, some in runs.items()}
    trouble = "; ".join(
        sorted({f"{name}: {run.trouble}" for name, some in runs.items() for run in some if run.trouble})
    )
    shown = [Figure(f"record: CPU per frame, {name}", tuple(each), "ms") for name, each in cost.items()]
    sliced = [Figure(f"record: {_SLICED} / ffmpeg", ratios(cost[_SLICED], cost["ffmpeg"]), "x")]
    return [
        *shown,
        *sliced,
        Figure("record: ours / ffmpeg", ratios(cost["ours"], cost["ffmpeg"]), "x", 1.05, trouble=trouble),
        Figure("record: ours / GStreamer", ratios(cost["ours"], cost["GStreamer"]), "x", 1.08, trouble=trouble),
    ]


def _compare_settings(said: dict[str, str]) -> None:
    """Show where x264's own account of its settings differs between the contenders."""
    options = {name: dict(pair.partition("=")[::2] for pair in text.split(" options: ")[-1].split())
               for name, text in said.items()}  # fmt: skip
    print("  x264:", "; ".join(f"{name} {text.split(' - H.264')[0]}" for name, text in said.items()))
    for key in sorted({key for each in options.values() for key in each}):
        values = {name: each.get(key, "-") for name, each in options.items()}
        if len(set(values.values())) > 1:
            print(f"  x264 setting {key} differs:", ", ".join(f"{name} {value}" for name, value in values.items()))


def _ours(setup: Setup, source: Path, *more: str) -> Run:
    with setup.folder() as data:
        arguments = (
            "--headless",
            *NO_PAGE,
            "--source",
            f"file:{source}",
            "--set",
            f"storage.segment_s={peers.SEGMENT_S}",
            *more,
        )
        with Program(data, *arguments) as program:
            program.recording()
            time.sleep(_WARM_S)
            begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            cpu, wall = cpu_over(program.pid, setup.seconds(LOOP_S, 3))
            window = begin, time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            time.sleep(0.5)
        files = recorded(data, FPS)
        frames = files.within(*window)
        trouble = files.trouble or off_pace(frames, wall)
        return Run(cpu, wall, frames, trouble, peers.x264_options(data))


def _ffmpeg(setup: Setup, source: Path) -> Run:
    with setup.folder() as folder:
        return peer_run(setup, folder, peers.ffmpeg(source, folder))


def _gstreamer(setup: Setup, source: Path) -> Run:
    with setup.folder() as folder:
        return peer_run(setup, folder, peers.gstreamer(source, folder, FRAME_BYTES))


def peer_run(
    setup: Setup,
    folder: Path,
    command: list[str],
    ready: Callable[[], object] = lambda: None,
    around: Callable[[], object] = lambda: None,
) -> Run:
    """A window of one loop inside a peer's run from the file's first to its last frame, paced by their times.

    `ready()` is called when it runs, `around()` just before and just after the window.
    """
    began = time.monotonic()
    process = peers.start(command)
    try:
        wait_until(lambda: any(p.stat().st_size for p in folder.glob("*.mp4")), 10, f"{command[0]}'s first byte")
        ready()
        time.sleep(_WARM_S)
        around()
        cpu, wall = cpu_over(process.pid, setup.seconds(LOOP_S, 3))
        around()
        peers.finish(process, 20)
    finally:
        end(process)
    return _judged(cpu, wall, time.monotonic() - began, folder)


def _judged(cpu: float, wall: float, elapsed: float, folder: Path) -> Run:
    count = peers.frames_in(folder)
    trouble = "" if count == ALL_FRAMES else f"{count} frames in the files, {ALL_FRAMES} in the source"
    late = elapsed - ALL_FRAMES / FPS
    if not trouble and not -0.5 < late < 1.5:
        trouble = f"played {late:+.1f} s off real time"
    return Run(cpu, wall, round(wall * FPS), trouble, peers.x264_options(folder))


def off_pace(frames: int, wall_s: float) -> str:
    """A window may begin or end just beside a frame, no more."""
    return "" if abs(frames - wall_s * FPS) <= 2 else f"{frames} frames in a window of {wall_s:.2f} s"
