"""The Picamera2 source on the real libcamera and Picamera2, with `virtual` cameras: what the fake stack stands for."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources import SourceError, make
from blackbox_qt.sources.picamera import PicameraSource
from blackbox_qt.sources.picamera_keeper import KEEPER
from tests.lab.guest.program import driver_numbers

pytestmark = pytest.mark.keeps  # the cameras' objects live as long as the process

ROUNDS = 200 if os.environ.get("BLACKBOX_PROVE") else 30
FPS = 30  # what `virtual` gives at most
Until = Callable[[Callable[[], object]], None]


def source_of(which: str, **settings: Any) -> PicameraSource:
    settings = {"name": "front", "width": 320, "height": 240, "fps": FPS} | settings
    source = make(CameraConfig(source=f"picamera:{which}", **settings))
    assert isinstance(source, PicameraSource)
    return source


@pytest.fixture
def possible_alarms() -> list[str]:
    return ["does not do all that is configured", "Camera in Running state"]


class Taking:
    """A started source whose frames are looked at and given back at once; `keep` holds so many."""

    def __init__(self, source: PicameraSource, keep: int = 0) -> None:
        self.source, self.kept = source, []
        self.seen: list[tuple[int, int, Any]] = []
        self.errors: list[BaseException] = []
        self._keep = keep
        source.start(self._take, self.errors.append)

    kept: list[Frame]

    def _take(self, frame: Frame) -> None:
        image = frame.images["main"]
        self.seen.append((frame.seq, frame.t_ns, image.key))
        if len(self.kept) < self._keep:
            self.kept.append(frame)
        else:
            frame.close()

    def stop(self) -> None:
        self.source.stop()
        for frame in self.kept:
            frame.close()


@pytest.fixture
def opened() -> Iterator[Callable[..., PicameraSource]]:
    made: list[PicameraSource] = []

    def build(which: str = "Virtual0", **settings: Any) -> PicameraSource:
        made.append(source_of(which, **settings))
        made[-1].open()
        return made[-1]

    yield build
    for source in made:
        source.stop()
        source.close()


def test_pictures_are_the_cameras_own_memory_in_two_planes(opened: Callable[..., PicameraSource], until: Until) -> None:
    source = opened(width=640, height=480)
    taking = Taking(source, keep=1)
    until(lambda: taking.kept)
    image = taking.kept[0].images["main"]
    luma, chroma = image.layout.planes
    assert (image.layout.fourcc, image.layout.matrix, image.layout.full_range) == ("NV12", "bt709", False)
    assert (luma.stride, chroma.stride, chroma.buffer, chroma.offset) == (640, 640, 0, 640 * 480)
    assert image.dmabuf is not None and os.readlink(f"/proc/self/fd/{image.dmabuf}").startswith("/dmabuf")
    assert os.fstat(image.dmabuf).st_ino == image.key[1]  # type: ignore[index]
    bars = image.plane(0)[10, ::80].astype(int)
    assert len(set(bars)) >= 6, f"colour bars, not {bars}"
    assert np.ptp(image.plane(1)) > 50
    taking.stop()


def test_numbers_are_the_drivers_and_times_the_boot_clocks(opened: Callable[..., PicameraSource], until: Until) -> None:
    log = Path("/run/lab/frames-Virtual0")
    log.unlink(missing_ok=True)
    begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    taking = Taking(opened())
    until(lambda: len(taking.seen) >= 20)
    taking.stop()
    seqs = [seq for seq, _, _ in taking.seen]
    assert seqs == driver_numbers("Virtual0")[: len(seqs)]
    times = [t for _, t, _ in taking.seen]
    assert times == sorted(set(times))
    assert begin < times[0] and times[-1] < time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert not taking.errors


def test_each_buffer_has_one_key_and_none_is_lent_twice(opened: Callable[..., PicameraSource], until: Until) -> None:
    source = opened()
    taking = Taking(source, keep=source.buffers - 1)
    until(lambda: len(taking.seen) >= 3 * source.buffers)
    held = {frame.images["main"].key for frame in taking.kept}
    assert len(held) == source.buffers - 1
    others = {key for _, _, key in taking.seen[source.buffers - 1 :]}
    assert len(others) == 1 and not others & held
    taking.stop()


def test_out_of_buffers_the_camera_waits_and_goes_on(opened: Callable[..., PicameraSource], until: Until) -> None:
    source = opened()
    taking = Taking(source, keep=source.buffers)
    until(lambda: len(taking.kept) == source.buffers)
    threading.Event().wait(5 / FPS)
    assert len(taking.seen) == source.buffers
    for frame in taking.kept:
        frame.close()
    until(lambda: len(taking.seen) > source.buffers)
    taking.stop()


def test_both_cameras_at_once_by_any_name(opened: Callable[..., PicameraSource], until: Until) -> None:
    front, rear = opened("Virtual front"), opened("Virtual rear@virtual1", name="rear")
    assert (front.device, rear.device) == ("Virtual front on virtual0", "Virtual rear on virtual1")
    both = Taking(front), Taking(rear)
    until(lambda: all(len(t.seen) >= 5 for t in both))
    with pytest.raises(SourceError, match="is used by camera front already"):
        opened("Virtual0", name="third")
    both[0].stop()
    count = len(both[1].seen)
    until(lambda: len(both[1].seen) > count + 5)
    both[1].stop()
    assert not both[0].errors and not both[1].errors


def test_the_stream_starts_again_while_old_frames_are_held(opened: Callable[..., PicameraSource], until: Until) -> None:
    source = opened()
    first = Taking(source, keep=2)
    until(lambda: len(first.seen) >= 4)
    source.stop()
    before = [frame.images["main"].plane(0).copy() for frame in first.kept]
    held = {inode(frame.images["main"].key) for frame in first.kept}
    second = Taking(source)
    until(lambda: len(second.seen) >= 3 * source.buffers)
    second.stop()
    assert not held & {inode(key) for _, _, key in second.seen}, "the camera writes into what is still read"
    for frame, picture in zip(first.kept, before, strict=True):
        assert (frame.images["main"].plane(0) == picture).all()
        frame.close()


def inode(key: Any) -> int:
    """Of the buffer, whatever the configuration."""
    return int(key[1])


def test_a_stalled_camera_is_restarted_and_one_that_stays_silent_made_anew(
    opened: Callable[..., PicameraSource], until: Until
) -> None:
    stall = Path("/run/lab/stall-Virtual0")
    source = opened()
    taking = Taking(source)
    until(lambda: len(taking.seen) >= 3)
    kept = KEEPER._kept["Virtual front", "virtual0"].camera
    stall.touch()
    try:
        threading.Event().wait(1.6)
        source.stop()
        source.close()
    finally:
        stall.unlink()
    source.open()
    assert KEEPER._kept["Virtual front", "virtual0"].camera is not kept
    again = Taking(source)
    until(lambda: len(again.seen) >= 3)
    again.stop()


def test_what_the_driver_cancels_is_a_fault_at_once(
    opened: Callable[..., PicameraSource], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a frontend timeout, of which Picamera2 says nothing. `virtual` fills all it has: one is slipped in."""
    import libcamera

    source = opened()
    taking = Taking(source)
    until(lambda: len(taking.seen) >= 3)
    cookie = KEEPER._kept["Virtual front", "virtual0"].cookie
    cancelled = [SimpleNamespace(status=libcamera.Request.Status.Cancelled, cookie=cookie)]
    ready = libcamera.CameraManager.get_ready_requests
    monkeypatch.setattr(
        libcamera.CameraManager,
        "get_ready_requests",
        lambda self: ready(self) + [cancelled.pop() for _ in cancelled[:1]],
    )
    until(lambda: taking.errors)
    assert "its requests were cancelled: frontend timeout" in str(taking.errors[0])
    taking.stop()
    again = Taking(source)
    until(lambda: len(again.seen) >= 3)
    again.stop()
    assert not again.errors


