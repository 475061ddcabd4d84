"""CPU of the whole job, 1080p30 recording and 720p MJPEG to ten viewers, beside one GStreamer pipeline doing both."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Figure, ratios
from benchmarks.procs import cpu_over, need
from benchmarks.program import LOCAL, Program, recorded
from benchmarks.record import FRAME_BYTES, HEIGHT, WIDTH, Run, off_pace, peer_run, said
from benchmarks.setup import FPS, LOOP_S, Setup
from benchmarks.viewers import Seen, Viewers

COUNT = 10
_ALONE, _TEN = "ours, nobody watching", "ours, ten viewers"
_PEER, _PEER_COLOURS = "GStreamer, ten viewers", "GStreamer converting colours, ten viewers"
_WARM_S = 3.0
_SETTLE_S = 1.5  # viewers come, OpenCV is imported, the small picture's buffers are made


def measure(setup: Setup) -> list[Figure]:
    """Rounds of ours (first with nobody watching, then with ten), GStreamer, and GStreamer with the colours right."""
    need("ffprobe", "gst-launch-1.0")
    source = setup.pixels(WIDTH, HEIGHT)
    runs: dict[str, list[Run]] = {name: [] for name in (_ALONE, _TEN, _PEER, _PEER_COLOURS)}
    for number in range(setup.runs):
        alone, ten = _ours(setup, source)
        peer, right = _gstreamer(setup, source, colours=False), _gstreamer(setup, source, colours=True)
        for (name, some), run in zip(runs.items(), (alone, ten, peer, right), strict=True):
            some.append(run)
            print(f"  round {number + 1} {name}: {said(run)}", flush=True)
    return _figures(runs)


def _figures(runs: dict[str, list[Run]]) -> list[Figure]:
    cost = {name: [run.ms_per_frame for run in some] for name, some in runs.items()}
    trouble = "; ".join(
        sorted({f"{name}: {run.trouble}" for name, some in runs.items() for run in some if run.trouble})
    )

    def ratio(name: str, ours: str, theirs: str, target: float | None = None) -> Figure:
        return Figure(f"whole: {name}", ratios(cost[ours], cost[theirs]), "x", target, trouble=trouble)

    return [
        *(Figure(f"whole: CPU per frame, {name}", tuple(each), "ms") for name, each in cost.items()),
        ratio("ours / GStreamer, ten viewers", _TEN, _PEER, 0.95),
        ratio("ours / GStreamer that converts colours too, ten viewers", _TEN, _PEER_COLOURS),
        ratio("ours with nobody / GStreamer with ten", _ALONE, _PEER),
    ]


def _ours(setup: Setup, source: Path) -> tuple[Run, Run]:
    with setup.folder() as data:
        arguments = (
            "--headless",
            *LOCAL,
            "--source",
            f"file:{source}",
            "--set",
            f"storage.segment_s={peers.SEGMENT_S}",
        )
        with Program(data, *arguments) as program:
            port = program.port()
            time.sleep(_WARM_S)
            alone, alone_window = _window(program, setup)
            with Viewers(port, COUNT) as viewers:
                time.sleep(_SETTLE_S)
                viewers.look()
                busy, busy_window = _window(program, setup)
                seen = viewers.look()
            time.sleep(0.5)
        files = recorded(data, FPS)
    runs = []
    for run, window in ((alone, alone_window), (busy, busy_window)):
        frames = files.within(*window)
        runs.append(replace(run, frames=frames, trouble=files.trouble or off_pace(frames, run.wall_s)))
    runs[1] = replace(runs[1], trouble=runs[1].trouble or undelivered(seen, runs[1].wall_s))
    return runs[0], runs[1]


def _window(program: Program, setup: Setup) -> tuple[Run, tuple[int, int]]:
    begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    cpu, wall = cpu_over(program.pid, setup.seconds(LOOP_S, 3))
    return Run(cpu, wall, 0, "", ""), (begin, time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def _gstreamer(setup: Setup, source: Path, *, colours: bool) -> Run:
    port = _free_port()
    watching: list[Viewers] = []

    def connect() -> None:
        watching.append(Viewers(port, COUNT, path=""))
        watching[0].__enter__()

    with setup.folder() as folder:
        seen: list[Seen] = []
        try:
            run = peer_run(
                setup, folder, peers.gstreamer_whole(source, folder, FRAME_BYTES, port, colours=colours), connect,
                lambda: seen.append(watching[0].look()),
            )  # fmt: skip
        finally:
            for viewers in watching:
                viewers.__exit__(None, None, None)
    return replace(run, trouble=run.trouble or undelivered(seen[1], run.wall_s))


def undelivered(seen: Seen, wall_s: float) -> str:
    """Every viewer must have got (nearly) every frame, else less work was done than it seems."""
    fewest = min(seen.frames)
    return "" if fewest >= 0.97 * wall_s * FPS - 2 else f"a viewer got only {fewest} frames in {wall_s:.1f} s"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
