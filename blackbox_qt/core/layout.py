"""The pixel-format table: the one place that knows what a fourcc looks like in memory and what others call it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """One row of the table.

    `planes` holds, per plane, (horizontal divisor, vertical divisor, bytes per sample) against the picture's size.

    Threads: immutable, any.
    """

    fourcc: str  # as V4L2 and DRM spell it
    planes: tuple[tuple[int, int, int], ...]
    av: str  # libavutil's name
    compressed: bool = False


FORMATS: dict[str, PixelFormat] = {
    f.fourcc: f
    for f in (
        PixelFormat("YU12", ((1, 1, 1), (2, 2, 1), (2, 2, 1)), "yuv420p"),
        PixelFormat("NV12", ((1, 1, 1), (2, 2, 2)), "nv12"),
        PixelFormat("YUYV", ((1, 1, 2),), "yuyv422"),
        PixelFormat("GREY", ((1, 1, 1),), "gray"),
        PixelFormat("MJPG", ((1, 1, 1),), "mjpeg", compressed=True),
    )
}

# (Kr, Kb) of the luma equation, ITU-R BT.601-7, BT.709-6, BT.2020-2.
LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@dataclass(frozen=True, slots=True)
class Plane:
    """Where one plane lies: rows of `width` bytes, `stride` bytes apart, from `offset` in buffer number `buffer`.

    Threads: immutable, any.
    """

    offset: int
    stride: int
    width: int  # bytes that carry samples; the rest of a stride is padding
    rows: int
    buffer: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture lies in memory. Sizes in pixels, offsets and strides in bytes.

    Threads: immutable, any.
    """

    width: int
    height: int
    fourcc: str
    planes: tuple[Plane, ...]
    matrix: str = "bt709"  # key of LUMA_WEIGHTS
    full_range: bool = False  # False: luma 16-235, chroma 16-240

    @classmethod
    def packed(
        cls,
        width: int,
        height: int,
        fourcc: str = "YU12",
        *,
        stride: int = 0,
        matrix: str = "bt709",
        full_range: bool = False,
    ) -> Layout:
        """Planes one behind the other in one buffer, as the Pi's ISP and libyuv lay them.

        `stride` is the first plane's, bytes; 0 means no padding. Raises ValueError for an unknown format or size.
        """
        try:
            table = FORMATS[fourcc].planes
        except KeyError:
            raise ValueError(f"unknown pixel format {fourcc!r}; known are {', '.join(FORMATS)}") from None
        if width < 2 or height < 2:
            raise ValueError(f"a picture of {width}x{height} is too small")
        first = width // table[0][0] * table[0][2]
        stride = stride or first
        if stride < first:
            raise ValueError(f"a stride of {stride} bytes is shorter than a row of {first} bytes")
        planes, offset = [], 0
        for xdiv, ydiv, size in table:
            rows, row = -(-height // ydiv), -(-width // xdiv) * size
            pitch = max(row, -(-stride * size // xdiv // table[0][2]))
            planes.append(Plane(offset, pitch, row, rows))
            offset += pitch * rows
        return cls(width, height, fourcc, tuple(planes), matrix, full_range)

    @property
    def size(self) -> int:
        """Bytes from the start of the buffer to the end of the last plane (of the fullest buffer)."""
        return max(p.offset + p.stride * (p.rows - 1) + p.width for p in self.planes)

    @property
    def format(self) -> PixelFormat:
        return FORMATS[self.fourcc]