def test_switching_and_restarting_for_ever_leaves_nothing_behind(until: Until) -> None:
    """Start, stop, reconfigure, front, rear: no thread, descriptor, buffer or camera object is left."""
    sizes, marks = ((320, 240), (640, 480)), []
    for turn in range(ROUNDS):
        width, height = sizes[turn // 2 % 2]
        source = source_of(f"Virtual{turn % 2}", width=width, height=height)
        source.open()
        for _ in range(1 + turn % 3 // 2):
            taking = Taking(source)
            until(lambda taking=taking: len(taking.seen) >= 2)
            taking.stop()
            assert not taking.errors
        source.close()
        marks.append(Counter(threads=threading.active_count(), descriptors=len(os.listdir("/proc/self/fd")),
                             buffers=buffers(), mappings=mappings()))  # fmt: skip
    gc.collect()
    early, late = marks[min(10, ROUNDS // 3)], marks[-1]
    assert late["buffers"] == 0 and late["mappings"] == 0, marks
    assert late == early, marks
    assert len(KEEPER._kept) == 2


def buffers() -> int:
    """dma-bufs that this process has open."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link).startswith("/dmabuf") for link in links if os.path.lexists(link))


def mappings() -> int:
    return Path("/proc/self/maps").read_text().count("dmabuf")


def test_after_the_last_one_nothing_at_all_is_left() -> None:
    KEEPER.close_all()
    assert not KEEPER._kept
    ours = [t.name for t in threading.enumerate() if t is not threading.main_thread() and "pytest" not in t.name]
    assert not ours
