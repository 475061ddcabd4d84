"""Switching and restarting for ever, in one process: nothing is left behind, however often it happens."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackbox_qt.app import App
from blackbox_qt.config import CameraConfig, Config, load
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.sources import make
from blackbox_qt.sources.source import Source
from blackbox_qt.storage.check import check_paths
from tests.fakes import HandClock, HandSource
from tests.sources.test_contract import Ticking, small_video

Until = Callable[[Callable[[], object]], None]

WARM_UP = 8
"""Cycles before the first count: arenas, caches and lazily imported modules come once."""
MAPS_MORE = 12
"""Lines of /proc/self/maps: the heap may be cut into a few pieces more, but not into one more for each cycle."""
MEMORY_MORE = 6 << 20
"""Bytes of resident memory, over all cycles."""


@dataclass(frozen=True)
class Left:
    """What this process has."""

    threads: int
    descriptors: int
    children: str
    maps: int
    memory: int  # bytes resident


def look() -> Left:
    gc.collect()
    children = "".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    maps = len(Path("/proc/self/maps").read_text().splitlines())
    return Left(threading.active_count(), len(os.listdir("/proc/self/fd")), children, maps, memory)


def cameras(tmp_path: Path, video: Path, number: int) -> Config:
    """Two cameras; from cycle to cycle another pair of pattern, file and hand-driven source."""
    kinds = ["pattern:64x64@100", f"file:{video}", "hand"]
    front, rear = kinds[number % 3], kinds[(number + 1) % 3]
    settings = [f"storage.data={tmp_path / 'data'}", f"storage.state={tmp_path / 'state'}"]
    return load(None, settings, sources=[("front", front), ("rear", rear)])


def recorded(app: App, until: Until, frames: int) -> None:
    """Wait until every camera has so many more frames encoded."""
    goals = {name: camera.status().encoder.frames + frames for name, camera in app.cameras.items()}
    until(lambda: all(app.cameras[name].status().encoder.frames >= goal for name, goal in goals.items()))


def cycle(config: Config, until: Until) -> int:
    """Start, reconfigure, switch there and back, stop. Frames seen."""
    with App(config) as app:
        recorded(app, until, 3)
        front = app.config.camera[0]
        source = front.source.replace("64x64", "96x64")
        app.reconfigure(front.model_copy(update={"source": source, "buffers": 16}))
        recorded(app, until, 3)
        app.switch("front", "rear")
        recorded(app, until, 3)
        frames = sum(camera.status().frames for camera in app.cameras.values())
    assert app.stopped_well
    assert all(camera.hub.holders()["free"] == camera.hub.buffers for camera in app.cameras.values())
    return frames


class RealClock(HandClock):
    """The machine's, for a source that would move a hand-driven one."""

    def boot_ns(self) -> int:
        return SystemClock().boot_ns()


def any_source(config: CameraConfig, small: tuple[int, int]) -> Source:
    if config.source != "hand":
        return make(config, small)
    return Ticking(HandSource(config.name, config.buffers, clock=RealClock()), every_s=0.01)  # type: ignore[return-value]


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_cycles_leave_nothing_behind(tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, descriptors and children exactly; maps and memory within a limit that does not grow with the count."""
    count = 200 if os.environ.get("BLACKBOX_PROVE") else 20
    video = small_video(tmp_path / "v.mp4")
    monkeypatch.setattr("blackbox_qt.app.camera.make", any_source)
    for number in range(WARM_UP):
        cycle(cameras(tmp_path, video, number), until)
    before, frames = look(), 0
    for number in range(count):
        frames += cycle(cameras(tmp_path, video, number), until)
    after = look()
    print(f"{count} cycles, {frames} frames: {before} -> {after}")
    assert (after.threads, after.descriptors, after.children) == (before.threads, before.descriptors, before.children)
    assert after.maps - before.maps <= MAPS_MORE
    assert after.memory - before.memory <= MEMORY_MORE
    result = check_paths([tmp_path / "data"])
    assert result.ok and all(r.state == "finished" for r in result.segments)
    assert len(result.segments) == (count + WARM_UP) * 5, "three files of one camera and two of the other in each cycle"
