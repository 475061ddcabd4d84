"""An open V4L2 node: the kernel's requests as methods with Python's types."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2_kernel import Kernel

_Item = TypeVar("_Item", abi.FmtDesc, abi.FrmSizeEnum, abi.FrmIvalEnum)
_MOST = 1000  # of a list that a broken driver never ends
_NOT_SO = (errno.ENOTTY, errno.EINVAL)
"""What drivers answer to a question they do not know, and at the end of a list."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Picture sizes from the smallest to the largest; of a single one all are equal. Pixels.

    Threads: immutable, any.
    """

    width: tuple[int, int, int]  # smallest, largest, step
    height: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Times between frames, s.

    Threads: immutable, any.
    """

    shortest: Fraction
    longest: Fraction


@dataclass(frozen=True, slots=True)
class Setting:
    """A control that the device has, in the driver's own units.

    Threads: immutable, any.
    """

    lowest: int
    highest: int
    step: int


class Device:
    """What a driver can be asked. Every method raises OSError with the kernel's own number.

    Threads: one at a time, except `queue`, `dequeue` and the stream: those the kernel itself keeps apart.
    """

    def __init__(self, kernel: Kernel, node: str) -> None:
        self.kernel = kernel
        self.node = node
        self.fd = kernel.open(node)

    def close(self) -> None:
        self.kernel.close(self.fd)

    def capability(self) -> tuple[abi.Capability, int]:
        """(who it is, what this very node can do)."""
        found = abi.Capability()
        self._ask(abi.QUERYCAP, found)
        own = found.capabilities & abi.CAP_DEVICE_CAPS
        return found, found.device_caps if own else found.capabilities

    def formats(self) -> list[str]:
        """The four letters of each pixel format, in the driver's order."""
        return [abi.fourcc_of(f.pixelformat) for f in self._list(abi.ENUM_FMT, abi.FmtDesc, type=1)]

    def sizes(self, fourcc: str) -> list[Sizes]:
        """What sizes a format comes in; empty when the driver does not tell."""
        found = []
        for item in self._list(abi.ENUM_FRAMESIZES, abi.FrmSizeEnum, pixel_format=abi.number_of(fourcc)):
            s = list(item.sizes)
            if item.type == abi.FRMSIZE_TYPE_DISCRETE:
                found.append(Sizes((s[0], s[0], 1), (s[1], s[1], 1)))
            else:
                found.append(Sizes((s[0], s[1], s[2] or 1), (s[3], s[4], s[5] or 1)))
        return found

    def intervals(self, fourcc: str, width: int, height: int) -> list[Intervals]:
        """At which rates a format of that size comes; empty when the driver does not tell."""
        found = []
        which = {"pixel_format": abi.number_of(fourcc), "width": width, "height": height}
        for item in self._list(abi.ENUM_FRAMEINTERVALS, abi.FrmIvalEnum, **which):
            shortest = _fraction(item.intervals[0])
            longest = shortest if item.type == abi.FRMIVAL_TYPE_DISCRETE else _fraction(item.intervals[1])
            if shortest and longest:
                found.append(Intervals(shortest, longest))
        return found

    def set_format(self, fourcc: str, width: int, height: int) -> abi.PixFormat:
        """Ask for a format; what the driver made of it."""
        wanted = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        wanted.fmt.pix = abi.PixFormat(
            width=width, height=height, pixelformat=abi.number_of(fourcc), priv=abi.PIX_FMT_PRIV_MAGIC
        )
        self._ask(abi.S_FMT, wanted)
        pix: abi.PixFormat = wanted.fmt.pix
        return pix

    def set_interval(self, interval: Fraction) -> Fraction | None:
        """Ask for a time between frames, s; what the driver made of it, None when it cannot tell."""
        wanted = abi.StreamParm(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        wanted.timeperframe = abi.Fract(interval.numerator, interval.denominator)
        try:
            self._ask(abi.S_PARM, wanted)
        except OSError as error:
            if error.errno not in _NOT_SO:
                raise
            return None
        return _fraction(wanted.timeperframe)

    def setting(self, control: int) -> Setting | None:
        """How far a control goes; None when the device does not have it or it cannot be set."""
        found = abi.QueryCtrl(id=control)
        try:
            self._ask(abi.QUERYCTRL, found)
        except OSError as error:
            if error.errno not in _NOT_SO:
                raise
            return None
        if found.flags & (abi.CTRL_FLAG_DISABLED | abi.CTRL_FLAG_READ_ONLY):
            return None
        return Setting(found.minimum, found.maximum, found.step or 1)

    def choice(self, control: int, value: int) -> bool:
        """Whether a menu has that entry."""
        try:
            self._ask(abi.QUERYMENU, abi.QueryMenu(id=control, index=value))
        except OSError as error:
            if error.errno not in _NOT_SO:
                raise
            return False
        return True

    def set(self, control: int, value: int) -> None:
        self._ask(abi.S_CTRL, abi.Control(control, value))

    def request(self, count: int) -> int:
        """Reserve `count` buffers in the kernel; how many there are now. 0 gives them back."""
        wanted = abi.RequestBuffers(count=count, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
        self._ask(abi.REQBUFS, wanted)
        return int(wanted.count)

    def map(self, index: int) -> mmap.mmap:
        """The memory of buffer `index`."""
        buffer = self._buffer(index)
        self._ask(abi.QUERYBUF, buffer)
        return self.kernel.mmap(self.fd, buffer.length, buffer.offset)

    def export(self, index: int) -> int:
        """Buffer `index` as a dma-buf: a descriptor that the caller closes."""
        wanted = abi.ExportBuffer(type=abi.BUF_TYPE_VIDEO_CAPTURE, index=index, flags=os.O_RDWR | os.O_CLOEXEC)
        self._ask(abi.EXPBUF, wanted)
        return int(wanted.fd)

    def queue(self, index: int) -> None:
        """Let the driver fill buffer `index`."""
        self._ask(abi.QBUF, self._buffer(index))

    def dequeue(self) -> abi.Buffer | None:
        """The oldest filled buffer; None when there is none yet."""
        buffer = self._buffer(0)
        try:
            self._ask(abi.DQBUF, buffer)
        except BlockingIOError:
            return None
        return buffer

    def stream_on(self) -> None:
        self.kernel.ioctl(self.fd, abi.STREAMON, ctypes.c_int(abi.BUF_TYPE_VIDEO_CAPTURE))

    def stream_off(self) -> None:
        """Stop; the driver gives up every buffer it had."""
        self.kernel.ioctl(self.fd, abi.STREAMOFF, ctypes.c_int(abi.BUF_TYPE_VIDEO_CAPTURE))

    def _ask(self, request: int, argument: ctypes.Structure) -> None:
        self.kernel.ioctl(self.fd, request, argument)

    def _list(self, request: int, kind: type[_Item], **fields: int) -> Iterator[_Item]:
        """Ask for item 0, 1, 2 and so on, until there is none."""
        for index in range(_MOST):
            item = kind(index=index, **fields)
            try:
                self._ask(request, item)
            except OSError as error:
                if error.errno not in _NOT_SO:
                    raise
                return
            yield item

    def _buffer(self, index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)


def _fraction(f: abi.Fract) -> Fraction:
    """0 for what makes no sense: some drivers answer 0/0."""
    return Fraction(f.numerator, f.denominator) if f.denominator else Fraction(0)
