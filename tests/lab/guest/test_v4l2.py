"""The V4L2 source on the kernel's own V4L2: vivid is a driver like a USB camera's, and can be asked to misbehave."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources import SourceError
from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2 import V4L2Source
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_identity import Known, cameras
from blackbox_qt.sources.v4l2_kernel import SystemKernel
from tests.conftest import descriptors

Until = Callable[[Callable[[], object]], None]
FIRST, SECOND = "/dev/video0", "/dev/video1"
MODULE = ["vivid", "n_devs=2", "node_types=0x1,0x1", "num_inputs=1,1", "input_types=0x0,0x0", "num_outputs=0,0"]
SIZE, FPS = (640, 360), 15
NEXT_CONTROL = 0x8000_0000  # V4L2_CTRL_FLAG_NEXT_CTRL
DMA_BUF_SYNC = 0x4008_6200  # DMA_BUF_IOCTL_SYNC of linux/dma-buf.h
START_READING, END_READING = 1, 5


class Taken:
    """A source and the frames it gave, kept until `home`."""

    def __init__(self, which: str = FIRST, known: Known | None = None, **settings: Any) -> None:
        wanted = {"source": "v4l2", "width": SIZE[0], "height": SIZE[1], "fps": FPS, "format": "NV12", **settings}
        self.source = V4L2Source(which, CameraConfig.model_validate(wanted), known=known or Known())
        self.frames: list[Frame] = []
        self.errors: list[BaseException] = []

    def start(self) -> None:
        self.source.start(self.frames.append, self.errors.append)

    def home(self) -> None:
        for frame in self.frames:
            frame.close()
        self.frames.clear()

    def __enter__(self) -> Taken:
        self.source.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.stop()
        self.home()
        self.source.close()


def some(taken: Taken, count: int, until: Until, **settings: Any) -> list[int]:
    """Numbers of `count` pictures, each given back at once."""
    numbers: list[int] = []

    def deliver(frame: Frame) -> None:
        with frame:
            numbers.append(frame.seq)

    taken.source.start(deliver, taken.errors.append)
    until(lambda: len(numbers) >= count or taken.errors)
    taken.source.stop()
    assert not taken.errors, taken.errors
    return numbers


def press(node: str, name: str, value: int = 1) -> None:
    """Set one of vivid's own controls, found by its name."""
    device = Device(SystemKernel(), node)
    found = abi.QueryCtrl(id=NEXT_CONTROL)
    try:
        while found.name.decode() != name:
            found.id |= NEXT_CONTROL
            device.kernel.ioctl(device.fd, abi.QUERYCTRL, found)  # raises OSError after the last
        device.set(found.id, value)
    finally:
        device.close()


def load(*more: str) -> None:
    subprocess.run(["modprobe", "-r", "vivid"], check=True)
    subprocess.run(["modprobe", *MODULE, *more], check=True)
    subprocess.run(["udevadm", "settle", "--timeout=20"], check=True)


@pytest.fixture
def reloaded() -> Iterator[None]:
    """The cameras are as they were afterwards."""
    yield
    load()


def test_cameras_are_listed() -> None:
    found = cameras(SystemKernel())
    assert [(c.node, c.name, c.port, c.pictures) for c in found] == [
        (FIRST, "vivid", "platform:vivid-000", True),
        (SECOND, "vivid", "platform:vivid-001", True),
    ]


