"""Our pictures as FFmpeg's and FFmpeg's as ours, on the same memory. Imports PyAV."""

from __future__ import annotations

from functools import lru_cache

import av
from av.video.frame import VideoFrame

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout, Plane


def wrap(image: Image) -> VideoFrame:
    """An av.VideoFrame on the image's own memory, not copied; gone before the frame is closed.

    Raises ValueError for memory that is read-only.

    Threads: any.
    """
    planes = list(image.planes())
    return av.VideoFrame.from_dlpack(
        planes, format=image.layout.format.av, width=image.layout.width, height=image.layout.height
    )


def unwrap(picture: VideoFrame, matrix: str, full_range: bool) -> Image:
    """An Image on the memory of a YUV420P or NV12 picture, cut to even size (4:2:0 has no half chroma samples).

    Threads: any.
    """
    planes = picture.planes
    strides = tuple([plane.line_size for plane in planes])
    fourcc = "NV12" if len(strides) == 2 else "YU12"
    return Image(_layout(picture.width & ~1, picture.height & ~1, fourcc, strides, matrix, full_range), planes)


@lru_cache(maxsize=16)
def _layout(width: int, height: int, fourcc: str, strides: tuple[int, ...], matrix: str, full_range: bool) -> Layout:
    """Each plane in a buffer of its own; one Layout for all pictures that lie alike."""
    row = width if fourcc == "NV12" else width // 2
    planes = [Plane(0, strides[0], width, height, 0)]
    planes += [Plane(0, stride, row, height // 2, index) for index, stride in enumerate(strides[1:], 1)]
    return Layout(width, height, fourcc, tuple(planes), matrix, full_range)
