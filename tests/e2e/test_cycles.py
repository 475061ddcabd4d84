"""Switching and restarting for ever, in one process: nothing is left behind, however often it happens."""

from __future__ import annotations

import gc
import logging
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
from tests.conftest import descriptors
from tests.fakes import HandClock, HandSource
from tests.sources.test_contract import Ticking, small_video

Until = Callable[[Callable[[], object]], None]

COUNT = 200 if os.environ.get("BLACKBOX_PROVE") else 20
WARM_UP = 12
"""Cycles before the first count: the C library's arenas, caches and lazily imported modules come once."""
MAPS_MORE = 12
"""Lines of /proc/self/maps: the heap may be cut into a few pieces more, but not into one more for each cycle."""
MEMORY_MORE = 16 << 20
"""Bytes of resident memory, over all cycles: an encoder or a pool of buffers left behind in each would be far more."""
OBJECTS_MORE = 50
"""Python objects, over all cycles: caches come and go, but one left behind in each of 200 cycles is found."""


@dataclass(frozen=True)
class Left:
    """What this process has."""

    threads: int
    descriptors: int
    children: str
    maps: int
    memory: int  # bytes resident
    objects: int


def look(place: Path, *, running: bool = False) -> Left:
    """Without the recordings that are being written just now.

    Objects are counted only when no frames pass: the list of them would hold an encoder's picture beyond its frame.
    """
    gc.collect()
    objects = 0 if running else len(gc.get_objects())
    files = [what for _, what in lasting() if not what.startswith(str(place))]
    children = "".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    maps = len(Path("/proc/self/maps").read_text().splitlines())
    return Left(threading.active_count(), len(files), children, maps, memory, objects)


def lasting() -> set[tuple[int, str]]:
    """Descriptors that are open at three looks: whoever reads the board's warmth has a file open for a moment."""
    looks = []
    for _ in range(3):
        looks.append(set(descriptors().items()))
        threading.Event().wait(0.02)
    return set.intersection(*looks)


def cameras(place: Path, number: int) -> Config:
    """Two cameras; from cycle to cycle another pair of pattern, file and hand-driven source."""
    kinds = ["pattern:64x64@100", f"file:{place / 'v.mp4'}", "hand"]
    front, rear = kinds[number % 3], kinds[(number + 1) % 3]
    settings = [f"storage.data={place / 'data'}", f"storage.state={place / 'state'}"]
    return load(None, settings, sources=[("front", front), ("rear", rear)])


def recorded(app: App, until: Until, frames: int) -> None:
    """Wait until every camera has so many more frames encoded."""
    goals = {name: camera.status().encoder.frames + frames for name, camera in app.cameras.items()}
    until(lambda: all(app.cameras[name].status().encoder.frames >= goal for name, goal in goals.items()))


def cycle(config: Config, until: Until) -> None:
    """Start, reconfigure, switch, stop."""
    with App(config) as app:
        recorded(app, until, 3)
        front = app.config.camera[0]
        source = front.source.replace("64x64", "96x64")
        app.reconfigure(front.model_copy(update={"source": source, "buffers": 16}))
        recorded(app, until, 3)
        app.switch("front", "rear")
        recorded(app, until, 3)
    assert app.stopped_well
    assert all(camera.hub.holders()["free"] == camera.hub.buffers for camera in app.cameras.values())


class RealClock(HandClock):
    """The machine's, for a source that would move a hand-driven one."""

    def boot_ns(self) -> int:
        return SystemClock().boot_ns()


def any_source(config: CameraConfig, small: tuple[int, int]) -> Source:
    if config.source != "hand":
        return make(config, small)
    return Ticking(HandSource(config.name, config.buffers, clock=RealClock()), every_s=0.01)  # type: ignore[return-value]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, possible_alarms: list[str]) -> Path:
    """A folder with a video file in it; `hand` means a hand-driven source."""
    possible_alarms.append("frames lost so far")  # counted, on a machine that is busy with other things
    monkeypatch.setattr("blackbox_qt.app.camera.make", any_source)
    logging.getLogger("blackbox_qt").setLevel(logging.WARNING)  # pytest keeps every line
    small_video(tmp_path / "v.mp4")
    return tmp_path


def nothing_more(cycles: int, before: Left, after: Left) -> None:
    print(f"{cycles} cycles: {before} -> {after}")
    assert (after.threads, after.descriptors, after.children) == (before.threads, before.descriptors, before.children)
    assert after.maps - before.maps <= MAPS_MORE
    assert after.memory - before.memory <= MEMORY_MORE
    assert after.objects - before.objects <= OBJECTS_MORE


def sound(data: Path, files: int) -> None:
    result = check_paths([data])
    assert result.ok and all(r.state == "finished" for r in result.segments)
    assert len(result.segments) == files


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_starting_and_stopping_leaves_nothing_behind(place: Path, until: Until) -> None:
    """Threads, descriptors and children exactly; maps and memory within a limit that does not grow with the count."""
    for number in range(WARM_UP):
        cycle(cameras(place, number), until)
    before = look(place)
    for number in range(COUNT):
        cycle(cameras(place, number), until)
        gc.collect()  # an App's parts know each other; the collector does not see how much C memory hangs on them
    nothing_more(COUNT, before, look(place))
    sound(place / "data", (COUNT + WARM_UP) * 5)  # three files of one camera and two of the other in each cycle


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_switching_and_reconfiguring_leaves_nothing_behind(place: Path, until: Until) -> None:
    """In one App, and without asking the collector for help in between."""
    with App(cameras(place, 0)) as app:
        recorded(app, until, 3)
        for number in range(WARM_UP + COUNT):
            if number == WARM_UP:
                before = look(place, running=True)
            app.reconfigure(*cameras(place, number).camera)
            recorded(app, until, 3)
            app.switch("front", "rear")
            recorded(app, until, 3)
        nothing_more(COUNT, before, look(place, running=True))
    assert app.stopped_well
    sound(place / "data", 2 + (WARM_UP + COUNT) * 4)
