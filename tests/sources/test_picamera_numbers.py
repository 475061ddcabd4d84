"""Numbers and times of frames, as libcamera tells of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blackbox_qt.sources import picamera
from blackbox_qt.sources.picamera_numbers import FrameNumbers, boot_offset_ns
from tests.sources.picamera_bench import VIRTUAL, Bench, Frames, Until, run


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
