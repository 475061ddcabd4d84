"""Which frames are missing, and when a frame was taken, from what libcamera tells of each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SAME_CLOCK_NS = 1_000_000
_US = 1000  # ns


class FrameNumbers:
    """Frame numbers in which a frame lost anywhere between sensor and us is a hole.

    The buffer's own number counts what left the image processor: on a Pi a sensor frame for which no buffer was free
    never gets there, and leaves no hole in it. But every frame tells when the sensor began it and for how long it
    lasted, so that a gap of several frame times is as many numbers.

    Threads: one.
    """

    def __init__(self) -> None:
        self._last: tuple[int, int, int] | None = None  # driver's number, sensor's time, duration
        self._seq = 0

    def next(self, driver: int, t_ns: int, duration_ns: int) -> int:
        """The number of a frame: `driver`'s own, then as many more as frames came or should have come.

        `duration_ns` is the sensor's time for one frame, 0 where the camera does not tell.
        """
        last, self._last = self._last, (driver, t_ns, duration_ns)
        if last is None:
            self._seq = driver
            return driver
        step = max(1, driver - last[0])  # a driver that begins anew has not lost anything by that
        longest = max(duration_ns, last[2])  # while the rate changes: rather one too few than one too many
        if longest > 0:
            step = max(step, round((t_ns - last[1]) / longest))
        self._seq += step
        return self._seq


@dataclass(frozen=True, slots=True)
class Shot:
    """How the newest frame was taken; None where the camera does not tell.

    Threads: immutable, any.
    """

    exposure_us: int | None
    gain: float | None  # analogue
    colour_k: int | None  # colour temperature, K
    focus_m: float | None  # None also for infinity
    wall_ns: int | None  # UTC of the first row's exposure, as libcamera follows the two clocks


def shot_of(metadata: Mapping[str, Any]) -> Shot:
    """From a request's metadata."""
    dioptres = metadata.get("LensPosition")
    return Shot(
        metadata.get("ExposureTime"),
        metadata.get("AnalogueGain"),
        metadata.get("ColourTemperature"),
        round(1 / dioptres, 2) if dioptres else None,
        metadata.get("FrameWallClock"),
    )


def duration_ns(metadata: Mapping[str, Any]) -> int:
    """The sensor's time for this frame, ns; 0 where the camera does not tell."""
    return int(metadata.get("FrameDuration") or 0) * _US


def boot_offset_ns() -> int:
    """What is added to a sensor's time to have the boot clock's.

    libcamera's text says boot clock, but what it passes on are V4L2's times, of CLOCK_MONOTONIC, which stands still
    while the machine sleeps. 0 where it never slept: reading two clocks must not add a tremor of its own.
    """
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    offset = boot - (before + after) // 2
    return offset if abs(offset) > _SAME_CLOCK_NS else 0
