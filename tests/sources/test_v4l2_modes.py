"""What is asked of a camera, by what it offers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_modes import CHEAPEST_FIRST, Mode, choose
from tests.sources.fake_v4l2 import FakeCamera, FakeKernel, Rates

HD, P720, VGA = (1920, 1080), (1280, 720), (640, 480)
C920 = {
    "YUYV": {VGA: (30.0, 15.0), P720: (10.0, 5.0), HD: (5.0,)},
    "H264": {HD: (30.0,)},
    "MJPG": {VGA: (30.0,), P720: (60.0, 30.0), HD: (30.0, 24.0, 15.0)},
}


def chosen(
    root: Path, modes: dict[str, Rates], size: tuple[int, int] = HD, fps: float = 30, fourccs: tuple[str, ...] = (),
    silent: bool = False,
) -> Mode | None:  # fmt: skip
    kernel = FakeKernel(root)
    kernel.plug(FakeCamera(modes=modes, silent_about_sizes=silent), 0)
    device = Device(kernel, "/dev/video0")
    try:
        return choose(device, fourccs or CHEAPEST_FIRST, *size, fps)
    finally:
        device.close()


def brief(mode: Mode | None) -> tuple[str, int, int, float] | None:
    return mode and (mode.fourcc, mode.width, mode.height, round(mode.fps, 2))


@pytest.mark.parametrize(
    ("size", "fps", "best"),
    [
        (HD, 30, ("MJPG", *HD, 30)),  # YUYV would give 5 frames per second
        (HD, 5, ("YUYV", *HD, 5)),
        (VGA, 30, ("YUYV", *VGA, 30)),  # both can: the cheaper
        (P720, 60, ("MJPG", *P720, 60)),
        (P720, 50, ("MJPG", *P720, 60)),  # rather too fast than too slow
        (HD, 20, ("MJPG", *HD, 24)),
        ((2560, 1440), 30, ("MJPG", *HD, 30)),  # the nearest size
        ((800, 600), 15, ("YUYV", *VGA, 15)),
    ],
)
def test_the_cheapest_that_gives_size_and_rate(
    tmp_path: Path, size: tuple[int, int], fps: float, best: tuple[str, int, int, float]
) -> None:
    assert brief(chosen(tmp_path, C920, size, fps)) == best


def test_what_needs_no_conversion_comes_first(tmp_path: Path) -> None:
    rates = {HD: (30.0,)}
    for number, best in enumerate(CHEAPEST_FIRST):
        offered = dict.fromkeys(reversed(CHEAPEST_FIRST[number:]), rates)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert brief(chosen(folder, offered)) == (best, *HD, 30)


def test_size_counts_more_than_rate_until_it_is_hardly_a_film(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert brief(chosen(tmp_path / "a", {"YUYV": {HD: (15.0,), P720: (30.0,)}})) == ("YUYV", *HD, 15)
    assert brief(chosen(tmp_path / "b", {"YUYV": {HD: (5.0,), P720: (30.0,)}})) == ("YUYV", *P720, 30)


def test_a_format_that_is_asked_for_is_taken_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert brief(chosen(tmp_path / "a", C920, HD, 30, ("YUYV",))) == ("YUYV", *HD, 5)
    assert chosen(tmp_path / "b", C920, HD, 30, ("NV12",)) is None


def test_a_camera_of_any_size_gives_the_asked_one_even(tmp_path: Path) -> None:
    assert brief(chosen(tmp_path, {"YU12": {(0, 0): (25.0,)}}, (1000, 562), 25)) == ("YU12", 1000, 562, 25)


def test_an_odd_size_is_no_size(tmp_path: Path) -> None:
    modes = {"YUYV": {(97, 65): (30.0,), (64, 64): (30.0,)}}
    assert brief(chosen(tmp_path, modes, (96, 64))) == ("YUYV", 64, 64, 30)


def test_a_driver_that_does_not_tell_is_asked_for_what_is_wanted(tmp_path: Path) -> None:
    assert brief(chosen(tmp_path, {"YUYV": {HD: (30.0,)}}, HD, 30, silent=True)) == ("YUYV", *HD, 30)


def test_television_rates_are_exact(tmp_path: Path) -> None:
    mode = chosen(tmp_path, {"YUYV": {HD: (30000 / 1001,)}}, HD, 30)
    assert mode is not None and mode.interval == Fraction(1001, 30000)
    assert str(mode) == "1920x1080 at 29.97 frames per second in YUYV"
