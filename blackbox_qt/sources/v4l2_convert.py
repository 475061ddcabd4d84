"""From what a USB camera sends to YUV 4:2:0, once, in memory of our own. Imports PyAV."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Protocol

import av
import av.error
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import FORMATS, Layout

log = logging.getLogger(__name__)

_PLANAR = FORMATS["YU12"].av
_FULL = "JPEG"  # libav's name of full range
_TRIES = 10


class DamagedError(Exception):
    """This picture cannot be used; the next may be."""


class Converter(Protocol):
    """Makes our picture from the driver's bytes, which are not looked at any more afterwards.

    `layout` is that of its pictures. Raises DamagedError.

    Threads: one, the source's.
    """

    layout: Layout

    def __call__(self, data: memoryview) -> Image: ...


def converter_for(layout: Layout) -> Converter:
    """What turns pictures of `layout` into YUV 4:2:0 that is ours.

    Threads: any.
    """
    if layout.fourcc == "MJPG":
        return Jpeg(layout)
    return Yuyv(layout) if layout.fourcc == "YUYV" else Copy(layout)


class Copy:
    """The same picture in memory of its own, where the driver has too few buffers to lend them.

    Threads: one.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __call__(self, data: memoryview) -> Image:
        return Image(self.layout, [np.array(data[: self.layout.size], np.uint8)])


class Yuyv:
    """4:2:2 packed to 4:2:0 planar by swscale's own loop for it: the rows of colour are averaged two by two.

    0.35 ms for 1080p on x86-64; numpy took 0.6 for the same, OpenCV 0.4 for splitting the bytes alone.

    Threads: one.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = Layout.packed(layout.width, layout.height, **_colours(layout))
        self._bytes = layout.planes[0].stride * layout.height
        # libav's raw video knows no padding: it is taken as wide as its stride, and lent without the padding.
        self._reader = _decoder("rawvideo")
        self._reader.width, self._reader.height = layout.planes[0].stride // 2, layout.height
        self._reader.pix_fmt = layout.format.av
        self._scaler = VideoReformatter()

    def __call__(self, data: memoryview) -> Image:
        if len(data) < self._bytes:
            raise DamagedError(f"{len(data)} bytes of {self._bytes}")
        wide = self._reader.decode(_packet(data[: self._bytes]))[0]
        return _lend(self._scaler.reformat(wide, format=_PLANAR, threads=1), self.layout)


class Jpeg:
    """Motion JPEG, decoded by libav. The decoder's pictures are lent; of 4:2:2 every two rows of colour become one.

    1080p takes 7.4 ms on x86-64; 4:2:2 to 4:2:0 in place 0.2 more (by swscale 1.7).

    Threads: one.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = Layout.packed(layout.width, layout.height, **_colours(layout))
        self._decoder = _decoder("mjpeg", err_detect="explode")  # else a torn picture passes for a good one
        self._scaler = VideoReformatter()
        self._bad = 0
        self._good = False

    def __call__(self, data: memoryview) -> Image:
        if not data:
            raise DamagedError("empty")  # which the decoder would take for the end of all pictures
        try:
            pictures = self._decoder.decode(_packet(data))
        except av.error.FFmpegError as error:
            self._doubt()
            raise DamagedError(str(error)) from error
        if not pictures or (pictures[0].width, pictures[0].height) != (self.layout.width, self.layout.height):
            raise DamagedError("not one picture of the size agreed on")
        self._good = True
        return self._as_420(pictures[0])

    def _doubt(self) -> None:
        """Some cameras never send a JPEG that is right to the letter: then what can be decoded is taken."""
        self._bad += 1
        if self._bad == _TRIES and not self._good:
            log.warning("none of the first %d JPEGs of the camera was flawless; they are taken as they are", _TRIES)
            self._decoder = _decoder("mjpeg")

    def _as_420(self, picture: VideoFrame) -> Image:
        chroma = [(plane.width, plane.height) for plane in picture.planes[1:]]
        width, height = self.layout.width, self.layout.height
        if chroma == [(width // 2, height)] * 2:
            for plane in picture.planes[1:]:
                _halve(np.frombuffer(plane, np.uint8)[: plane.line_size * height].reshape(height, plane.line_size))
            return _lend(picture, self.layout, every=2)
        if chroma != [(width // 2, height // 2)] * 2:  # 4:4:4, grey: no camera known sends them
            picture = self._scaler.reformat(picture, format=_PLANAR, dst_color_range=_FULL, threads=1)
        return _lend(picture, self.layout)


def _halve(rows: NDArray[np.uint8]) -> None:
    """Put the mean of rows 0 and 1 into row 0, of 2 and 3 into 2, and so on, in 8 bits: (a | b) - ((a ^ b) >> 1)."""
    upper, lower = rows[0::2], rows[1::2]
    half = np.bitwise_xor(upper, lower)
    np.right_shift(half, 1, out=half)
    np.bitwise_or(upper, lower, out=upper)
    np.subtract(upper, half, out=upper)


def _lend(picture: VideoFrame, layout: Layout, every: int = 1) -> Image:
    """The picture's own memory in the shape of `layout`; `every` 2: every other row of colour is left out."""
    planes = tuple(
        replace(ours, offset=0, stride=theirs.line_size * (every if index else 1), buffer=index)
        for index, (ours, theirs) in enumerate(zip(layout.planes, picture.planes, strict=True))
    )
    return Image(replace(layout, planes=planes), list(picture.planes))


def _colours(layout: Layout) -> dict[str, Any]:
    return {"matrix": layout.matrix, "full_range": layout.full_range}


def _packet(data: memoryview) -> av.Packet[Any]:
    """On the driver's own memory, not copied: gone before the buffer is given back."""
    return av.Packet(data)  # type: ignore[arg-type]  # any buffer will do, which its types do not say


def _decoder(name: str, **options: str) -> VideoCodecContext:
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    context.options = options
    return context
