"""A kernel with V4L2 cameras in it, driven by hand: its buffers are memfds, its rules as strict as the real one's."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.sources import v4l2_abi as abi
from tests.fakes import HandClock

Rates = dict[tuple[int, int], tuple[float, ...]]
CAPTURE = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
METADATA = 0x0080_0000 | abi.CAP_STREAMING


@dataclass
class Knob:
    """A control: its range, and what was set."""

    lowest: int
    highest: int
    step: int = 1
    value: int = 0
    menu: tuple[int, ...] = ()
    flags: int = 0
    refuses: int = 0  # errno


@dataclass
class FakeCamera:
    """One device and its driver. `modes`: fourcc -> size -> rates; a size of (0, 0) means any, in steps of 2."""

    name: str = "HD Webcam"
    serial: str = "5A1B"
    port: str = "usb-xhci-hcd.0-1.2"
    modes: dict[str, Rates] = field(default_factory=lambda: {"YUYV": {(96, 64): (30.0,)}})
    knobs: dict[int, Knob] = field(default_factory=dict)
    padding: int = 0  # bytes added to each row
    most_buffers: int = 32
    exports: bool = True
    silent_about_sizes: bool = False
    colorspace: int = 8  # sRGB
    quantization: int = 0
    driver: str = "uvcvideo"

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.fail: dict[int, int] = {}  # request -> errno, for every call of it
        self.asked: list[int] = []
        self.present = True
        self.broken = False  # vb2_queue_error: nothing works until STREAMOFF
        self.busy = False  # some other program streams
        self.monotonic = True
        self.jpeg: Callable[[int], bytes] | None = None  # what is sent instead of a good one
        self.flags = 0
        self.insists: tuple[str, int, int] | None = None  # format and size, whatever is asked
        self.short = 0  # bytes that are missing in each picture
        self.owner = -1
        self.interval = Fraction(1, 30)
        self.pix = abi.PixFormat()
        self.memory: list[int] = []
        self.queued: deque[int] = deque()
        self.done: deque[abi.Buffer] = deque()
        self.streaming = self.waiting = False
        self.sequence = -1

    @property
    def layout(self) -> Layout:
        fourcc = abi.fourcc_of(self.pix.pixelformat)
        stride = 0 if fourcc == "MJPG" else self.pix.bytesperline
        return Layout.packed(self.pix.width, self.pix.height, fourcc, stride=stride)


class FakeKernel:
    """Nodes, descriptors and time; `root` holds the /sys, /dev and /proc that belong to them."""

    def __init__(self, root: Path, clock: HandClock | None = None) -> None:
        self.root = root
        self.clock = clock or HandClock()
        self.nodes: dict[str, tuple[FakeCamera, int]] = {}
        self.closed_to_us: set[str] = set()
        self.fds: dict[int, tuple[FakeCamera, int]] = {}
        (root / "proc").mkdir(exist_ok=True)

    # What is plugged in ------------------------------------------------------------------------------------------

    def plug(self, camera: FakeCamera, *numbers: int, caps: tuple[int, ...] = (CAPTURE, METADATA)) -> None:
        """The device appears with one node for each number: pictures first, then metadata."""
        camera.present = True
        usb = self.root / "sys/devices/usb1" / (camera.port.replace("/", "_") + camera.serial)
        interface = usb / "1-1:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        if camera.port.startswith("usb"):
            (usb / "idVendor").write_text("046d\n")
        if camera.serial:
            (usb / "serial").write_text(camera.serial + "\n")
        for index, number in enumerate(numbers):
            entry = self.root / "sys/class/video4linux" / f"video{number}"
            entry.mkdir(parents=True)
            (entry / "index").write_text(f"{index}\n")
            (entry / "name").write_text(camera.name + "\n")
            (entry / "device").symlink_to(interface)
            self.nodes[f"/dev/video{number}"] = (camera, caps[index])
        self._link(camera, numbers)

    def _link(self, camera: FakeCamera, numbers: tuple[int, ...]) -> None:
        dev = self.root / "dev"
        (dev / "v4l/by-id").mkdir(parents=True, exist_ok=True)
        link = dev / "v4l/by-id" / f"usb-{camera.name.replace(' ', '_')}_{camera.serial}-video-index0"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../video{numbers[0]}")
        for number in numbers:
            (dev / f"video{number}").touch()

    def unplug(self, camera: FakeCamera) -> None:
        """The device goes: what is open says ENODEV, its nodes are no more."""
        with camera.lock:
            camera.present = False
            for node in [node for node, (owner, _) in self.nodes.items() if owner is camera]:
                del self.nodes[node]
                entry = self.root / "sys/class/video4linux" / os.path.basename(node)
                for part in entry.iterdir():
                    part.unlink()
                entry.rmdir()
                (self.root / node.lstrip("/")).unlink()
            self._poke(camera)

    def _poke(self, camera: FakeCamera) -> None:
        for fd, (owner, _) in self.fds.items():
            if owner is camera:
                os.eventfd_write(fd, 1)

    def opened_by(self, pid: int, name: str, node: str) -> None:
        """Some other process has the node open."""
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fd/3").symlink_to(node)
        (folder / "comm").write_text(name + "\n")

    # Pictures ----------------------------------------------------------------------------------------------------

    def tick(self, camera: FakeCamera) -> bool:
        """The sensor has a picture. False when no buffer was queued for it: lost, and counted in the sequence."""
        with camera.lock:
            self.clock.advance(1 / 30)
            if not camera.streaming or camera.broken or not camera.present:
                return False
            camera.sequence += 1
            if not camera.queued:
                return False
            index = camera.queued.popleft()
            used = _paint(camera, index)
            stamp = self.monotonic_ns()
            flags = camera.flags | (abi.BUF_FLAG_TIMESTAMP_MONOTONIC if camera.monotonic else 0)
            camera.done.append(
                abi.Buffer(
                    index=index, type=1, bytesused=max(0, used - camera.short), flags=flags, memory=1,
                    sec=stamp // NS, usec=stamp % NS // 1000, sequence=camera.sequence,
                )
            )  # fmt: skip
            os.eventfd_write(camera.owner, 1)
            return True

    def break_down(self, camera: FakeCamera) -> None:
        """The hardware fails: vb2_queue_error()."""
        with camera.lock:
            camera.broken = True
            self._poke(camera)

    # The Kernel that the source talks to -------------------------------------------------------------------------

    def open(self, node: str) -> int:
        if node in self.closed_to_us:
            raise _error(errno.EACCES)
        if node not in self.nodes:
            raise _error(errno.ENOENT)
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.fds[fd] = self.nodes[node]
        return fd

    def close(self, fd: int) -> None:
        camera, _ = self.fds.pop(fd)
        with camera.lock:
            if camera.owner == fd:
                _free(camera)
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        camera, caps = self.fds[fd]
        with camera.lock:
            camera.asked.append(request)
            if not camera.present:
                raise _error(errno.ENODEV)
            if request in camera.fail:
                raise _error(camera.fail[request])
            _HANDLERS[request](camera, fd, argument, caps)

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        camera, _ = self.fds[fd]
        return mmap.mmap(camera.memory[offset >> 24], length, mmap.MAP_SHARED)

    def wait(self, fd: int | None, wake: int) -> int:
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if fd is None:
            poll.poll()
            return 0
        camera, _ = self.fds[fd]
        if not camera.streaming or camera.waiting:
            return select.POLLERR
        poll.register(fd, select.POLLIN)
        ready = dict(poll.poll())
        if not camera.present:
            return select.POLLERR | select.POLLHUP
        if camera.broken:
            return select.POLLERR
        return ready.get(fd, 0)

    def monotonic_ns(self) -> int:
        return self.clock.boot_ns() - 40 * NS  # the machine has slept for 40 s


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _paint(camera: FakeCamera, index: int) -> int:
    """A grey picture whose luma is 16 + its number; the bytes used."""
    number, layout = camera.sequence, camera.layout
    if layout.fourcc == "MJPG":
        data = camera.jpeg(number) if camera.jpeg else good_jpeg(layout.width, layout.height, number)
        os.pwrite(camera.memory[index], data, 0)
        return len(data)
    with mmap.mmap(camera.memory[index], camera.pix.sizeimage) as memory:
        image = Image(layout, [memory])
        for plane in image.planes():
            plane[:] = 128
        image.plane(0)[:, :: 2 if layout.fourcc == "YUYV" else 1] = 16 + number % 200
        del plane
        image.end()  # or the memory cannot be unmapped
    return int(camera.pix.sizeimage)


def good_jpeg(width: int, height: int, number: int) -> bytes:
    """A 4:2:2 JPEG as UVC cameras send it: luma 16 + number, chroma in rows of 100 and 140."""
    luma = np.full((height, width), 16 + number % 200, np.uint8)
    chroma = np.full((height, width // 2), 120, np.uint8)
    return simplejpeg.encode_jpeg_yuv_planes(luma, chroma, chroma.copy(), quality=95)


# What each request does ----------------------------------------------------------------------------------------


def _querycap(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    a.driver, a.card, a.bus_info = camera.driver.encode(), camera.name.encode(), camera.port.encode()
    a.capabilities, a.device_caps = 0xFFFF_FFFF, caps


def _enum_fmt(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    a.pixelformat = abi.number_of(_item(list(camera.modes), a.index))


def _enum_sizes(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if camera.silent_about_sizes:
        raise _error(errno.ENOTTY)
    size = _item(list(camera.modes.get(abi.fourcc_of(a.pixel_format), {})), a.index)
    a.type = 1 if size != (0, 0) else 3
    for at, value in enumerate(size if size != (0, 0) else (16, 4096, 2, 16, 4096, 2)):
        a.sizes[at] = value


def _enum_intervals(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    sizes = camera.modes[abi.fourcc_of(a.pixel_format)]
    rates = sizes.get((a.width, a.height)) or sizes.get((0, 0), ())
    if camera.silent_about_sizes:
        raise _error(errno.ENOTTY)
    interval = 1 / Fraction(_item(list(rates), a.index)).limit_denominator(1001)
    a.type = 1
    a.intervals[0] = abi.Fract(interval.numerator, interval.denominator)


def _s_fmt(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    pix = a.fmt.pix
    if camera.busy or camera.memory:
        raise _error(errno.EBUSY)
    if not caps & abi.CAP_VIDEO_CAPTURE:
        raise _error(errno.EINVAL)
    fourcc = abi.fourcc_of(pix.pixelformat)
    fourcc = fourcc if fourcc in camera.modes else next(iter(camera.modes))
    sizes = list(camera.modes[fourcc])
    if (pix.width, pix.height) not in sizes and (0, 0) not in sizes:
        pix.width, pix.height = sizes[0]
    if camera.insists:
        fourcc, pix.width, pix.height = camera.insists
    pix.pixelformat = abi.number_of(fourcc)
    if fourcc not in ("NV12", "YU12", "YUYV"):
        pix.bytesperline, pix.sizeimage = 8 if fourcc == "MJPG" else pix.width * 3, pix.width * pix.height * 2 + 4096
    else:
        pix.bytesperline = pix.width * (2 if fourcc == "YUYV" else 1) + camera.padding
        layout = Layout.packed(pix.width, pix.height, fourcc, stride=pix.bytesperline)
        pix.sizeimage = sum(plane.stride * plane.rows for plane in layout.planes)
    pix.colorspace, pix.quantization = camera.colorspace, camera.quantization
    camera.pix = abi.PixFormat.from_buffer_copy(pix)


def _s_parm(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    asked = Fraction(a.timeperframe.numerator, a.timeperframe.denominator)
    fourcc = abi.fourcc_of(camera.pix.pixelformat)
    sizes = camera.modes[fourcc]
    rates = sizes.get((camera.pix.width, camera.pix.height)) or sizes.get((0, 0), ()) or (30.0,)
    offered = [1 / Fraction(rate).limit_denominator(1001) for rate in rates]
    camera.interval = min(offered, key=lambda interval: abs(interval - asked))
    a.timeperframe = abi.Fract(camera.interval.numerator, camera.interval.denominator)
    a.capability = abi.CAP_TIMEPERFRAME


def _queryctrl(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    knob = _knob(camera, a.id)
    a.minimum, a.maximum, a.step, a.flags = knob.lowest, knob.highest, knob.step, knob.flags


def _querymenu(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if a.index not in _knob(camera, a.id).menu:
        raise _error(errno.EINVAL)


def _s_ctrl(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    knob = _knob(camera, a.id)
    if knob.refuses:
        raise _error(knob.refuses)
    if not knob.lowest <= a.value <= knob.highest or (a.value - knob.lowest) % knob.step:
        raise _error(errno.ERANGE)
    knob.value = a.value


def _reqbufs(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if camera.owner not in (-1, fd):
        raise _error(errno.EBUSY)
    _free(camera)
    a.count = min(a.count, camera.most_buffers)
    if a.count:
        camera.owner = fd
    for _ in range(a.count):
        memory = os.memfd_create("v4l2", os.MFD_CLOEXEC)
        os.truncate(memory, camera.pix.sizeimage)
        camera.memory.append(memory)


def _querybuf(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    _item(camera.memory, a.index)
    a.length, a.offset = camera.pix.sizeimage, a.index << 24


def _expbuf(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if not camera.exports:
        raise _error(errno.ENOTTY)
    a.fd = os.dup(_item(camera.memory, a.index))


def _qbuf(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if camera.owner != fd or a.index >= len(camera.memory):
        raise _error(errno.EINVAL)
    if a.index in camera.queued or any(buffer.index == a.index for buffer in camera.done):
        raise _error(errno.EINVAL)  # it is the driver's already
    camera.waiting = False
    camera.queued.append(a.index)


def _dqbuf(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if camera.broken:
        raise _error(errno.EIO)
    if not camera.streaming or camera.owner != fd:
        raise _error(errno.EINVAL)
    if not camera.done:
        _quiet(fd)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    filled = camera.done.popleft()
    ctypes.pointer(a)[0] = filled
    if not camera.done:
        _quiet(fd)


def _streamon(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    if camera.owner != fd:
        raise _error(errno.EINVAL)
    camera.streaming, camera.sequence = True, -1
    camera.waiting = not camera.queued


def _streamoff(camera: FakeCamera, fd: int, a: Any, caps: int) -> None:
    camera.streaming = camera.broken = False
    camera.queued.clear()
    camera.done.clear()
    _quiet(fd)


def _quiet(fd: int) -> None:
    if select.select([fd], [], [], 0)[0]:
        os.eventfd_read(fd)


def _free(camera: FakeCamera) -> None:
    for memory in camera.memory:
        os.close(memory)
    camera.memory, camera.owner, camera.streaming, camera.broken = [], -1, False, False
    camera.queued.clear()
    camera.done.clear()


def _knob(camera: FakeCamera, control: int) -> Knob:
    if control not in camera.knobs:
        raise _error(errno.EINVAL)
    return camera.knobs[control]


def _item(items: list[Any], index: int) -> Any:
    if index >= len(items):
        raise _error(errno.EINVAL)
    return items[index]


_HANDLERS: dict[int, Callable[[FakeCamera, int, Any, int], None]] = {
    abi.QUERYCAP: _querycap,
    abi.ENUM_FMT: _enum_fmt,
    abi.ENUM_FRAMESIZES: _enum_sizes,
    abi.ENUM_FRAMEINTERVALS: _enum_intervals,
    abi.S_FMT: _s_fmt,
    abi.S_PARM: _s_parm,
    abi.QUERYCTRL: _queryctrl,
    abi.QUERYMENU: _querymenu,
    abi.S_CTRL: _s_ctrl,
    abi.REQBUFS: _reqbufs,
    abi.QUERYBUF: _querybuf,
    abi.EXPBUF: _expbuf,
    abi.QBUF: _qbuf,
    abi.DQBUF: _dqbuf,
    abi.STREAMON: _streamon,
    abi.STREAMOFF: _streamoff,
}
