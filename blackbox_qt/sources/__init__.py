"""Where frames come from. One file each; none knows another.

A spec is what a person writes: `pattern`, `pattern:1280x720@30`, `file:/path/to/video.mp4`,
`v4l2:/dev/video0`, `auto`.
"""

from __future__ import annotations

from functools import partial

from blackbox_qt.config import CameraConfig
from blackbox_qt.sources.source import RawStills, Source, SourceError

__all__ = ["KINDS", "RawStills", "Source", "SourceError", "make", "origin_of"]

KINDS = {"pattern": "pattern", "file": "file", "picamera": "camera", "v4l2": "camera", "auto": "camera"}
"""Kind of source -> origin sealed into what it records."""


def make(config: CameraConfig, small: tuple[int, int] = (1280, 720)) -> Source:
    """The source that `config.source` names, not yet opened; hardware that can also gives a picture within `small`.

    Raises SourceError(permanent) for a spec that means nothing.
    """
    kind, _, rest = config.source.partition(":")
    # Imported here: a source's library (PyAV, Picamera2) is loaded only where it is used.
    if kind == "pattern":
        from blackbox_qt.sources.pattern import PatternSource

        return PatternSource.from_spec(rest, config.name, config.buffers)
    if kind == "file":
        from blackbox_qt.sources.videofile import VideoFileSource

        return VideoFileSource(rest, config.name, config.buffers)
    if kind == "picamera":
        from blackbox_qt.sources.picamera import PicameraSource

        return PicameraSource(rest, config, small)
    if kind == "v4l2":
        from blackbox_qt.sources.v4l2 import V4L2Source

        return V4L2Source(rest, config)
    if config.source == "auto":
        from blackbox_qt.sources.auto import AutoSource

        return AutoSource(config.name, config.buffers, partial(_make_as, config, small))
    kinds = "auto, picamera:WHICH, v4l2:WHICH, pattern:WIDTHxHEIGHT@FPS or file:PATH"
    raise SourceError(f"source {config.source!r} is not known; write {kinds}", permanent=True)


def _make_as(config: CameraConfig, small: tuple[int, int], spec: str) -> Source:
    return make(config.model_copy(update={"source": spec}), small)


def origin_of(spec: str) -> str:
    """What is sealed into recordings of `spec`: camera, pattern or file."""
    return KINDS.get(spec.partition(":")[0], "camera")
