"""A plain MP4 file that grows picture by picture, for players everywhere; a new one where it must be."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blackbox_qt.core.layout import FORMATS

_TICKS = Fraction(1, 90_000)  # s; what MP4 players are used to
_NOMINAL = 30  # pictures a second: for x264's sums only, each picture has its own time
_CARD_FPS = 5
_LOOK_EVERY = 256  # pictures between two looks at the file's size
_OPTIONS = {"preset": "veryfast", "crf": "23"}


class Film:
    """Files `NAME.mp4`, `NAME-2.mp4`, … in a folder. OSError from the disk, of which PyAV's errors are some.

    A new file begins where the picture's size changes, or where one has grown beyond `most_bytes` (0: never).

    Threads: one.
    """

    def __init__(self, folder: Path, name: str, most_bytes: int = 0) -> None:
        self.paths: list[Path] = []
        self._folder = folder
        self._name = name
        self._most_bytes = most_bytes
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._at_us = 0
        self._last_pts = -1
        self._count = 0

    def add(self, frame: VideoFrame, step_us: int) -> None:
        """A picture, so long after the one before."""
        self._at_us += step_us
        stream = self._stream_for(frame)
        assert self._container is not None
        self._last_pts = frame.pts = max(self._last_pts + 1, int(self._at_us * 90 / 1000))
        frame.time_base = _TICKS
        self._container.mux(stream.encode(frame))
        self._count += 1

    def add_card(self, frame: VideoFrame, length_us: int) -> None:
        """A still picture for a while, then as much time as one picture takes."""
        step = 1_000_000 // _CARD_FPS
        for _ in range(max(1, length_us // step)):
            self.add(frame, step)
        self._at_us += step

    def close(self) -> None:
        """Finish the file that is open. Once."""
        container, stream, self._container, self._stream = self._container, self._stream, None, None
        if container is not None and stream is not None:
            try:
                container.mux(stream.encode(None))
            finally:
                container.close()

    def _stream_for(self, frame: VideoFrame) -> VideoStream:
        stream = self._stream
        if stream is None or (stream.width, stream.height) != (frame.width, frame.height) or self._is_full():
            self.close()
            stream = self._stream = self._open(frame)
        return stream

    def _is_full(self) -> bool:
        if not self._most_bytes or self._count % _LOOK_EVERY:
            return False
        return self.paths[-1].stat().st_size >= self._most_bytes

    def _open(self, frame: VideoFrame) -> VideoStream:
        number = len(self.paths) + 1
        path = self._folder / f"{self._name}{'' if number == 1 else f'-{number}'}.mp4"
        self._container = av.open(str(path), "w", format="mp4")
        self.paths.append(path)
        stream = self._container.add_stream("libx264", rate=_NOMINAL, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, FORMATS["YU12"].av
        stream.time_base = stream.codec_context.time_base = _TICKS
        stream.codec_context.colorspace, stream.codec_context.color_range = frame.colorspace, frame.color_range
        self._at_us, self._last_pts, self._count = 0, -1, 0
        return stream