@pytest.mark.parametrize("fourcc", ["NV12", "YU12", "YUYV"])
def test_every_format_gives_the_same_picture_in_time(fourcc: str, until: Until) -> None:
    with Taken(format=fourcc) as taken:
        mode = taken.source.mode
        assert mode is not None and (mode.fourcc, mode.width, mode.height, mode.fps) == (fourcc, *SIZE, FPS)
        taken.start()
        until(lambda: len(taken.frames) >= 10 or taken.errors)
        first, last = taken.frames[0], taken.frames[9]
        assert (last.t_ns - first.t_ns) / NS == pytest.approx((last.seq - first.seq) / FPS, rel=0.2)
        assert abs(last.t_ns - taken.source._clock.boot_ns()) < 5 * NS
        image = last.images["main"]
        assert (image.layout.matrix, image.layout.full_range) == ("bt601", False)
        bars = image.plane(0)[300:340].reshape(40, 8, SIZE[0] // 8)[:, :, 20:60].mean((0, 2))  # 75 % bars, falling
        assert list(bars) == sorted(bars, reverse=True) and bars[0] > 170 and bars[-1] < 20, bars
        colours = chroma(image.planes()) if fourcc != "NV12" else image.plane(1)[150:170].astype(int)
        assert abs(colours[:, 40:60] - 128).max() <= 1, "the first bar is white"
        assert abs(colours - 128).max() > 60, "others are not"
        assert taken.source.converted == (0 if fourcc != "YUYV" else len(taken.frames))
        taken.source.stop()


def chroma(planes: list[np.ndarray]) -> np.ndarray:
    return np.dstack(planes[1:])[150:170].reshape(20, -1).astype(int)


def test_lent_pictures_are_dma_bufs_with_the_same_bytes(until: Until) -> None:
    with Taken() as taken:
        taken.start()
        until(lambda: len(taken.frames) >= 12 or taken.errors)
        taken.source.stop()
        assert len({frame.images["main"].key for frame in taken.frames}) == 12
        for frame in taken.frames:
            image = frame.images["main"]
            fd = image.dmabuf
            assert fd is not None and os.readlink(f"/proc/self/fd/{fd}").startswith("/dmabuf")
            assert image.key[1] == os.fstat(fd).st_ino  # type: ignore[index]
            with reading(fd), mmap.mmap(fd, image.layout.size, mmap.MAP_SHARED, mmap.PROT_READ) as same:
                assert same[:] == bytes(image.view())[: image.layout.size]


@contextmanager
def reading(fd: int) -> Iterator[None]:
    fcntl.ioctl(fd, DMA_BUF_SYNC, ctypes.c_uint64(START_READING))
    yield
    fcntl.ioctl(fd, DMA_BUF_SYNC, ctypes.c_uint64(END_READING))


def test_out_of_buffers_it_goes_on_with_a_hole(until: Until) -> None:
    with Taken() as taken:
        taken.start()
        until(lambda: len(taken.frames) >= 12 or taken.errors)
        threading.Event().wait(0.5)
        assert len(taken.frames) == 12
        last = taken.frames[-1].seq
        taken.frames[0].close()
        until(lambda: len(taken.frames) >= 13 or taken.errors)
        assert taken.frames[-1].seq > last + 3, "seven or so were taken meanwhile"
        taken.source.stop()


def test_lent_pictures_outlive_a_restart(until: Until) -> None:
    with Taken() as taken:
        taken.start()
        until(lambda: len(taken.frames) >= 12 or taken.errors)
        taken.source.stop()
        before = bytes(taken.frames[3].images["main"].view())
        taken.start()  # with nothing to queue
        for frame in taken.frames[6:12]:
            frame.close()
        until(lambda: len(taken.frames) >= 16 or taken.errors)
        assert bytes(taken.frames[3].images["main"].view()) == before, "nobody writes into what is lent"
        taken.source.stop()
        assert not taken.errors, taken.errors


def test_what_the_driver_drops_is_a_hole(until: Until) -> None:
    press(FIRST, "Percentage of Dropped Buffers", 40)
    try:
        with Taken(fps=30) as taken:
            numbers = some(taken, 30, until)
    finally:
        press(FIRST, "Percentage of Dropped Buffers", 0)
    assert numbers[-1] - numbers[0] + 1 > len(numbers) + 3


def test_a_picture_the_driver_calls_broken_is_a_hole(until: Until) -> None:
    with Taken() as taken:
        taken.start()
        until(lambda: len(taken.frames) >= 2 or taken.errors)
        press(FIRST, "Inject V4L2_BUF_FLAG_ERROR")
        until(lambda: taken.source.damaged == 1 or taken.errors)
        count = len(taken.frames)
        until(lambda: len(taken.frames) >= count + 2 or taken.errors)
        taken.source.stop()
        numbers = [frame.seq for frame in taken.frames]
    assert numbers[-1] - numbers[0] + 1 > len(numbers)


def test_a_fatal_error_ends_it_with_words_and_starting_again_heals(until: Until) -> None:
    with Taken() as taken:
        taken.start()
        until(lambda: taken.frames or taken.errors)
        press(FIRST, "Inject Fatal Streaming Error")
        until(lambda: taken.errors)
        assert "reports a failure of its own" in str(taken.errors[0]), taken.errors
        taken.source.stop()
        taken.home()
        taken.errors.clear()
        assert len(some(taken, 3, until)) >= 3


@pytest.mark.parametrize("error", ["Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_STREAMON Error"])
def test_a_driver_that_refuses_leaves_nothing_behind(error: str, until: Until) -> None:
    before = set(descriptors())
    press(FIRST, error)
    with pytest.raises(SourceError, match=r"^vivid \(platform:vivid-000\) cannot be used: "), Taken() as taken:
        taken.start()
    assert set(descriptors()) == before
    with Taken() as taken:
        assert some(taken, 2, until)


BUSY = """
import sys
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_kernel import SystemKernel
device = Device(SystemKernel(), sys.argv[1])
device.request(2)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_busy_camera_names_who_has_it(until: Until) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", BUSY, FIRST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        with pytest.raises(SourceError, match=rf"is in use by \S+ \(pid {other.pid}\); close that first"), Taken():
            pass
    finally:
        other.communicate(input="")
    with Taken() as taken, pytest.raises(SourceError, match="every camera needs a source of its own"):
        Taken().source.open()
    assert taken.source.mode is not None


def test_unplugged_and_found_again_under_another_number(until: Until, reloaded: None) -> None:
    known = Known()
    with Taken(known=known) as taken:
        taken.start()
        until(lambda: len(taken.frames) >= 3 or taken.errors)
        press(FIRST, "Disconnect")
        until(lambda: taken.errors)
        assert str(taken.errors[0]) == "vivid (platform:vivid-000) was unplugged; plug it in again"
        assert taken.frames[0].images["main"].plane(0).any(), "what is lent can still be read"
        with pytest.raises(SourceError, match=r"vivid-000\) was unplugged; plug it in again"), Taken(known=known):
            pass
    load("vid_cap_nr=7,8")
    with Taken(known=known) as again:
        assert again.source._node == "/dev/video7"
        assert some(again, 3, until)


def test_the_nearest_is_taken_and_said_once(until: Until, expected_alarms: list[str], caplog: Any) -> None:
    expected_alarms.append("cannot give 700x400 at 15; it gives 640x360 at 15 frames per second in NV12")
    known = Known()
    for _ in range(2):
        with Taken(known=known, width=700, height=400, format="auto") as taken:
            assert taken.source.layout is not None and taken.source.layout.width == 640
    assert sum("cannot give" in record.getMessage() for record in caplog.records) == 1


def test_200_cycles_leave_nothing_behind(until: Until) -> None:
    """Start, stop, switch and reconfigure, as the documents' old system could not."""
    known = Known()
    shapes = [{"format": "NV12"}, {"format": "YUYV"}, {"format": "YU12", "width": 320, "height": 180}]
    before, threads, memory = set(descriptors()), threading.active_count(), 0
    for cycle in range(200):
        with Taken((FIRST, SECOND)[cycle % 2], known, **{"fps": 30, **shapes[cycle % 3]}) as taken:
            some(taken, 2, until)
            if cycle % 5 == 0:
                some(taken, 2, until)
        assert (set(descriptors()), threading.active_count()) == (before, threads), f"cycle {cycle}"
        if cycle == 50:
            memory = resident()
    gc.collect()
    assert resident() - memory < 10 << 20, "it grew between cycle 50 and 200"
    assert not children()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()
