"""Which format, size and rate to ask of a camera: the cheapest that gives what is wanted, else the nearest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from blackbox_qt.sources.v4l2_device import Device, Intervals, Sizes

CHEAPEST_FIRST = ("NV12", "YU12", "YUYV", "MJPG")
"""Lent as they are; converted in 0.4 ms; decoded in 4 to 8 ms (1080p, x86-64; `./dev bench usb` measures it here)."""
_RATE_LIKE = 0.05
"""29.97 is 30, and so is 31."""
_TOO_FAST_COSTS = 0.1
"""A camera that is faster than asked costs processor time; one that is slower loses pictures."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What to ask for. `interval` is the time between frames, s; sizes in pixels.

    Threads: immutable, any.
    """

    fourcc: str
    width: int
    height: int
    interval: Fraction

    @property
    def fps(self) -> float:
        return float(1 / self.interval)

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.fps:.4g} frames per second in {self.fourcc}"


def choose(device: Device, fourccs: tuple[str, ...], width: int, height: int, fps: float) -> Mode | None:
    """The best mode of the device in one of `fourccs` (cheapest first); None when it has none of them.

    Raises OSError as the device does.

    Threads: any.
    """
    offered = set(device.formats())
    modes = [m for f in fourccs if f in offered for m in _modes(device, f, width, height, fps)]
    return min(modes, key=lambda m: _penalty(m, width, height, fps), default=None)  # of equals the first: the cheapest


def _modes(device: Device, fourcc: str, width: int, height: int, fps: float) -> Iterator[Mode]:
    for size in device.sizes(fourcc) or [Sizes((width, width, 1), (height, height, 1))]:
        w, h = _nearest(width, *size.width), _nearest(height, *size.height)
        if w and h:
            yield Mode(fourcc, w, h, _interval(device.intervals(fourcc, w, h), fps))


def _nearest(wanted: int, lowest: int, highest: int, step: int) -> int:
    """The even number nearest to `wanted` within the range; 0 when there is none (4:2:0 has no half samples)."""
    step = step if step % 2 == 0 else 2 * step
    lowest += lowest % 2 * (step // 2)
    if lowest > highest or lowest % 2:
        return 0
    steps = round((min(max(wanted, lowest), highest) - lowest) / step)
    return lowest + min(steps, (highest - lowest) // step) * step


def _interval(offered: list[Intervals], fps: float) -> Fraction:
    wanted = 1 / Fraction(fps).limit_denominator(1001)
    possible = [min(max(wanted, i.shortest), i.longest) for i in offered]
    return min(possible, key=lambda i: _rate_penalty(float(1 / i), fps), default=wanted)


def _penalty(mode: Mode, width: int, height: int, fps: float) -> float:
    """0: exactly what was wanted; 1: half of the size is missing in both directions, or nearly all of the rate."""
    size = abs(mode.width - width) / width + abs(mode.height - height) / height
    return round(size + _rate_penalty(mode.fps, fps), 3)


def _rate_penalty(has: float, wanted: float) -> float:
    off = has / wanted - 1
    if abs(off) <= _RATE_LIKE:
        return 0.0
    return -off if off < 0 else min(1.0, off) * _TOO_FAST_COSTS
