"""The Picamera2 source against a hand-driven stack; tests/lab runs it against the real one."""

from __future__ import annotations

import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.holders import Holder
from blackbox_qt.sources import SourceError, make, picamera, picamera_frames
from blackbox_qt.sources.picamera import PicameraSource
from blackbox_qt.sources.picamera_errors import explain, lock_holders
from blackbox_qt.sources.picamera_keeper import Keeper
from blackbox_qt.sources.picamera_numbers import FrameNumbers, boot_offset_ns
from tests.sources import running_picamera
from tests.sources.fake_picamera2 import ERROR, PI_5, SMPTE170M, SYCC, Rig, Sensor
from tests.sources.test_contract import fail

Until = Callable[[Callable[[], object]], None]
SMALL = (1280, 720)
REAR = Sensor("imx219", PI_5.format("80000", "imx219@10"))
VIRTUAL = Sensor("Virtual front", "Virtual0", ("NV12",), ((640, 480), (1280, 720)), planes="two", align=2, raw=False,
                 controls={}, tells_duration=False)  # fmt: skip


class Bench:
    """A rig, a keeper, and the sources on it; all is taken down at the end."""

    def __init__(self, *sensors: Sensor, old: bool = False) -> None:
        self.rig = Rig(*sensors, old=old)
        self.keeper = Keeper(self.rig.stack)
        self.sources: list[PicameraSource] = []

    def source(self, which: str = "0", **settings: Any) -> PicameraSource:
        settings = {"name": "front", "source": f"picamera:{which}"} | settings
        small, raw = settings.pop("small", SMALL), settings.pop("raw", False)
        source = PicameraSource(which, CameraConfig(**settings), small, keeper=self.keeper)
        if raw:
            source.want_raw()
        self.sources.append(source)
        return source

    def opened(self, which: str = "0", **settings: Any) -> PicameraSource:
        source = self.source(which, **settings)
        source.open()
        return source

    def end(self) -> None:
        for source in self.sources:
            source.stop()
            source.close()
        self.keeper.close_all()


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(*sensors: Sensor, old: bool = False) -> Bench:
        made.append(Bench(*sensors, old=old))
        return made[-1]

    yield build
    for each in made:
        each.end()


class Frames:
    """Collects what a source delivers, held until told."""

    def __init__(self, source: PicameraSource) -> None:
        self.all: list[Frame] = []
        self.errors: list[BaseException] = []
        source.start(self.all.append, self.errors.append)

    def close(self) -> None:
        for frame in self.all:
            frame.close()

    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.all]


def run(rig: Rig, frames: Frames, until: Until, count: int = 1, number: int = 0) -> None:
    """`count` frames, one after the other."""
    for _ in range(count):
        have = len(frames.all)
        assert rig.tick(number)
        until(lambda have=have: len(frames.all) > have)


# ---- pictures


