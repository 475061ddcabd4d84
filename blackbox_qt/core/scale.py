"""The small picture, made by software where the camera's hardware gives none."""

from __future__ import annotations

import threading

from av.video.reformatter import VideoReformatter

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.picture import unwrap, wrap


class Scaler:
    """Makes `lores` from `main`: same format, matrix and range, at most `width` x `height`, proportions kept.

    By swscale, in the calling thread alone: bilinear, by area when shrinking to less than half. (OpenCV took half as
    long again for 1080p to 720p, on two cores.)

    Threads: any.
    """

    def __init__(self, width: int, height: int) -> None:
        self._bounds = width, height
        self._reformatter = VideoReformatter()
        self._fitted: tuple[Layout, tuple[int, int]] | None = None  # of the layout seen last: mostly the same object
        self._lock = threading.Lock()  # the reformatter keeps tables for one size
        self.made = 0

    def __call__(self, main: Image) -> Image:
        """The small picture; `main` itself (another Image on the same memory) when it is small enough already."""
        layout = main.layout
        width, height = self._size(layout)
        if (width, height) == (layout.width, layout.height):
            buffers = 1 + max(p.buffer for p in layout.planes)
            return Image(layout, [main.view(i) for i in range(buffers)], key=main.key)
        how = "AREA" if layout.width > 2 * width else "BILINEAR"
        with self._lock:
            self.made += 1
            small = self._reformatter.reformat(wrap(main), width, height, interpolation=how, threads=1)
        return unwrap(small, layout.matrix, layout.full_range)

    def _size(self, layout: Layout) -> tuple[int, int]:
        fitted = self._fitted
        if fitted is None or fitted[0] is not layout:
            fitted = self._fitted = layout, fit(layout, *self._bounds)
        return fitted[1]


def fit(layout: Layout, width: int, height: int) -> tuple[int, int]:
    """The largest even size of the layout's proportions within `width` x `height`; its own if it fits already."""
    scale = min(1.0, width / layout.width, height / layout.height)
    if scale == 1.0:
        return layout.width, layout.height
    return max(2, round(layout.width * scale / 2) * 2), max(2, round(layout.height * scale / 2) * 2)
