"""Our pictures as FFmpeg's and FFmpeg's as ours, on the same memory. Imports PyAV."""

from __future__ import annotations

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
    width, height = picture.width & ~1, picture.height & ~1
    semiplanar = picture.format.name == "nv12"
    planes = [Plane(0, picture.planes[0].line_size, width, height, 0)]
    for index in range(1, len(picture.planes)):
        row = width if semiplanar else width // 2
        planes.append(Plane(0, picture.planes[index].line_size, row, height // 2, index))
    layout = Layout(width, height, "NV12" if semiplanar else "YU12", tuple(planes), matrix, full_range)
    return Image(layout, list(picture.planes))
