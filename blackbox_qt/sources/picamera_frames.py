"""The camera's buffers as pictures: each mapped once, lent many times, with the caches told when."""

from __future__ import annotations

import errno
import fcntl
import itertools
import mmap
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import FORMATS, Layout, Plane
from blackbox_qt.core.pool import Lending
from blackbox_qt.sources.source import SourceError

FOURCC = {"YUV420": "YU12", "NV12": "NV12"}
"""libcamera's name -> V4L2's, of what our sinks take."""
_MATRIX = {"Rec601": "bt601", "Rec709": "bt709", "Rec2020": "bt2020"}

_DMA_BUF_IOCTL_SYNC = 0x40086200  # _IOW('b', 0, __u64), linux/dma-buf.h
_READ, _BEGIN, _END = 1, 0 << 2, 1 << 2

_generations = itertools.count(1)


def layout_of(stream: Mapping[str, Any], colour: Any) -> Layout:
    """The layout of one configured stream, all planes one behind the other. Raises SourceError for other formats.

    `stream` has "format", "size" and "stride" as `Picamera2.stream_configuration` gives them; `colour` is the
    configuration's libcamera.ColorSpace, or None where the camera does not tell.
    """
    fourcc = FOURCC.get(str(stream["format"]))
    if fourcc is None:
        words = f"the camera gives {stream['format']} only, not YUV 4:2:0; for a USB camera write source v4l2:"
        raise SourceError(words, permanent=True)
    width, height = stream["size"]
    matrix, full_range = _meaning(colour, height)
    return Layout.packed(width, height, fourcc, stride=stream["stride"] or 0, matrix=matrix, full_range=full_range)


def _meaning(colour: Any, height: int) -> tuple[str, bool]:
    """(matrix, full range); guessed as players do where it is not told."""
    guess = "bt709" if height >= 720 else "bt601"
    if colour is None:
        return guess, False
    return _MATRIX.get(colour.ycbcrEncoding.name, guess), colour.range.name == "Full"


def place(layout: Layout, planes: list[tuple[int, int]]) -> Layout:
    """`layout` where the buffer's `planes` (number of buffer, offset) really are: all in one, or one each."""
    if len(planes) == 1:
        number, offset = planes[0]
        moved = [replace(p, offset=p.offset + offset, buffer=number) for p in layout.planes]
    elif len(planes) == len(layout.planes):
        moved = [replace(p, offset=at, buffer=n) for p, (n, at) in zip(layout.planes, planes, strict=True)]
    else:
        words = f"the camera gives {layout.fourcc} in {len(planes)} planes, {len(layout.planes)} or 1 were expected"
        raise SourceError(words, permanent=True)
    return replace(layout, planes=tuple(moved))


@dataclass(frozen=True, slots=True)
class Buffer:
    """One buffer of one stream. libcamera's own object is kept: its descriptors live as long as it does.

    Threads: any; `begin` and `end` in turn.
    """

    layout: Layout
    memories: tuple[mmap.mmap, ...]
    dmabufs: tuple[int, ...]
    key: tuple[int, int]  # configuration and inode: descriptors' numbers are used again, these are not
    coherent: bool  # no cache to be told: not a dma-buf
    keeps: Any

    def image(self) -> Image:
        return Image(self.layout, self.memories, dmabufs=self.dmabufs, key=self.key)

    def begin(self) -> None:
        """The processor is going to read: what the camera wrote must not be hidden by old cache lines."""
        self._sync(_BEGIN | _READ)

    def end(self) -> None:
        """The processor has read; the camera may have it again."""
        self._sync(_END | _READ)

    def _sync(self, flags: int) -> None:
        if not self.coherent:
            for descriptor in self.dmabufs:
                sync(descriptor, flags)


def sync(descriptor: int, flags: int) -> None:
    """DMA_BUF_IOCTL_SYNC, tried again when a signal came between, as linux/dma-buf.h asks for. Raises OSError."""
    while True:
        try:
            fcntl.ioctl(descriptor, _DMA_BUF_IOCTL_SYNC, struct.pack("Q", flags))
            return
        except (InterruptedError, BlockingIOError):
            continue


class BufferSet:
    """All buffers of one configuration of a camera, and how many are lent.

    It needs no closing: memory and descriptors go when the source and the last frame have let go of it.

    Threads: made by the owner; `get` on the source's thread; `lending` any.
    """

    def __init__(self, streams: Mapping[str, tuple[Layout, Iterable[Any]]]) -> None:
        """`streams`: name -> (layout, libcamera.FrameBuffers). Raises SourceError."""
        generation = next(_generations)
        self.layouts = {name: layout for name, (layout, _) in streams.items()}
        self._buffers = {
            (name, buffer.planes[0].fd): _mapped(buffer, layout, generation)
            for name, (layout, buffers) in streams.items()
            for buffer in buffers
        }
        names = [name for name, _ in self._buffers]
        self.count = min(names.count(name) for name in streams)
        self.lending = Lending(self.count)

    def get(self, stream: str, frame_buffer: Any) -> Buffer:
        """The buffer that a request's `frame_buffer` is."""
        return self._buffers[stream, frame_buffer.planes[0].fd]


def _mapped(frame_buffer: Any, layout: Layout, generation: int) -> Buffer:
    planes = list(frame_buffer.planes)
    inodes = [os.fstat(plane.fd).st_ino for plane in planes]
    numbers = {inode: number for number, inode in enumerate(dict.fromkeys(inodes))}
    descriptors: list[int] = []
    sizes: list[int] = []
    for inode, plane in zip(inodes, planes, strict=True):
        if numbers[inode] == len(descriptors):
            descriptors.append(plane.fd)
            sizes.append(0)
        sizes[numbers[inode]] = max(sizes[numbers[inode]], plane.offset + plane.length)
    placed = place(layout, [(numbers[inode], plane.offset) for inode, plane in zip(inodes, planes, strict=True)])
    _check(placed, sizes)
    # Writable although nobody writes: libraries take no read-only memory without copying it.
    memories = tuple(mmap.mmap(fd, size) for fd, size in zip(descriptors, sizes, strict=True))
    key = (generation, inodes[0])
    return Buffer(placed, memories, tuple(descriptors), key, not _is_dmabuf(descriptors[0]), frame_buffer)


def _check(layout: Layout, sizes: list[int]) -> None:
    for plane in layout.planes:
        if _bytes(plane) > sizes[plane.buffer]:
            what = f"{layout.width}x{layout.height} {layout.fourcc}"
            words = f"the camera's buffers of {sizes[plane.buffer]} bytes are too small for {what}"
            raise SourceError(words, permanent=True)


def _bytes(plane: Plane) -> int:
    return plane.offset + plane.stride * (plane.rows - 1) + plane.width


def _is_dmabuf(descriptor: int) -> bool:
    try:
        sync(descriptor, _BEGIN | _READ)
        sync(descriptor, _END | _READ)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):  # memory of another kind, such as a memfd
            return False
        raise
    return True


assert set(FOURCC.values()) <= set(FORMATS)
