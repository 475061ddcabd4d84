"""The small picture, made by software where the camera's hardware gives none."""

from __future__ import annotations

import mmap
import threading
from contextlib import ExitStack
from functools import partial

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.opencv import opencv
from blackbox_qt.core.pool import BufferPool


class Scaler:
    """Makes `lores` from `main`: same format, matrix and range, at most `width` x `height`, proportions kept.

    Bilinear, by area when shrinking to less than half. Memory comes from a pool of its own and returns to it when the
    frame goes home. OpenCV is imported with the first picture, in the thread of the sink that asked for it.

    Threads: any; one call at a time per frame (the frame sees to that).
    """

    def __init__(self, width: int, height: int, buffers: int) -> None:
        self._bounds = width, height
        self._buffers = buffers
        self._pool: BufferPool | None = None
        self._layout: Layout | None = None
        self._lock = threading.Lock()
        self.made = 0

    def __call__(self, main: Image) -> Image:
        """The small picture; `main` itself (another Image on the same memory) when it is small enough already."""
        target = fit(main.layout, *self._bounds)
        if (target.width, target.height) == (main.layout.width, main.layout.height):
            return Image(main.layout, [main.view(i) for i in range(_buffer_count(main.layout))], key=main.key)
        pool = self._pool_for(target)
        buffer = pool.take()
        if buffer is None:
            raise RuntimeError("more small pictures are out than the camera has buffers")
        self.made += 1
        with ExitStack() as undo:
            undo.callback(pool.give, buffer)
            image = self._scale(main, target, buffer, pool)
            undo.pop_all()
        return image

    def _pool_for(self, target: Layout) -> BufferPool:
        with self._lock:
            if target != self._layout or self._pool is None:
                self._layout, self._pool = target, BufferPool(self._buffers, target.size)
            return self._pool

    def _scale(self, main: Image, target: Layout, buffer: tuple[int, mmap.mmap], pool: BufferPool) -> Image:
        cv2 = opencv()
        image = Image(target, [buffer[1]], key=("lores", id(pool), buffer[0]), on_end=partial(pool.give, buffer))
        how = cv2.INTER_AREA if main.layout.width > 2 * target.width else cv2.INTER_LINEAR
        for index, (_, _, size) in enumerate(main.layout.format.planes):
            source, sink = main.plane(index), image.plane(index)
            if size == 2:  # interleaved chroma: two channels
                source, sink = source.reshape(len(source), -1, 2), sink.reshape(len(sink), -1, 2)
            cv2.resize(source, (sink.shape[1], sink.shape[0]), dst=sink, interpolation=how)
        return image


def fit(main: Layout, width: int, height: int) -> Layout:
    """The largest layout of `main`'s proportions within `width` x `height`, even sizes, never enlarged."""
    scale = min(1.0, width / main.width, height / main.height)
    if scale == 1.0:
        return main
    even_w, even_h = (max(2, round(side * scale / 2) * 2) for side in (main.width, main.height))
    return Layout.packed(even_w, even_h, main.fourcc, matrix=main.matrix, full_range=main.full_range)


def _buffer_count(layout: Layout) -> int:
    return 1 + max(p.buffer for p in layout.planes)
