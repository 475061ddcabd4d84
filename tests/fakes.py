"""Hand-driven stand-ins: a source that ticks when told, a clock that moves when told."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout, Plane
from blackbox_qt.core.pool import BufferPool
from blackbox_qt.sources import marks
from blackbox_qt.sources.source import CLOSE_LIMIT_S, Deliver, Failed, SourceError


class HandClock:
    """Stands still until `advance`."""

    def __init__(self, boot_s: float = 100.0, utc_ns: int = 1_790_000_000 * NS, source: str = "ntp") -> None:
        self.now_ns = int(boot_s * NS)
        self.utc_offset_ns = utc_ns - self.now_ns
        self.source = source
        self.machine_boot = "hand-boot"

    def boot_ns(self) -> int:
        return self.now_ns

    def anchor(self) -> Anchor:
        worth = 1000 if self.source == "ntp" else None
        return Anchor(self.now_ns, self.now_ns + self.utc_offset_ns, self.source, worth)

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS)


class HandSource:
    """A camera that gives a frame at each `tick`, on the caller's thread.

    It can be as awkward as real ones: strides of its own, two buffers, a hardware lores, descriptors, a driver's
    numbers with holes, frames that come home after stop.
    """

    origin = "camera"

    def __init__(
        self,
        camera: str = "front",
        buffers: int = 12,
        layout: Layout | None = None,
        lores: Layout | None = None,
        clock: HandClock | None = None,
        fail_open: SourceError | None = None,
        dmabufs: tuple[int, ...] = (),
    ) -> None:
        self.camera = camera
        self.device = "hand-driven camera"
        self.buffers = buffers
        self.fps = 30.0
        self.layout: Layout | None = layout or Layout.packed(64, 48, stride=80)
        self.clock = clock or HandClock()
        self.opened = self.started = False
        self.fail_open = fail_open
        self.lost = 0
        self.failed: Failed | None = None
        self.running = threading.Event()
        self._lores = lores
        self._dmabufs = dmabufs
        self._seq = 0
        self._deliver: Deliver | None = None
        self._pool: BufferPool | None = None

    def open(self) -> None:
        if self.fail_open is not None:
            raise self.fail_open
        assert self.layout is not None
        self._pool = BufferPool(self.buffers, _bytes(self.layout) + (_bytes(self._lores) if self._lores else 0))
        self.opened = True

    def start(self, deliver: Deliver, failed: Failed) -> None:
        self._deliver, self.failed = deliver, failed
        self.started = True
        self.running.set()

    def stop(self) -> None:
        self.started, self._deliver = False, None
        self.running.clear()

    def close(self) -> None:
        pool, self._pool, self.opened = self._pool, None, False
        if pool is not None and not pool.lending.wait_home(CLOSE_LIMIT_S):
            raise SourceError(f"{pool.lending.out} frames did not come home", process=True)

    @property
    def out(self) -> int:
        return 0 if self._pool is None else self._pool.lending.out

    def skip(self, count: int = 1) -> None:
        """The driver loses frames: a hole in its numbers."""
        self._seq += count

    def tick(self, t_ns: int | None = None) -> bool:
        """One frame. False when no buffer was free: the frame is lost."""
        assert self._pool is not None and self.layout is not None
        seq, self._seq = self._seq, self._seq + 1
        buffer = self._pool.take()
        if buffer is None:
            self.lost += 1
            return False
        if self._deliver is None:
            self._pool.give(buffer)
            return False
        images = self._images(buffer[1], buffer[0])
        t_ns = self.clock.boot_ns() if t_ns is None else t_ns
        paint_numbered(images["main"], seq, t_ns)
        pool = self._pool
        self._deliver(Frame.lend(self.camera, seq, t_ns, images, lambda: pool.give(buffer)))
        return True

    def _images(self, memory: object, number: int) -> Mapping[str, Image]:
        assert self.layout is not None
        view, images, at = memoryview(memory), {}, 0  # type: ignore[arg-type]
        for name, layout in (("main", self.layout), ("lores", self._lores)):
            if layout is not None:
                images[name] = Image(layout, _split(view[at:], layout), dmabufs=self._dmabufs, key=(name, number))
                at += _bytes(layout)
        return images


def two_buffers(width: int = 64, height: int = 48, stride: int = 96) -> Layout:
    """NV12 whose luma and chroma lie in buffers of their own, as some drivers give it."""
    planes = (Plane(0, stride, width, height, 0), Plane(0, stride, width, height // 2, 1))
    return Layout(width, height, "NV12", planes)


def paint_numbered(image: Image, seq: int, t_ns: int) -> None:
    """Grey, a little different each time, with the painted counter."""
    for plane in image.planes():
        plane[:] = 128
    luma = image.plane(0)
    luma[:] = np.uint8(60 + seq * 3 % 100)
    marks.paint(luma, seq, t_ns)


def _bytes(layout: Layout) -> int:
    ends: dict[int, int] = {}
    for p in layout.planes:
        ends[p.buffer] = max(ends.get(p.buffer, 0), p.offset + p.stride * p.rows)
    return sum(ends.values())


def _split(view: memoryview, layout: Layout) -> list[memoryview]:
    buffers, at = [], 0
    for number in range(1 + max(p.buffer for p in layout.planes)):
        size = max(p.offset + p.stride * p.rows for p in layout.planes if p.buffer == number)
        buffers.append(view[at : at + size])
        at += size
    return buffers
