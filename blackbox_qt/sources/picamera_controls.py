"""From the settings of a camera to libcamera's controls, and in words what this camera cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blackbox_qt.config import CameraConfig

Available = Mapping[str, tuple[Any, Any, Any]]
"""Control -> (smallest, largest, default), as `Picamera2.camera_controls` gives it."""

_WHITE_BALANCE = ("auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy")
"""In the order of libcamera's AwbMode, control_ids_core.yaml."""
_NOISE_REDUCTION = {"off": 0, "fast": 1, "high": 2}  # libcamera's draft NoiseReductionMode
_HDR_OFF, _HDR_SINGLE_EXPOSURE = 0, 3  # libcamera's HdrMode; the Pi 5 merges the exposures itself
_FOCUS_BY_HAND = 0  # libcamera's AfModeManual: the lens stays where it is put
_US = 1_000_000


@dataclass
class Wish:
    """What is asked of a camera, and what of the settings it cannot do.

    Threads: one.
    """

    fps: float  # what can be had of what was asked for
    controls: dict[str, Any] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)  # phrases, one per setting


def wish(config: CameraConfig, available: Available, *, sensor_hdr: bool = False) -> Wish:
    """Controls for `config` on a camera that has `available`. Everything a former configuration may have set is set.

    `sensor_hdr`: HDR is done by the sensor and has been switched there.
    """
    made = Wish(config.fps)
    _rate(config, available, made)
    _exposure(config, available, made)
    _colour(config, available, made, sensor_hdr)
    _focus(config, available, made)
    return made


def _rate(config: CameraConfig, available: Available, made: Wish) -> None:
    slowest = config.slowest_fps or config.fps
    if slowest > config.fps:
        made.lacking.append(f"slowest_fps {slowest:g} is more than fps")
        slowest = config.fps
    if "FrameDurationLimits" not in available:
        if config.slowest_fps:
            made.lacking.append("slowest_fps (its rate cannot be set)")
        return
    least, most, _ = available["FrameDurationLimits"]
    short, long = (round(_US / rate) for rate in (config.fps, slowest))
    if short < least:
        made.fps = round(_US / least, 2)
        made.lacking.append(f"fps {config.fps:g} (at this size it gives {made.fps:g} at most)")
    short = _within(short, least, most)
    made.controls["FrameDurationLimits"] = (short, max(short, _within(long, least, most)))


def _exposure(config: CameraConfig, available: Available, made: Wish) -> None:
    if not config.exposure_us and not config.gain:
        if "AeEnable" in available:
            made.controls["AeEnable"] = True  # both are automatic, whatever they were before
        return
    if "ExposureTime" in available:
        least, most, _ = available["ExposureTime"]
        frame = made.controls.get("FrameDurationLimits", (_US, _US))[1]
        most = min(most or _US, frame)  # otherwise it would be cut without a word
        made.controls["ExposureTime"] = _asked(made, "exposure_us", config.exposure_us, least, most)
    elif config.exposure_us:
        made.lacking.append("exposure_us")
    if "AnalogueGain" in available:
        least, most, _ = available["AnalogueGain"]
        made.controls["AnalogueGain"] = _asked(made, "gain", config.gain, least, most)
    elif config.gain:
        made.lacking.append("gain")


def _colour(config: CameraConfig, available: Available, made: Wish, sensor_hdr: bool) -> None:
    if "AwbMode" in available:
        made.controls["AwbMode"] = _WHITE_BALANCE.index(config.white_balance)
    elif config.white_balance != "auto":
        made.lacking.append("white_balance")
    if "HdrMode" in available:
        made.controls["HdrMode"] = _HDR_SINGLE_EXPOSURE if config.hdr and not sensor_hdr else _HDR_OFF
    elif config.hdr and not sensor_hdr:
        made.lacking.append("hdr")
    if "NoiseReductionMode" in available:
        made.controls["NoiseReductionMode"] = _NOISE_REDUCTION[config.noise_reduction]
    elif config.noise_reduction != "fast":
        made.lacking.append("noise_reduction")


def _focus(config: CameraConfig, available: Available, made: Wish) -> None:
    if "LensPosition" not in available or "AfMode" not in available:
        if config.focus_m:
            made.lacking.append("focus_m (its lens does not move)")
        return
    least, most, _ = available["LensPosition"]
    dioptres = 1 / config.focus_m if config.focus_m else 0.0
    if most and dioptres > most:
        made.lacking.append(f"focus_m {config.focus_m:g} (nearest is {1 / most:.2g} m)")
    made.controls["AfMode"] = _FOCUS_BY_HAND
    made.controls["LensPosition"] = _within(float(dioptres), least, most)


def _asked(made: Wish, setting: str, value: float, least: Any, most: Any) -> Any:
    """`value` within the camera's limits, noting if it had to be changed; 0 stays 0: automatic."""
    if not value:
        return 0
    taken = _within(value, least, most)
    if taken != value:
        made.lacking.append(f"{setting} {value:g} (it takes {taken:g})")
    return taken


def _within(value: Any, least: Any, most: Any) -> Any:
    """A limit of 0 at the top is none: some drivers leave it open."""
    value = max(value, least) if least is not None else value
    return min(value, most) if most else value
