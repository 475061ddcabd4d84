"""The Picamera2 source against a hand-driven stack: its life, its faults, and for ever. tests/lab has the real one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources import SourceError, picamera
from blackbox_qt.sources.picamera import PicameraSource
from tests.sources.fake_libcamera import ERROR, Sensor
from tests.sources.picamera_bench import REAR, SMALL, Bench, Frames, Until, run
from tests.sources.test_contract import fail


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
