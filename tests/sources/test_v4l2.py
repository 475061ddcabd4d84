"""A V4L2 camera from opening to unplugging, on a kernel driven by hand. What it shares with others: test_contract."""

from __future__ import annotations

import errno
import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.sources import SourceError, make
from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2 import V4L2Source
from tests.conftest import descriptors
from tests.sources.fake_v4l2 import FakeCamera, Knob, good_jpeg
from tests.sources.running_v4l2 import SIZE, Bench

Until = Callable[[Callable[[], object]], None]
MakeBench = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MakeBench]:
    made: list[Bench] = []

    def build(camera: FakeCamera | None = None, **settings: Any) -> Bench:
        made.append(Bench(tmp_path, camera, **settings))
        return made[-1]

    yield build
    for each in made:
        each.end()


def of(fourcc: str, **more: Any) -> FakeCamera:
    return FakeCamera(modes={fourcc: {SIZE: (30.0,)}}, **more)


def opened(bench: Bench) -> Bench:
    bench.source.open()
    bench.start()
    return bench


def refused(bench: Bench) -> str:
    with pytest.raises(SourceError) as caught:
        bench.source.open()
    assert not caught.value.permanent and "\n" not in str(caught.value)
    return str(caught.value)


def luma(frame: Frame) -> int:
    return int(frame.images["main"].plane(0)[5, 5])


# Pictures ------------------------------------------------------------------------------------------------------------


def test_the_spec_makes_this_source() -> None:
    source = make(CameraConfig(source="v4l2:/dev/video7", name="rear", buffers=20))
    assert isinstance(source, V4L2Source)
    assert (source.camera, source.buffers, source.origin) == ("rear", 20, "camera")


@pytest.mark.parametrize("fourcc", ["NV12", "YU12"])
@pytest.mark.parametrize("padding", [0, 32])
def test_pictures_are_lent_where_the_driver_wrote_them(
    bench: MakeBench, until: Until, fourcc: str, padding: int
) -> None:
    b = opened(bench(of(fourcc, padding=padding)))
    frames = b.pictures(3, until)
    assert [luma(frame) for frame in frames] == [16, 17, 18]
    layout = frames[0].images["main"].layout
    assert (layout.fourcc, layout.width, layout.planes[0].stride) == (fourcc, SIZE[0], SIZE[0] + padding)
    os.pwrite(b.camera.memory[0], bytes([99]) * layout.size, 0)
    assert luma(frames[0]) == 99, "it is the driver's own memory"
    assert b.source.converted == 0


@pytest.mark.parametrize(("fourcc", "near"), [("YUYV", 0), ("MJPG", 2)])
def test_others_are_converted_once_and_the_drivers_buffer_goes_back_at_once(
    bench: MakeBench, until: Until, fourcc: str, near: int
) -> None:
    b = opened(bench(of(fourcc)))
    frames = b.pictures(8, until)
    assert all(abs(luma(frame) - 16 - frame.seq) <= near for frame in frames)
    assert {frame.images["main"].layout.fourcc for frame in frames} == {"YU12"}
    until(lambda: len(b.camera.queued) == len(b.camera.memory))
    assert b.source.converted == 8
    assert frames[0].images["main"].dmabuf is None


