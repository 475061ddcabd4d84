"""Which camera, who has it, and what is kept and what is given back."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.holders import Holder
from blackbox_qt.sources import SourceError, make
from blackbox_qt.sources.picamera_errors import explain, lock_holders
from tests.sources.fake_libcamera import Sensor
from tests.sources.picamera_bench import REAR, Bench, Frames, Until, run


def test_two_cameras_at_once_and_changing_places(bench: Callable[..., Bench], until: Until) -> None:
    b = bench(Sensor(), REAR)
    front, rear = b.opened("imx708"), b.opened("imx219@cam1", name="rear")
    assert (front.device, rear.device) == ("imx708 on cam0", "imx219 on cam1")
    both = Frames(front), Frames(rear)
    for frames, number in zip(both, (0, 1), strict=True):
        run(b.rig, frames, until, 2, number)
        frames.close()
    for source in (front, rear):
        source.stop()
        source.close()
    swapped = b.opened("cam1"), b.opened("cam0", name="rear")
    assert [s.device for s in swapped] == ["imx219 on cam1", "imx708 on cam0"]
    assert b.rig.made == 2, "one object per camera for the life of the process"


def test_a_camera_serves_one_at_a_time(bench: Callable[..., Bench]) -> None:
    b = bench()
    first = b.opened()
    with pytest.raises(SourceError, match="imx708 on cam0 is used by camera front already; give rear another source"):
        b.opened("imx708", name="rear")
    first.close()
    b.opened("imx708", name="rear")


def test_a_camera_that_is_given_back_is_free_for_others_and_has_no_buffers(bench: Callable[..., Bench]) -> None:
    b = bench()
    source = b.opened()
    assert b.rig.camera.state == "configured"
    before = len(os.listdir("/proc/self/fd"))
    source.close()
    assert b.rig.camera.state == "available"
    assert len(os.listdir("/proc/self/fd")) == before - 2 * (12 + 12), "descriptors of buffers and of their mappings"


def test_reconfiguring_keeps_the_object(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    for width, height in ((1920, 1080), (1280, 720), (640, 480)):
        source = b.opened(width=width, height=height)
        frames = Frames(source)
        run(b.rig, frames, until, 3)
        layout = frames.all[0].images["main"].layout
        assert (layout.width, layout.height) == (width, height)
        source.stop()
        frames.close()
        source.close()
    assert b.rig.made == 1


def test_a_busy_camera_names_who_has_it(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_qt.sources.picamera_errors.lock_holders", lambda: [Holder(812, "rpicam-hello")])
    b = bench(Sensor(busy=True))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(SourceError) as caught:
            b.opened()
        assert str(caught.value) == "imx708 on cam0 is in use by rpicam-hello (pid 812); end that program"
        assert not caught.value.permanent
    assert len(os.listdir("/proc/self/fd")) == before, "a constructor that fails leaves two descriptors each time"
    assert not b.rig._cm.cameras
    b.rig.camera.sensor.busy = False
    b.opened()


def test_a_camera_taken_by_another_program_meanwhile(bench: Callable[..., Bench]) -> None:
    b = bench()
    b.opened().close()
    b.rig.camera.sensor.busy = True
    with pytest.raises(SourceError, match="is in use by another program"):
        b.opened()
    b.rig.camera.sensor.busy = False
    b.opened()
    assert b.rig.made == 1


def test_who_locks_a_camera(tmp_path: Path) -> None:
    dev, proc = tmp_path / "dev", tmp_path / "proc"
    for folder in (dev, proc / "812", proc / "90" / "fd"):
        folder.mkdir(parents=True)
    for name in ("media0", "media1", "video0"):
        (dev / name).touch()
    (proc / "812" / "comm").write_text("rpicam-hello\n")
    (proc / "90" / "comm").write_text("lists cameras\n")
    (proc / "90" / "fd" / "3").symlink_to(dev / "media1")
    assert lock_holders(proc, dev) == [Holder(90, "lists cameras")], "who has it open, where locks are not told"
    there = (dev / "media1").stat()
    place = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
    (proc / "locks").write_text(
        f"1: POSIX  ADVISORY  WRITE 812 {place} 0 EOF\n1: -> POSIX  ADVISORY  WRITE 91 {place} 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 92 {place} 0 EOF\n3: POSIX  ADVISORY  READ 93 00:01:1 0 EOF\n"
        f"4: POSIX  ADVISORY  WRITE {os.getpid()} {place} 0 EOF\n5: POSIX  ADVISORY  WRITE 94 {place} 0 EOF\n"
    )
    assert lock_holders(proc, dev) == [Holder(94, "?"), Holder(812, "rpicam-hello")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Cannot allocate memory", "(CMA) does not suffice for imx708 on cam0; lower its width"),
        ("Could not open any dmaHeap device", "the kernel has no memory heap"),
        ("[Errno 13] Permission denied: '/dev/dma_heap/linux,cma'", "usermod -aG video"),
        ("Failed to acquire camera: No such device", "has gone; check its cable"),
        ("Something\nelse", "cannot be used (Something else)"),
    ],
)
def test_errors_of_the_stack_are_one_sentence(text: str, words: str) -> None:
    error = RuntimeError("Camera __init__ sequence did not complete.")
    error.__cause__ = RuntimeError(text)
    said = str(explain(error, "imx708 on cam0"))
    assert words in said and "\n" not in said


@pytest.mark.parametrize("what", ["init", "configure", "allocate"])
def test_an_opening_that_fails_leaves_nothing(bench: Callable[..., Bench], what: str) -> None:
    b = bench(Sensor(fails={what: "Cannot allocate memory"}))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(SourceError, match="does not suffice"):
            b.opened()
    assert len(os.listdir("/proc/self/fd")) == before
    b.rig.camera.sensor.fails.clear()
    assert b.rig.camera.state == "available"
    b.opened()


def test_no_camera_yet_is_looked_for_again(bench: Callable[..., Bench]) -> None:
    b = bench()
    sensors, b.rig.sensors = b.rig.sensors, ()
    b.rig._cm.reset()
    with pytest.raises(SourceError, match="no camera was found") as caught:
        b.opened()
    assert not caught.value.permanent
    b.rig.sensors = sensors  # its driver was late
    b.opened()


def test_a_camera_that_has_gone_is_closed_for_good(bench: Callable[..., Bench]) -> None:
    b = bench(Sensor(), REAR)
    b.opened("imx219").close()
    gone = b.rig.manager.cameras.pop()
    with pytest.raises(SourceError, match="there is no camera 'imx219'; connected: imx708 on cam0"):
        b.opened("imx219")
    assert not b.rig._cm.cameras and not b.keeper._kept
    b.rig.manager.cameras.append(gone)
    b.opened("imx219")
    assert b.rig.made == 2


@pytest.mark.parametrize("missing", ["libcamera", "picamera2"])
def test_without_picamera2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, "libcamera", types.ModuleType("libcamera"))
    monkeypatch.setitem(sys.modules, missing, None)
    source = make(CameraConfig(source="picamera:0"))
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2") as caught:
        source.open()
    assert caught.value.permanent and "\n" not in str(caught.value)
