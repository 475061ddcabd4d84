"""Exposure, gain, white balance and the rest, in the driver's units."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2_controls import Controls
from blackbox_qt.sources.v4l2_device import Device
from tests.sources.fake_v4l2 import FakeCamera, FakeKernel, Knob
from tests.sources.running_v4l2 import config


def webcam() -> dict[int, Knob]:
    """The controls of a good USB camera, as it was left by somebody else."""
    return {
        abi.CID_EXPOSURE_AUTO: Knob(0, 3, value=1, menu=(1, 3)),
        abi.CID_EXPOSURE_ABSOLUTE: Knob(3, 2047, value=250),
        abi.CID_EXPOSURE_AUTO_PRIORITY: Knob(0, 1, value=1),
        abi.CID_GAIN: Knob(0, 255, value=77),
        abi.CID_AUTO_WHITE_BALANCE: Knob(0, 1),
        abi.CID_WHITE_BALANCE_TEMPERATURE: Knob(2000, 6500, step=10, value=3000),
        abi.CID_FOCUS_AUTO: Knob(0, 1, value=1),
        abi.CID_FOCUS_ABSOLUTE: Knob(0, 250, step=5, value=90),
    }


def apply(root: Path, knobs: dict[int, Knob], **settings: Any) -> tuple[dict[int, int], list[str]]:
    """(value of each control afterwards, what could not be set)."""
    kernel = FakeKernel(root)
    kernel.plug(FakeCamera(knobs=knobs), 0)
    device = Device(kernel, "/dev/video0")
    try:
        controls = Controls(device)
        controls.apply(config(**settings))
    finally:
        device.close()
    return {control: knob.value for control, knob in knobs.items()}, controls.lacking


def test_automatic_is_set_too_and_focus_is_fixed_far_away(tmp_path: Path) -> None:
    values, lacking = apply(tmp_path, webcam())
    assert lacking == []
    assert values == {
        abi.CID_EXPOSURE_AUTO: abi.EXPOSURE_APERTURE_PRIORITY,
        abi.CID_EXPOSURE_ABSOLUTE: 250,
        abi.CID_EXPOSURE_AUTO_PRIORITY: 0,  # the rate does not fall at night
        abi.CID_GAIN: 77,
        abi.CID_AUTO_WHITE_BALANCE: 1,
        abi.CID_WHITE_BALANCE_TEMPERATURE: 3000,
        abi.CID_FOCUS_AUTO: 0,
        abi.CID_FOCUS_ABSOLUTE: 0,
    }


@pytest.mark.parametrize(("us", "units"), [(10_000, 100), (4_160, 42), (1, 3), (1_000_000, 2047)])
def test_exposure_is_in_units_of_100_us_within_the_cameras_range(tmp_path: Path, us: int, units: int) -> None:
    values, lacking = apply(tmp_path, webcam(), exposure_us=us)
    assert (values[abi.CID_EXPOSURE_AUTO], values[abi.CID_EXPOSURE_ABSOLUTE]) == (abi.EXPOSURE_MANUAL, units)
    assert lacking == []


def test_an_automatic_of_the_other_kind(tmp_path: Path) -> None:
    knobs = {abi.CID_EXPOSURE_AUTO: Knob(0, 3, value=1, menu=(0, 1))}
    assert apply(tmp_path, knobs)[0] == {abi.CID_EXPOSURE_AUTO: abi.EXPOSURE_AUTO}


def test_the_rate_may_fall_at_night_where_that_is_allowed(tmp_path: Path) -> None:
    values, _ = apply(tmp_path, webcam(), slowest_fps=10)
    assert values[abi.CID_EXPOSURE_AUTO_PRIORITY] == 1


@pytest.mark.parametrize(("gain", "value"), [(1, 0), (64, 255), (32.5, 128), (0.5, 0)])
def test_gain_is_spread_over_the_cameras_range(tmp_path: Path, gain: float, value: int) -> None:
    assert apply(tmp_path, webcam(), gain=gain)[0][abi.CID_GAIN] == value


@pytest.mark.parametrize(
    ("light", "kelvin"), [("incandescent", 2750), ("daylight", 6000), ("cloudy", 6500), ("tungsten", 3250)]
)
def test_white_balance_is_a_temperature(tmp_path: Path, light: str, kelvin: int) -> None:
    values, lacking = apply(tmp_path, webcam(), white_balance=light)
    assert (values[abi.CID_AUTO_WHITE_BALANCE], values[abi.CID_WHITE_BALANCE_TEMPERATURE]) == (0, kelvin)
    assert lacking == []


def test_steps_are_kept(tmp_path: Path) -> None:
    knobs = {abi.CID_GAIN: Knob(16, 96, step=16)}
    assert apply(tmp_path, knobs, gain=40)[0] == {abi.CID_GAIN: 64}


def test_a_camera_without_any_control_lacks_what_was_asked_and_nothing_else(tmp_path: Path) -> None:
    asked = {"exposure_us": 5000, "gain": 2, "white_balance": "daylight", "focus_m": 3, "hdr": True, "rotate": 180,
             "noise_reduction": "off"}  # fmt: skip
    assert sorted(apply(tmp_path, {}, **asked)[1]) == sorted(asked)


def test_a_camera_without_any_control_lacks_nothing_when_nothing_was_asked(tmp_path: Path) -> None:
    assert apply(tmp_path, {})[1] == []


@pytest.mark.parametrize(("rotate", "value"), [(0, 0), (180, 1)])
def test_a_camera_that_can_turn_its_picture_does(tmp_path: Path, rotate: int, value: int) -> None:
    knobs = {abi.CID_HFLIP: Knob(0, 1, value=1 - value), abi.CID_VFLIP: Knob(0, 1, value=1 - value)}
    assert apply(tmp_path, knobs, rotate=rotate) == ({abi.CID_HFLIP: value, abi.CID_VFLIP: value}, [])


def test_what_is_read_only_or_refused_is_lacking(tmp_path: Path) -> None:
    knobs = {
        abi.CID_GAIN: Knob(0, 9, flags=abi.CTRL_FLAG_READ_ONLY),
        abi.CID_EXPOSURE_ABSOLUTE: Knob(0, 999, refuses=errno.EIO),
    }
    assert apply(tmp_path, knobs, gain=3, exposure_us=100)[1] == ["exposure_us", "gain"]


def test_a_camera_that_goes_meanwhile_is_not_one_that_lacks_something(tmp_path: Path) -> None:
    knobs = {abi.CID_EXPOSURE_AUTO_PRIORITY: Knob(0, 1, refuses=errno.ENODEV)}
    with pytest.raises(OSError) as caught:
        apply(tmp_path, knobs)
    assert caught.value.errno == errno.ENODEV
