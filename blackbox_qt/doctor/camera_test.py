"""A short test of one camera: does it give pictures, as many as it should, and of something."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.doctor.finding import Finding, Line, broken, look, ok
from blackbox_qt.sinks.jpeg import encode
from blackbox_qt.sources import Source, SourceError

WARM_S = 1.0
"""After the first picture: exposure and white balance find their place."""
_FIRST_S = 10.0
_QUALITY = 90
_BLACK, _DARK, _BRIGHT, _WHITE = 3.0, 12.0, 88.0, 97.0  # mean brightness, percent
_FLAT = 2.0  # percent of spread: a picture of nothing
_LENS = "Take the cap or protective film off the lens, and point it at something lit."


@dataclass(frozen=True, slots=True)
class Seen:
    """What a camera gave.

    Threads: immutable, any.
    """

    times_ns: tuple[int, ...]  # sensor time of each frame after the warm-up
    lost: int  # holes in the driver's numbers meanwhile
    width: int
    height: int
    fourcc: str
    brightness: float  # mean of luma, percent
    contrast: float  # its standard deviation, percent
    said: Mapping[str, Any]  # what the camera tells of its exposure
    jpeg: bytes


class _Notes:
    """Number and time of every frame.

    Threads: written on the source's, read when it has stopped.
    """

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []

    def within(self, begin_ns: int, end_ns: int) -> tuple[tuple[int, ...], int]:
        """(times, frames lost) of that window, both ends included."""
        some = [(seq, t) for seq, t in self.frames if begin_ns <= t <= end_ns]
        return tuple(t for _, t in some), sum(max(0, b - a - 1) for (a, _), (b, _) in pairwise(some))


def watch(source: Source, seconds: float, clock: Clock, warm_s: float = WARM_S) -> Seen:
    """Let an opened source run for `warm_s` and `seconds` after its first picture. Raises SourceError without any."""
    box, notes = Mailbox("camera-test"), _Notes()
    failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def failed(error: BaseException) -> None:
        failures.put(error)
        box.close()

    def deliver(frame: Frame) -> None:
        with frame:
            notes.frames.append((frame.seq, frame.t_ns))
            box.put(frame)

    source.start(deliver, failed)
    try:
        last = _last(box, notes, warm_s + seconds, clock)
        if last is None:
            raise _nothing(source, notes, failures)
        with last:
            image = last.images["main"]
            shown = (*_light(image), _said(source), encode(image, _QUALITY))
            layout = image.layout
    finally:
        source.stop()
        box.close()
    begin = notes.frames[0][1] + int(warm_s * NS)
    times, lost = notes.within(begin, begin + int(seconds * NS))
    return Seen(times, lost, layout.width, layout.height, layout.fourcc, *shown)


def _last(box: Mailbox, notes: _Notes, seconds: float, clock: Clock) -> Frame | None:
    """The first frame taken when the time is over; None when frames stop coming before."""
    until = clock.boot_ns() + int((_FIRST_S + seconds) * NS)
    while (frame := box.take(_FIRST_S)) is not None:
        if frame.t_ns - notes.frames[0][1] >= seconds * NS or clock.boot_ns() > until:
            return frame
        frame.close()
    return None


def _nothing(source: Source, notes: _Notes, failures: queue.SimpleQueue[BaseException]) -> SourceError:
    if not failures.empty():
        return SourceError(f"{source.device} stopped: {failures.get()}")
    after = f" after {len(notes.frames)} pictures" if notes.frames else ""
    return SourceError(f"{source.device} gave no picture for {_FIRST_S:.0f} s{after}; check its cable")


def _light(image: Image) -> tuple[float, float]:
    """(mean, spread) of luma in percent, from every eighth pixel of every eighth row."""
    luma = image.plane(0)[::8, ::8].astype("float32")
    low, span = (0, 255) if image.layout.full_range else (16, 219)
    return float((luma.mean() - low) * 100 / span), float(luma.std() * 100 / span)


def _said(source: Source) -> dict[str, Any]:
    """What the source tells of its newest frame, in its attribute `shot`, if it has one."""
    shot = getattr(source, "shot", None)
    return {name: getattr(shot, name, None) for name in ("exposure_us", "gain")}


def findings(seen: Seen, source: Source, config: CameraConfig) -> list[Line]:
    """What it means, a line each."""
    least = config.slowest_fps or source.fps
    return [
        Line("pictures", _rate(seen, source.fps, min(least, source.fps))),
        Line("losses", _losses(seen)),
        Line("light", _brightness(seen)),
        Line("exposure", _exposure(seen)),
    ]


def _rate(seen: Seen, nominal: float, least: float) -> Finding:
    times = seen.times_ns
    span = times[-1] - times[0] if times else 0
    fps = (len(times) - 1) * NS / span if span > 0 else 0.0
    gap = max((b - a for a, b in pairwise(times)), default=0) / 1e6
    text = (f"{seen.width}x{seen.height} {seen.fourcc}, {fps:.1f} a second of {nominal:g}, longest pause {gap:.0f} ms "
            f"({len(times)} pictures in {span / NS:.2f} s)")  # fmt: skip
    data = {"width": seen.width, "height": seen.height, "fourcc": seen.fourcc, "fps": round(fps, 2),
            "nominal_fps": nominal, "frames": len(times), "longest_gap_ms": round(gap, 1)}  # fmt: skip
    if fps < 0.9 * least:
        words = "Too few: more light, a shorter exposure (exposure_us), a smaller size; on USB a port of its own."
        return broken(text, words, **data)
    return ok(text, **data)


def _losses(seen: Seen) -> Finding:
    data = {"lost": seen.lost}
    text = f"{seen.lost} frames lost by the camera or its driver"
    words = "A cable that is too long or loose, a busy USB hub, or a supply that is too weak: see `blackbox-qt doctor`."
    if seen.lost * 20 > len(seen.times_ns):
        return broken(text, words, **data)
    return look(text, words, **data) if seen.lost else ok("no frame lost", **data)


def _brightness(seen: Seen) -> Finding:
    light, contrast = seen.brightness, seen.contrast
    data = {"brightness_percent": round(light, 1), "contrast_percent": round(contrast, 1)}
    text = f"brightness {light:.0f} %, contrast {contrast:.0f} %"
    if light < _BLACK and contrast < _FLAT:
        return broken(f"black: {text}", _LENS, **data)
    if light > _WHITE and contrast < _FLAT:
        return broken(f"white: {text}", "Too much light for the exposure: set exposure_us = 0 and gain = 0.", **data)
    if contrast < _FLAT:
        return look(f"a picture of nothing: {text}", _LENS, **data)
    if light < _DARK:
        return look(f"dark: {text}", "Well at night; by day take the film off the lens, or raise exposure_us.", **data)
    if light > _BRIGHT:
        return look(f"very bright: {text}", "Well against the sun; else set exposure_us = 0 and gain = 0.", **data)
    return ok(text, **data)


def _exposure(seen: Seen) -> Finding:
    exposure, gain = seen.said.get("exposure_us"), seen.said.get("gain")
    data = {"exposure_us": exposure, "gain": gain}
    if exposure is None and gain is None:
        return ok("not told by this camera", **data)
    parts = [f"exposed for {exposure / 1000:.1f} ms"] if exposure is not None else []
    parts += [f"gain {gain:.1f}"] if gain is not None else []
    return ok(", ".join(parts), **data)