def test_yuv420_in_one_buffer_with_a_stride_of_its_own(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened(width=1000, height=600, small=(500, 300))
    frames = Frames(source)
    run(b.rig, frames, until, 2)
    main, lores = (frames.all[0].images[name] for name in ("main", "lores"))
    assert source.layout == main.layout
    assert (main.layout.width, main.layout.height, main.layout.fourcc) == (1000, 600, "YU12")
    assert [(p.offset, p.stride, p.width, p.rows) for p in main.layout.planes] == [
        (0, 1024, 1000, 600), (614400, 512, 500, 300), (768000, 512, 500, 300),
    ]  # fmt: skip
    assert (lores.layout.width, lores.layout.height) == (500, 300)
    assert main.plane(0)[0, 0] == 41 and frames.all[1].images["main"].plane(0)[0, 0] == 41, "another buffer's first"
    frames.close()


@pytest.mark.parametrize("planes", ["two", "apart"])
def test_nv12_in_two_planes(bench: Callable[..., Bench], until: Until, planes: str) -> None:
    b = bench(replace(VIRTUAL, planes=planes))
    source = b.opened(width=640, height=480)
    frames = Frames(source)
    run(b.rig, frames, until)
    image = frames.all[0].images["main"]
    chroma = image.layout.planes[1]
    assert (image.layout.fourcc, chroma.stride, chroma.width, chroma.rows) == ("NV12", 640, 640, 240)
    assert (chroma.buffer, chroma.offset) == ((0, 640 * 480) if planes == "two" else (1, 0))
    assert len(image.dmabufs) == (1 if planes == "two" else 2)
    assert [int(p[0, 0]) for p in image.planes()] == [41, 41]
    frames.close()


@pytest.mark.parametrize(
    ("colour", "height", "meaning"),
    [(SYCC, 720, ("bt601", True)), (SMPTE170M, 480, ("bt601", False)), (None, 720, ("bt709", False))],
)
def test_matrix_and_range_are_the_streams(bench: Callable[..., Bench], colour: Any, height: int, meaning: Any) -> None:
    source = bench(replace(VIRTUAL, colour=colour)).opened(width=1280 if height == 720 else 640, height=height)
    assert source.layout is not None
    assert (source.layout.matrix, source.layout.full_range) == meaning


def test_buffers_are_mapped_once_and_have_keys_of_their_configuration(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()
    mapped: list[int] = []
    real = picamera_frames.mmap.mmap

    class Counting(picamera_frames.mmap.mmap):  # type: ignore[misc]
        def __new__(cls, fd: int, size: int) -> Any:
            mapped.append(fd)
            return real.__new__(cls, fd, size)

    monkeypatch.setattr(picamera_frames.mmap, "mmap", Counting)
    source = b.opened(width=640, height=480)
    first: set[Any] = set()
    for keys in (first, set()):
        frames = Frames(source)
        for _ in range(30):
            run(b.rig, frames, until)
            image = frames.all[-1].images["main"]
            keys.add(image.key)
            assert image.dmabuf is not None and os.fstat(image.dmabuf).st_ino == image.key[1]  # type: ignore[index]
            frames.all[-1].close()
        source.stop()
        assert len(keys) == 12 and len(mapped) == 12, "once per configuration, not per frame or start"
    assert keys == first
    source.close()
    source.open()
    frames = Frames(source)
    run(b.rig, frames, until)
    assert frames.all[0].images["main"].key not in first
    frames.close()


def test_no_lores_where_main_is_small_or_the_camera_cannot(bench: Callable[..., Bench], until: Until) -> None:
    small = bench().opened(width=1280, height=720)
    assert set(small._set.layouts) == {"main"}  # type: ignore[union-attr]
    one_stream = bench(Sensor(streams=1)).opened()
    assert set(one_stream._set.layouts) == {"main"}  # type: ignore[union-attr]
    own_sizes = bench(VIRTUAL)
    source = own_sizes.opened(width=1280, height=720, small=(640, 360))
    assert set(source._set.layouts) == {"main"}, "1280x720 is all it could give beside"  # type: ignore[union-attr]


def test_a_camera_without_yuv420_is_refused(bench: Callable[..., Bench]) -> None:
    b = bench(Sensor("UVC", "usb-1", formats=("MJPEG",)))
    with pytest.raises(SourceError, match="gives MJPEG only, not YUV 4:2:0; for a USB") as caught:
        b.opened()
    assert caught.value.permanent


@pytest.mark.parametrize(("old", "fewer"), [(False, 2), (True, 0)])
def test_the_caches_are_told_once(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch, old: bool, fewer: int
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(picamera_frames, "sync", lambda descriptor, flags: told.append((descriptor, flags)))
    b = bench(old=old)
    source = b.opened(width=1920, height=1080)
    frames = Frames(source)
    told.clear()
    run(b.rig, frames, until)
    images = frames.all[0].images
    expected = [] if fewer else [(images[n].dmabuf, 1) for n in ("main", "lores")]
    assert told == expected
    frames.close()
    assert told == expected + [(fd, 5) for fd, _ in expected]


# ---- leases


def test_a_frame_is_a_lease_on_its_request(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until, 12)
    assert not b.rig.tick(), "no buffer left"
    with pytest.raises(AssertionError):
        run(b.rig, frames, until)
    thread = threading.Thread(target=frames.all[3].close)
    thread.start()
    thread.join()
    run(b.rig, frames, until)
    assert len(frames.all) == 13 and len(b.rig.camera.queue) == 0
    source.stop()
    frames.close()  # after the stop
    source.close()
    assert not frames.errors


def test_started_again_the_camera_does_not_write_into_what_is_still_read(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picamera, "_GRACE_S", 0.0)
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until)
    held = frames.all[0]
    before = held.images["main"].plane(0)[0, 0]
    source.stop()
    again = Frames(source)
    for _ in range(24):
        run(b.rig, again, until)
        again.all[-1].close()
    assert held.images["main"].plane(0)[0, 0] == before
    assert again.all[0].seq == 0
    source.stop()
    frames.close()
    source.close()


def test_frames_that_never_come_home_are_said(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picamera, "CLOSE_LIMIT_S", 0.01)
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until, 2)
    source.stop()
    with pytest.raises(SourceError, match="imx708 on cam0: 2 frames did not come home") as caught:
        source.close()
    assert caught.value.process
    frames.close()  # late, after the camera was closed for good: harmless


def test_damaged_frames_are_holes(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    frames = Frames(b.opened())
    run(b.rig, frames, until)
    b.rig.tick(status=ERROR)
    run(b.rig, frames, until)
    assert frames.seqs() == [0, 2]
    frames.close()


def test_a_camera_that_does_not_take_a_buffer_back_does_not_hurt_its_holder(
    bench: Callable[..., Bench], until: Until
) -> None:
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until)
    b.rig.camera.sensor.fails["queue"] = "Failed to queue request: No such device"
    frames.close()
    until(lambda: frames.errors)
    assert str(frames.errors[0]) == "imx708 on cam0 has gone; check its cable"
    assert isinstance(frames.errors[0], SourceError)


# ---- numbers and times


def test_a_sensor_frame_without_a_buffer_is_a_hole(bench: Callable[..., Bench], until: Until) -> None:
    """On a Pi the buffers' own numbers do not show it: they count what left the image processor."""
    b = bench()
    frames = Frames(b.opened())
    run(b.rig, frames, until, 12)
    for _ in range(3):
        assert not b.rig.tick()
    frames.close()
    run(b.rig, frames, until, 2)
    assert frames.seqs()[11:] == [11, 15, 16]
    frames.close()


def test_numbers_follow_the_driver_where_nothing_else_is_told(bench: Callable[..., Bench], until: Until) -> None:
    b = bench(VIRTUAL)
    frames = Frames(b.opened(width=640, height=480))
    run(b.rig, frames, until, 2)
    b.rig.camera.sequence += 5
    run(b.rig, frames, until, 1)
    assert frames.seqs() == [0, 1, 7]
    frames.close()


def test_a_changing_rate_is_no_loss() -> None:
    numbers, ms = FrameNumbers(), 1_000_000
    taken = [
        (0, 0, 33),
        (1, 33, 33),
        (2, 66, 100),
        (3, 166, 100),
        (4, 266, 33),
        (5, 299, 33),
        (5, 432, 33),
        (0, 465, 33),
    ]
    assert [numbers.next(driver, t * ms, d * ms) for driver, t, d in taken] == [0, 1, 2, 3, 4, 5, 9, 10]


def test_times_are_the_sensors_on_the_boot_clock(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picamera, "boot_offset_ns", lambda: 5_000_000_000)
    b = bench()
    source = b.opened()
    frames = Frames(source)
    b.rig.tick(wall_ns=1_790_000_000_000_000_000)
    until(lambda: frames.all)
    assert frames.all[0].t_ns == b.rig.clock.now_ns + 5_000_000_000
    assert source.shot is not None
    assert (source.shot.exposure_us, source.shot.gain, source.shot.focus_m) == (9999, 2.0, 2.0)
    assert source.shot.wall_ns == 1_790_000_000_000_000_000
    frames.close()


def test_a_machine_that_slept_has_two_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    clocks = {time.CLOCK_MONOTONIC: 50_000_000_000, time.CLOCK_BOOTTIME: 50_000_300_000}
    monkeypatch.setattr(time, "clock_gettime_ns", clocks.__getitem__)
    assert boot_offset_ns() == 0, "reading two clocks takes time; that is no sleep"
    clocks[time.CLOCK_BOOTTIME] = 80_000_000_000
    assert boot_offset_ns() == 30_000_000_000


# ---- controls


def controls(b: Bench, **settings: Any) -> dict[str, Any]:
    source = b.opened(**settings)
    frames = Frames(source)
    source.stop()
    source.close()
    assert not frames.all
    return b.rig.camera.started_with


def test_what_the_camera_is_told(bench: Callable[..., Bench]) -> None:
    b = bench()
    plain = controls(b)
    assert plain == {
        "FrameDurationLimits": (33333, 33333), "AeEnable": True, "AwbMode": 0, "HdrMode": 0, "NoiseReductionMode": 1,
        "AfMode": 0, "LensPosition": 0.0,
    }  # fmt: skip
    by_hand = controls(
        b,
        exposure_us=2000,
        gain=4.0,
        white_balance="daylight",
        focus_m=2.0,
        noise_reduction="high",
        slowest_fps=10,
        fps=25,
    )
    assert by_hand == plain | {
        "FrameDurationLimits": (40000, 100000), "ExposureTime": 2000, "AnalogueGain": 4.0, "AwbMode": 5,
        "NoiseReductionMode": 2, "LensPosition": 0.5,
    } - {"AeEnable"} if False else True  # fmt: skip
    assert by_hand["ExposureTime"] == 2000 and "AeEnable" not in by_hand
    assert by_hand["FrameDurationLimits"] == (40000, 100000) and by_hand["LensPosition"] == 0.5
    assert controls(b, exposure_us=2000)["AnalogueGain"] == 0, "0 is automatic again"


def test_controls_are_told_again_at_each_start(bench: Callable[..., Bench]) -> None:
    b = bench()
    source = b.opened(gain=3.0)
    for _ in range(2):
        Frames(source)
        source.stop()
        assert b.rig.camera.started_with["AnalogueGain"] == 3.0


def test_half_a_turn(bench: Callable[..., Bench]) -> None:
    b = bench()
    b.opened(rotate=180)
    transform = b.keeper._kept["imx708", "cam0"].camera.camera_config["transform"]
    assert (transform.hflip, transform.vflip) == (True, True)


def test_what_a_camera_cannot_is_said_once(
    bench: Callable[..., Bench], expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = (
        "front: Virtual front on virtual0 does not do all that is configured: 1920x1080 (it gives 1280x720), "
        "slowest_fps (its rate cannot be set), exposure_us, gain, white_balance, hdr, noise_reduction, "
        "focus_m (its lens does not move), rotate 180, buffers 12 (it gives 4; frames may be lost)"
    )
    expected_alarms.append(words)
    b = bench(replace(VIRTUAL, turns=False, buffer_cap=4))
    settings: dict[str, Any] = {
        "exposure_us": 5000, "gain": 2.0, "white_balance": "cloudy", "hdr": True, "noise_reduction": "off",
        "focus_m": 3.0, "slowest_fps": 5, "rotate": 180,
    }  # fmt: skip
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            source = b.opened(**settings)
            source.close()
    assert [r.getMessage() for r in caplog.records] == [words]
    assert source.buffers == 4


def test_limits_of_a_camera_are_kept_and_said(bench: Callable[..., Bench], expected_alarms: list[str]) -> None:
    expected_alarms.append(
        "fps 120 (at this size it gives 58.92 at most), exposure_us 50000 (it takes 16971), gain 40 (it takes 16), "
        "focus_m 0.05 (nearest is 0.067 m)"
    )
    b = bench()
    source = b.opened(fps=120, exposure_us=50_000, gain=40, focus_m=0.05)
    assert source.fps == 58.92


def test_hdr_in_the_sensor_makes_the_camera_anew(bench: Callable[..., Bench]) -> None:
    b = bench()
    for hdr in (False, True, True, False):
        b.opened(hdr=hdr).close()
    assert b.rig.hdr == [("imx708", False), ("imx708", True), ("imx708", False)]
    other = bench(REAR)
    assert controls(other, hdr=True)["HdrMode"] == 3
    assert controls(other, hdr=False)["HdrMode"] == 0 and other.rig.made == 1


# ---- which camera, and who has it


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


# ---- stalls and healing


def test_cancelled_requests_are_a_fault_with_words_at_once(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until)
    b.rig.time_out()
    until(lambda: frames.errors)
    assert str(frames.errors[0]) == (
        "imx708 on cam0 sends nothing any more (its requests were cancelled: frontend timeout); check its cable"
    )
    frames.close()
    source.stop()
    again = Frames(source)  # first stage: the stream alone
    run(b.rig, again, until, 2)
    again.close()
    source.stop()
    assert not again.errors, "what stopping cancels is no fault"
    source.close()
    assert b.rig.made == 1


def test_a_camera_that_was_silent_is_made_anew(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Second stage: closing and opening begins from nothing, but only where that can help."""
    b = bench()
    source = b.opened()
    frames = Frames(source)
    run(b.rig, frames, until)
    frames.close()
    monkeypatch.setattr(source, "_arrived", source._arrived - 3)
    source.stop()
    source.close()
    assert not b.rig._cm.cameras
    source.open()
    assert b.rig.made == 2
    again = Frames(source)
    run(b.rig, again, until)
    again.close()


@pytest.mark.parametrize("what", ["start", "stop", "release"])
def test_a_camera_that_fails_on_the_way_is_made_anew(
    bench: Callable[..., Bench], expected_alarms: list[str], what: str
) -> None:
    b = bench()
    b.rig.camera.sensor.fails[what] = f"Failed to {what} camera: Input/output error"
    source = b.opened()
    if what == "start":
        with pytest.raises(SourceError, match=r"imx708 on cam0 cannot be used \(Failed to start camera"):
            source.start(Frame.close, fail)
    else:
        expected_alarms.append(f"Failed to {what} camera")
        Frames(source)
    source.stop()
    source.close()
    b.rig.camera.sensor.fails.clear()
    b.rig.camera.state = "available"
    b.rig.camera.queue.clear()
    source.open()
    assert b.rig.made == 2


def test_the_first_error_of_a_pump_counts_and_none_after_its_end(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened()
    frames = Frames(source)
    pump = source._pump
    assert pump is not None
    pump.fail(SourceError("first"))
    pump.fail(SourceError("second"))
    until(lambda: frames.errors)
    source.stop()
    pump.fail(SourceError("third"))
    assert [str(e) for e in frames.errors] == ["first"]


# ---- raw


def test_a_raw_still_is_a_dng_of_the_running_stream(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened(raw=True)
    assert source.buffers == 4
    frames = Frames(source)
    given: list[bytes] = []
    asking = threading.Thread(target=lambda: given.append(source.raw_still(5)))
    asking.start()
    until(source._raw_wanted.is_set)
    run(b.rig, frames, until, 2)
    asking.join()
    assert given[0].startswith(b"II*\0raw of /base")
    frames.close()
    until(lambda: len(b.rig.camera.queue) == 4)
    with pytest.raises(SourceError, match="gave no raw picture within 0 s"):
        source.raw_still(0.01)
    with pytest.raises(SourceError, match="without --dng"):
        bench(VIRTUAL).opened(raw=True, width=640, height=480).raw_still(1)


# ---- for ever


def test_two_hundred_rounds_leave_nothing_behind(bench: Callable[..., Bench], until: Until) -> None:
    b = bench(Sensor(), REAR)
    sizes = ((640, 480), (320, 240))
    marks: list[tuple[int, int]] = []
    for turn in range(200):
        which, number = (("cam0", 0), ("cam1", 1))[turn % 2]
        source = PicameraSource(which, CameraConfig(width=sizes[turn % 3 % 2][0], height=sizes[turn % 3 % 2][1]), SMALL,
                                keeper=b.keeper)  # fmt: skip
        source.open()
        for _ in range(1 + turn % 2):
            frames = Frames(source)
            run(b.rig, frames, until, 2, number)
            source.stop()
            frames.close()
        source.close()
        marks.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
    assert marks[10] == marks[-1], marks
    assert b.rig.made == 2


def test_luma_is_the_cameras_own_memory(bench: Callable[..., Bench], until: Until) -> None:
    b = bench(VIRTUAL)
    frames = Frames(b.opened(width=640, height=480))
    run(b.rig, frames, until)
    image = frames.all[0].images["main"]
    assert image.dmabuf is not None
    os.pwrite(image.dmabuf, np.full(4, 99, np.uint8).tobytes(), 0)
    assert list(image.plane(0)[0, :4]) == [99] * 4, "the same memory, not a copy"
    frames.close()


def test_the_snapshot_command_writes_a_dng(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticking = running_picamera.make("picamera", 12)
    monkeypatch.setattr("blackbox_qt.commands.snapshot.make", lambda config: ticking)
    file = tmp_path / "still.dng"
    assert main(["snapshot", "--source", "picamera:0", "--dng", str(file)]) == 0
    assert file.read_bytes().startswith(b"II*\0raw of /base/axi")
    assert capsys.readouterr().out == f"{file}\n"


def test_a_dng_of_what_has_no_sensor_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "--source", "pattern:64x64", "--dng", str(tmp_path / "still.dng")]) != 0
    assert "--dng needs a Pi's own camera (source picamera:), and front is pattern:64x64" in capsys.readouterr().err
