"""The camera's own settings, exposure to focus: from the configuration's words to the driver's units."""

from __future__ import annotations

from blackbox_qt.config import CameraConfig
from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2_device import Device, Setting
from blackbox_qt.sources.v4l2_words import GONE

_KELVIN = {
    "incandescent": 2750, "tungsten": 3250, "fluorescent": 4350, "indoor": 4000, "daylight": 6000, "cloudy": 7750,
}  # fmt: skip
"""The middle of what libcamera calls by these names (its control AwbMode)."""
_HIGHEST_GAIN = 64.0
"""The largest that the configuration knows; V4L2's gain has no unit, so 1 to 64 is spread over the driver's range."""


class Controls:
    """Sets what the configuration asks; automatic is set too: USB cameras remember what was set last time.

    `lacking` names the settings that were asked for and that the device does not have, or refuses.

    Threads: one.
    """

    def __init__(self, device: Device) -> None:
        self.lacking: list[str] = []
        self._device = device

    def apply(self, config: CameraConfig) -> None:
        """Raises OSError when the device has gone."""
        self._exposure(config)
        self._gain(config.gain)
        self._white_balance(config.white_balance)
        self._focus(config.focus_m)
        self._switch("hdr", abi.CID_WIDE_DYNAMIC_RANGE, config.hdr)
        turned = [self._set(flip, bool(config.rotate)) for flip in (abi.CID_HFLIP, abi.CID_VFLIP)]
        self._need("rotate", not config.rotate or all(turned))
        self._need("noise_reduction", config.noise_reduction == "fast")  # the default: as the camera does it anyway

    def _exposure(self, config: CameraConfig) -> None:
        self._set(abi.CID_EXPOSURE_AUTO_PRIORITY, 0 < config.slowest_fps < config.fps)
        if config.exposure_us:
            self._set_choice(abi.CID_EXPOSURE_AUTO, abi.EXPOSURE_MANUAL)
            self._need("exposure_us", self._set(abi.CID_EXPOSURE_ABSOLUTE, round(config.exposure_us / 100)))
        else:
            self._set_choice(abi.CID_EXPOSURE_AUTO, abi.EXPOSURE_APERTURE_PRIORITY, abi.EXPOSURE_AUTO)

    def _gain(self, gain: float) -> None:
        self._set(abi.CID_AUTOGAIN, not gain)
        if gain:
            setting = self._device.setting(abi.CID_GAIN)
            self._need("gain", setting is not None and self._set(abi.CID_GAIN, _spread(gain, setting)))

    def _white_balance(self, light: str) -> None:
        automatic = self._set(abi.CID_AUTO_WHITE_BALANCE, light == "auto")
        if light != "auto":
            warmth = self._set(abi.CID_WHITE_BALANCE_TEMPERATURE, _KELVIN[light])
            self._need("white_balance", warmth and automatic)

    def _focus(self, metres: float) -> None:
        """Never continuous autofocus in a car: far away, and a distance in metres is something V4L2 cannot say."""
        self._set(abi.CID_FOCUS_AUTO, 0)
        setting = self._device.setting(abi.CID_FOCUS_ABSOLUTE)
        if setting is not None:
            self._set(abi.CID_FOCUS_ABSOLUTE, setting.lowest)
        self._need("focus_m", not metres)

    def _switch(self, name: str, control: int, on: bool) -> None:
        self._need(name, self._set(control, on) or not on)

    def _set_choice(self, control: int, *values: int) -> None:
        """The first of `values` that the menu has."""
        for value in values:
            if self._device.choice(control, value) and self._set(control, value):
                return

    def _set(self, control: int, value: int) -> bool:
        """Set it to the nearest possible value; False when the device does not have it or refuses."""
        setting = self._device.setting(control)
        if setting is None:
            return False
        try:
            self._device.set(control, _within(int(value), setting))
        except OSError as error:
            if error.errno in GONE:
                raise
            return False
        return True

    def _need(self, name: str, done: bool) -> None:
        if not done:
            self.lacking.append(name)


def _within(value: int, setting: Setting) -> int:
    value = min(max(value, setting.lowest), setting.highest)
    return setting.lowest + (value - setting.lowest) // setting.step * setting.step


def _spread(gain: float, setting: Setting) -> int:
    part = (max(gain, 1.0) - 1) / (_HIGHEST_GAIN - 1)
    return setting.lowest + round(part * (setting.highest - setting.lowest))