def test_each_buffer_has_a_descriptor_and_a_key_that_stay_its_own(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    frames = b.pictures(12, until)
    first = [(f.images["main"].key, f.images["main"].dmabuf) for f in frames]
    assert len(set(first)) == 12
    for frame, (_, fd) in zip(frames, first, strict=True):
        assert fd is not None and os.pread(fd, 1, 5) == bytes([luma(frame)]), "the descriptor is this very picture's"
    b.home()
    again = [(f.images["main"].key, f.images["main"].dmabuf) for f in b.pictures(12, until)]
    assert again == first, "the same memory, the same key"
    b.end()
    opened(b)
    later = {f.images["main"].key for f in b.pictures(12, until)}
    assert not later & {key for key, _ in first}, "the numbers of descriptors come back, the keys do not"


def test_a_driver_that_exports_nothing_is_no_error(bench: MakeBench, until: Until) -> None:
    b = opened(bench(of("NV12", exports=False)))
    frames = b.pictures(12, until)
    assert {frame.images["main"].dmabufs for frame in frames} == {()}
    assert len({frame.images["main"].key for frame in frames}) == 12


def test_too_few_buffers_to_lend_are_copied(bench: MakeBench, until: Until) -> None:
    b = opened(bench(of("NV12", most_buffers=4)))
    frames = b.pictures(10, until)
    assert [luma(frame) for frame in frames] == list(range(16, 26))
    assert b.source.converted == 10


def test_seq_is_the_drivers_and_time_is_the_sensors_on_the_boot_clock(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    frames = b.pictures(3, until)
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert frames[-1].t_ns == b.kernel.clock.boot_ns() // 1000 * 1000, "microseconds, as V4L2 has them"
    assert abs(frames[1].t_ns - frames[0].t_ns - NS // 30) <= 1000


def test_a_driver_without_stamps_gets_the_time_of_arrival(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    b.camera.monotonic = False
    assert b.pictures(1, until)[0].t_ns == b.kernel.clock.boot_ns()


def test_out_of_buffers_pictures_are_lost_in_the_drivers_numbers(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    b.pictures(12, until)
    assert not b.kernel.tick(b.camera) and not b.kernel.tick(b.camera)
    b.frames[4].close()
    assert b.pictures(1, until)[0].seq == 14


@pytest.mark.parametrize("fourcc", ["NV12", "YUYV", "MJPG"])
def test_a_damaged_picture_is_a_hole(bench: MakeBench, until: Until, fourcc: str) -> None:
    b = opened(bench(of(fourcc)))
    b.pictures(1, until)
    b.camera.flags = abi.BUF_FLAG_ERROR
    for _ in range(20):  # more than there are buffers: each goes back to the driver
        assert b.kernel.tick(b.camera)
        until(lambda: len(b.camera.queued) >= 5 and not b.camera.done)
    b.camera.flags = 0
    assert b.pictures(1, until)[0].seq == 21
    assert b.source.damaged == 20


@pytest.mark.parametrize("fourcc", ["NV12", "YUYV"])
def test_a_picture_that_is_not_whole_is_a_hole(bench: MakeBench, until: Until, fourcc: str) -> None:
    b = opened(bench(of(fourcc)))
    b.camera.short = 500
    b.kernel.tick(b.camera)
    until(lambda: b.source.damaged == 1)
    b.camera.short = 0
    assert b.pictures(1, until)[0].seq == 1


def test_a_torn_jpeg_is_a_hole_and_not_the_end(bench: MakeBench, until: Until) -> None:
    b = opened(bench(of("MJPG")))
    b.pictures(1, until)
    b.camera.jpeg = lambda number: good_jpeg(*SIZE, number)[:350]
    b.kernel.tick(b.camera)
    until(lambda: b.source.damaged == 1)
    b.camera.jpeg = None
    assert b.pictures(1, until)[0].seq == 2
    assert not b.errors


# What was agreed on --------------------------------------------------------------------------------------------------


def test_full_hd_at_30_is_asked_for_when_nothing_is_said() -> None:
    config = CameraConfig(source="v4l2:/dev/video0")
    assert (config.width, config.height, config.fps, config.format) == (1920, 1080, 30, "auto")


def test_the_nearest_is_taken_and_said_once(bench: MakeBench, expected_alarms: list[str], caplog: Any) -> None:
    b = bench(FakeCamera(modes={"YUYV": {(128, 96): (25.0,)}}))
    said = (
        "front: HD Webcam (serial 5A1B, usb-xhci-hcd.0-1.2) cannot give 96x64 at 30; "
        "it gives 128x96 at 25 frames per second in YUYV"
    )
    expected_alarms.append(said)
    for _ in range(3):
        source = b.another()
        source.open()
        assert source.layout is not None
        assert (source.layout.width, source.layout.height, source.fps) == (128, 96, 25)
        source.close()
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [said]


def test_a_format_the_camera_lacks_is_said_and_another_one_taken(bench: MakeBench, expected_alarms: list[str]) -> None:
    b = bench(of("YUYV"), format="NV12")
    expected_alarms.append("cannot give 96x64 at 30 in NV12; it gives 96x64 at 30 frames per second in YUYV")
    b.source.open()


def test_a_camera_with_no_known_format_is_one_sentence(bench: MakeBench) -> None:
    assert refused(bench(of("H264"))) == (
        "HD Webcam (serial 5A1B, usb-xhci-hcd.0-1.2) gives H264; needed is one of NV12, YU12, YUYV, MJPG"
    )


@pytest.mark.parametrize(
    ("insists", "words"),
    [(("RGB3", *SIZE), "insists on the format RGB3"), (("YUYV", 97, 65), "insists on 97x65, an odd size")],
)
def test_a_driver_that_does_as_it_likes_is_one_sentence(
    bench: MakeBench, insists: tuple[str, int, int], words: str
) -> None:
    b = bench(of("YUYV"))
    b.camera.insists = insists
    assert words in refused(b)


def test_settings_the_camera_lacks_are_one_warning(bench: MakeBench, expected_alarms: list[str]) -> None:
    camera = of("NV12", knobs={abi.CID_GAIN: Knob(0, 100)})
    b = bench(camera, gain=64, exposure_us=8000, white_balance="daylight")
    expected_alarms.append("has no way to set exposure_us, white_balance; it stays as the camera has it")
    b.source.open()
    assert camera.knobs[abi.CID_GAIN].value == 100


@pytest.mark.parametrize(
    ("fourcc", "colorspace", "quantization", "meaning"),
    [
        ("NV12", 3, 0, ("bt709", False)),  # REC709
        ("NV12", 8, 0, ("bt601", False)),  # SRGB: its default encoding is 601
        ("NV12", 8, 1, ("bt601", True)),
        ("YUYV", 7, 0, ("bt601", True)),  # JPEG
        ("YUYV", 10, 2, ("bt2020", False)),
        ("YUYV", 0, 0, ("bt601", False)),  # says nothing, and is small
        ("MJPG", 3, 2, ("bt601", True)),  # JFIF, whatever the driver says
    ],
)
def test_matrix_and_range_are_the_formats(
    bench: MakeBench, until: Until, fourcc: str, colorspace: int, quantization: int, meaning: tuple[str, bool]
) -> None:
    b = opened(bench(of(fourcc, colorspace=colorspace, quantization=quantization)))
    layout = b.pictures(1, until)[0].images["main"].layout
    assert (layout.matrix, layout.full_range) == meaning
    assert b.source.layout is not None and b.source.layout.matrix == meaning[0]


# Trouble -------------------------------------------------------------------------------------------------------------


def test_unplugged_while_running_and_found_under_another_number(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    held = b.pictures(3, until)
    b.kernel.unplug(b.camera)
    until(lambda: b.errors)
    assert str(b.errors[0]) == "HD Webcam (serial 5A1B, usb-xhci-hcd.0-1.2) was unplugged; plug it in again"
    assert luma(held[2]) == 18, "what is lent can still be read"
    b.home()
    b.source.stop()
    b.source.close()
    b.source = b.another()
    assert refused(b) == "HD Webcam (serial 5A1B, usb-xhci-hcd.0-1.2) was unplugged; plug it in again"
    b.kernel.plug(b.camera, 4, 5)
    b.source = b.another()
    assert luma(opened(b).pictures(1, until)[0]) == 16


def test_unplugged_while_every_buffer_is_out(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    b.pictures(12, until)
    b.kernel.unplug(b.camera)
    b.home()
    until(lambda: b.errors)
    assert "was unplugged" in str(b.errors[0])


def test_unplugged_between_open_and_start(bench: MakeBench) -> None:
    b = bench()
    b.source.open()
    b.kernel.unplug(b.camera)
    with pytest.raises(SourceError, match="was unplugged; plug it in again"):
        b.start()


def test_a_failure_of_the_hardware_ends_the_source_with_words(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    b.pictures(2, until)
    b.kernel.break_down(b.camera)  # DQBUF says EIO from now on
    until(lambda: b.errors)
    assert str(b.errors[0]).endswith(
        "cannot be used: it reports a failure of its own; if that goes on, try another cable or port"
    )
    b.home()
    b.source.stop()
    b.start()  # the first thing that the caretaker tries
    assert b.pictures(1, until)[0].seq == 0


def test_a_busy_camera_names_who_has_it(bench: MakeBench) -> None:
    b = bench()
    b.camera.busy = True
    assert refused(b).endswith("is in use by another program; close that first")
    b.kernel.opened_by(812, "motion", "/dev/video0")
    assert refused(b) == ("HD Webcam (serial 5A1B, usb-xhci-hcd.0-1.2) is in use by motion (pid 812); close that first")
    b.kernel.opened_by(os.getpid(), "python", "/dev/video0")
    assert "motion (pid 812)" in refused(b) and "python" not in refused(b)


def test_two_cameras_of_the_configuration_cannot_be_one(bench: MakeBench) -> None:
    b = opened(bench())
    b.kernel.opened_by(os.getpid(), "python", "/dev/video0")
    with pytest.raises(SourceError, match="every camera needs a source of its own"):
        b.another().open()


@pytest.mark.parametrize(
    ("request_", "number", "words"),
    [
        (abi.STREAMON, errno.ENOSPC, "no bandwidth left for it; plug it into another port, or set format MJPG"),
        (abi.REQBUFS, errno.ENOMEM, "not enough memory for its buffers"),
        (abi.QUERYBUF, errno.EINVAL, "Invalid argument; unplug it and plug it in again"),
        (abi.QBUF, errno.EPROTO, "its USB connection is disturbed"),
        (abi.S_FMT, errno.ETIMEDOUT, "it does not answer"),
    ],
)
def test_what_the_kernel_refuses_is_said_in_words_and_leaves_nothing(
    bench: MakeBench, until: Until, request_: int, number: int, words: str
) -> None:
    b = bench()
    b.camera.fail[request_] = number
    with pytest.raises(SourceError, match=words):
        opened(b)
    b.camera.fail.clear()
    b.source.stop()
    b.source.close()
    assert luma(opened(b).pictures(1, until)[0]) == 16


def test_a_driver_that_refuses_to_start_and_to_stop_says_why_it_did_not_start(bench: MakeBench) -> None:
    b = bench()
    b.source.open()
    b.camera.fail = {abi.STREAMON: errno.ENOSPC, abi.STREAMOFF: errno.EIO}
    with pytest.raises(SourceError, match="no bandwidth"):
        b.start()


def test_no_permission(bench: MakeBench) -> None:
    b = bench()
    b.kernel.closed_to_us.add("/dev/video0")
    assert refused(b).endswith("this user may not open it; add the user to the group video and log in again")


# Coming home ---------------------------------------------------------------------------------------------------------


def test_buffers_lent_over_a_stop_are_queued_when_they_come_home(bench: MakeBench, until: Until) -> None:
    b = opened(bench())
    b.pictures(5, until)
    b.source.stop()
    b.start()
    assert len(b.camera.queued) == 7
    b.frames[0].close()
    assert len(b.camera.queued) == 8
    b.source.stop()
    b.frames[1].close()
    assert len(b.camera.queued) == 0, "nothing is queued while the stream is off"
    b.start()
    assert len(b.camera.queued) == 9


def test_started_with_every_buffer_out_it_goes_on_with_the_first_that_comes_home(
    bench: MakeBench, until: Until
) -> None:
    b = opened(bench())
    held = b.pictures(12, until)
    b.source.stop()
    b.start()
    assert not b.kernel.tick(b.camera)
    held[0].close()
    until(lambda: b.kernel.tick(b.camera))
    until(lambda: len(b.frames) == 13)
    assert not b.errors


def test_frames_that_outlive_the_source_keep_their_memory_and_nothing_else(
    bench: MakeBench, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackbox_qt.sources.v4l2.CLOSE_LIMIT_S", 0.01)
    before = set(descriptors())
    b = opened(bench())
    held = b.pictures(2, until)
    b.source.stop()
    with pytest.raises(SourceError, match="2 frames did not come home") as caught:
        b.source.close()
    assert caught.value.process
    assert len(set(descriptors()) - before) == 4, "two mappings and their two dma-bufs"
    fd = held[0].images["main"].dmabuf
    assert luma(held[0]) == 16 and fd is not None and os.pread(fd, 1, 0) == bytes([16])
    closers = [threading.Thread(target=frame.close) for frame in held]
    for thread in closers:
        thread.start()
    for thread in closers:
        thread.join()
    assert set(descriptors()) == before


def test_a_view_that_outlives_everything_is_said_and_still_readable(
    bench: MakeBench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms.append("a view of a picture outlived its frame")
    b = opened(bench())
    view = b.pictures(1, until)[0].images["main"].plane(0)
    b.end()
    assert int(view[5, 5]) == 16


def test_frames_go_home_while_the_stream_stops_and_starts(bench: MakeBench, until: Until) -> None:
    """Queueing from other threads against STREAMOFF: never a buffer twice, never one lost."""
    b = opened(bench())
    for _ in range(50):
        held = b.pictures(6, until)
        closers = [threading.Thread(target=frame.close) for frame in held]
        for thread in closers:
            thread.start()
        b.source.stop()
        b.start()
        for thread in closers:
            thread.join()
        b.home()
        until(lambda: len(b.camera.queued) == 12)


@pytest.mark.parametrize("fourcc", ["NV12", "MJPG"])
def test_200_cycles_leave_nothing_behind(bench: MakeBench, until: Until, fourcc: str) -> None:
    b = bench(of(fourcc))
    other = FakeCamera("Arducam", "UC684", "usb-xhci-hcd.1-2", modes={"YUYV": {SIZE: (30.0,)}})
    b.kernel.plug(other, 2, 3)
    cameras = {"/dev/video0": b.camera, "/dev/video2": other}
    before, threads = set(descriptors()), threading.active_count()
    for cycle in range(200):
        which = "/dev/video2" if cycle % 3 == 0 else "/dev/video0"  # front and rear in turn
        b.camera = cameras[which]
        b.source = b.another(which, buffers=12 + cycle % 5)
        opened(b)
        assert b.pictures(2, until)[0].seq == 0
        if cycle % 2:
            b.source.stop()
            b.start()
            b.pictures(1, until)
        b.end()
        assert (set(descriptors()), threading.active_count()) == (before, threads), f"cycle {cycle}"
    gc.collect()
    assert not [o for o in gc.get_objects() if isinstance(o, Image) and o._buffers is not None]
