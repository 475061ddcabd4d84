"""Where frames come from. One file each; none knows another.

A spec is what a person writes: `pattern`, `pattern:1280x720@30`, `file:/path/to/video.mp4`.
"""

from __future__ import annotations

from blackbox_qt.sources.source import Source, SourceError

__all__ = ["KINDS", "Source", "SourceError", "make", "origin_of"]

KINDS = {"pattern": "pattern", "file": "file"}
"""Kind of source -> origin sealed into what it records."""


def make(spec: str, camera: str, buffers: int) -> Source:
    """The source that `spec` names, not yet opened. Raises SourceError(permanent) for a spec that means nothing."""
    kind, _, rest = spec.partition(":")
    # Imported here: a source's library (PyAV, Picamera2) is loaded only where it is used.
    if kind == "pattern":
        from blackbox_qt.sources.pattern import PatternSource

        return PatternSource.from_spec(rest, camera, buffers)
    if kind == "file":
        from blackbox_qt.sources.videofile import VideoFileSource

        return VideoFileSource(rest, camera, buffers)
    raise SourceError(
        f"source {spec!r} is not known; write pattern, pattern:WIDTHxHEIGHT@FPS or file:PATH", permanent=True
    )


def origin_of(spec: str) -> str:
    """What is sealed into recordings of `spec`: camera, pattern or file."""
    return KINDS.get(spec.partition(":")[0], "camera")
