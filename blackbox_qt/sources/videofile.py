"""A video file played in a loop at its own pace, standing for a camera."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import av.video.frame

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.pace import Pacer
from blackbox_qt.core.picture import unwrap
from blackbox_qt.core.pool import Lending
from blackbox_qt.sources.software import SoftwareSource
from blackbox_qt.sources.source import CLOSE_LIMIT_S, Deliver, SourceError

log = logging.getLogger(__name__)

_MATRIX = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}  # ITU-T H.273 MatrixCoefficients
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LONGEST_HOLE_NS = NS // 2


class VideoFileSource(SoftwareSource):
    """Decodes `path` with PyAV and lends the decoder's own pictures, not copied.

    Only YUV 4:2:0 leaves it; other formats are converted once, here, and counted in `converted`. Each loop goes on
    with the frame numbers and times where the last one ended. At most `buffers` pictures are out: a frame for which
    none is left is lost, like on a camera, and leaves a hole in the numbers.

    Threads: see Source; frames come on `cam-<camera>`.
    """

    origin = "file"

    def __init__(self, path: str, camera: str, buffers: int, clock: Clock | None = None) -> None:
        if not path:
            raise SourceError("source file: needs a path, as in file:/home/me/road.mp4", permanent=True)
        super().__init__(camera, clock)
        self.path = Path(path).expanduser()
        self.device = f"file {self.path.name}"
        self.buffers = buffers
        self.fps = 30.0
        self.layout: Layout | None = None
        self.converted = 0
        self._lending = Lending(buffers)
        self._container: av.container.InputContainer | None = None

    def open(self) -> None:
        if not self.path.is_file():
            raise SourceError(f"video file {self.path} does not exist; check the path", permanent=True)
        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError) as error:
            raise self._unusable(error) from error
        try:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # frame threads would hold pictures back and cost memory
            first = next(container.decode(stream))
        except (av.error.FFmpegError, IndexError, StopIteration) as error:
            container.close()
            raise self._unusable(error) from error
        self.fps = float(stream.average_rate or stream.guessed_rate or 30)
        self.layout = unwrap(self._as_420(first), *_meaning(first)).layout
        self._container = container

    def close(self) -> None:
        home = self._lending.wait_home(CLOSE_LIMIT_S)
        if self._container is not None:
            self._container.close()
            self._container = None
        if not home:
            raise SourceError(f"{self.device}: {self._lending.out} frames did not come home", process=True)

    def _play(self, deliver: Deliver, pacer: Pacer) -> None:
        for at_ns, picture in self._endless():
            due = pacer.wait(at_ns)
            if due is None:
                return
            seq, self._seq = self._seq, self._seq + 1
            image = unwrap(self._as_420(picture), *_meaning(picture))
            if self._lending.acquire():  # else the frame is lost, like on a camera: a hole in the numbers
                deliver(Frame.lend(self.camera, seq, due, {"main": image}, self._lending.release))
            del picture, image  # the frame alone keeps them now

    def _endless(self) -> Iterator[tuple[int, av.video.frame.VideoFrame]]:
        """(footage time in ns, picture), loop after loop, from 0; holes in the file are shortened to half a second.

        Raises SourceError when nothing can be decoded.
        """
        assert self._container is not None
        stream = self._container.streams.video[0]
        step = int(NS / self.fps)
        now, count = -step, 0
        while True:
            self._container.seek(0)
            before, count = None, 0
            try:
                for picture in self._container.decode(stream):
                    at = None if picture.time is None else int(picture.time * NS)
                    known = at is not None and before is not None
                    now += min(max(1, at - before), _LONGEST_HOLE_NS) if known else step  # type: ignore[operator]
                    before, count = at, count + 1
                    yield now, picture
            except av.error.FFmpegError as error:
                if not count:
                    raise self._unusable(error) from error
                log.warning("%s: damaged after %d pictures, playing it again from the start", self.path, count)
            if not count:
                raise SourceError(f"video file {self.path} holds no picture")

    def _as_420(self, picture: av.video.frame.VideoFrame) -> av.video.frame.VideoFrame:
        if picture.format.name in ("yuv420p", "yuvj420p", "nv12"):
            return picture
        self.converted += 1
        return picture.reformat(format="yuv420p")

    def _unusable(self, error: BaseException) -> SourceError:
        reason = getattr(error, "strerror", None) or "there is no picture in it"
        return SourceError(f"video file {self.path} cannot be played ({reason}); choose another file", permanent=True)


def _meaning(picture: av.video.frame.VideoFrame) -> tuple[str, bool]:
    """(matrix, full range) of a decoded picture; what it does not say is guessed as players do."""
    matrix = _MATRIX.get(int(picture.colorspace), "bt709" if picture.height >= 720 else "bt601")
    return matrix, int(picture.color_range) == _FULL_RANGE or picture.format.name == "yuvj420p"
