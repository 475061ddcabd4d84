"""Turning Qt's loop by hand, frames of any pixels, and reading the screen back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.app.status import (
    CameraStatus,
    DiskStatus,
    DisplayStatus,
    EncoderStatus,
    RecordingStatus,
    Status,
    StreamStatus,
)
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.pool import Lending

Pixels = NDArray[np.uint8]


def spin(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Process events until `condition()`; fails after so many seconds."""
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)


class HandCamera:
    """A hub whose frames are handed over one by one, with pixels of one's own; counts what is out."""

    def __init__(self, name: str = "front", buffers: int = 12) -> None:
        self.name = name
        self.hub = Hub(name, buffers)
        self.lending = Lending(buffers)
        self.seq = 0
        self.display: DisplayStatus | None = None

    def show(
        self, layout: Layout, planes: Sequence[Pixels], t_ns: int, lores: tuple[Layout, Sequence[Pixels]] | None = None
    ) -> None:
        """Publish one frame."""
        assert self.lending.acquire()
        images = {"main": image_of(layout, planes)}
        if lores is not None:
            images["lores"] = image_of(*lores)
        self.seq += 1
        self.hub.publish(Frame.lend(self.name, self.seq, t_ns, images, self.lending.release))

    def show_display(self, display: DisplayStatus) -> None:
        self.display = display

    def grey(self, t_ns: int, shade: int = 128, width: int = 160, height: int = 90) -> None:
        """Publish an even picture, full range, so that shade n is grey n on the screen."""
        layout = Layout.packed(width, height, full_range=True)
        planes = [
            np.full((p.rows, p.width), value, np.uint8)
            for p, value in zip(layout.planes, (shade, 128, 128), strict=True)
        ]
        self.show(layout, planes, t_ns)


def image_of(layout: Layout, planes: Sequence[Pixels]) -> Image:
    """A picture whose padding is filled with a colour that must never be seen."""
    memory = bytearray(b"\xfa" * max(p.offset + p.stride * p.rows for p in layout.planes))
    image = Image(layout, [memory])
    for index, plane in enumerate(planes):
        image.plane(index)[:] = plane
    return image


def framebuffer(viewport: Any) -> Pixels:
    """What GL has drawn, shape (height, width, 3)."""
    return rgb_of(viewport.grabFramebuffer())


def rgb_of(image: Any) -> Pixels:
    """A QImage of 32 bits a pixel as array of shape (height, width, 3).

    Not by convertToFormat: it starts Qt's thread pool, whose descriptors stay for half a minute.
    """
    from PySide6.QtGui import QImage

    kind = QImage.Format
    words = image.format() in (kind.Format_RGB32, kind.Format_ARGB32, kind.Format_ARGB32_Premultiplied)
    assert words or image.format() in (kind.Format_RGBX8888, kind.Format_RGBA8888, kind.Format_RGBA8888_Premultiplied)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return np.ascontiguousarray(rows[:, :, [2, 1, 0] if words else [0, 1, 2]])


RECORDING = RecordingStatus("recording", "", "front-000001-00001", 0, 30, 1000, 0, 0.0, 0.1, False, None, {})
CAMERA = CameraStatus(
    "front", "a camera", "camera", "live", "", 1280, 720, 30.0, 0.01, 100, {}, {"free": 12},
    EncoderStatus(100, 3.0, 0.9, ""), StreamStatus(0, 0, 0, ""), DisplayStatus(), RECORDING,
)  # fmt: skip
WELL = Status("1", 60.0, 1_790_000_000 * 10**9, "ntp", "recording", "", (CAMERA,), DiskStatus("/d", 1, 2, ""), 0)


def camera_status(name: str = "front", *, state: Any = "recording", words: str = "", **recording: Any) -> CameraStatus:
    return replace(CAMERA, name=name, words=words, recording=replace(RECORDING, state=state, **recording))
