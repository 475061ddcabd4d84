"""The pictures: a GL widget that shows the newest frame of each camera, in its own colours, and no old one as new."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.hub import Hub
from blackbox_qt.ui import glapi
from blackbox_qt.ui.feed import Feed, ViewReport, best_image
from blackbox_qt.ui.geometry import Box, Margins, arrange
from blackbox_qt.ui.glapi import GL, GLError
from blackbox_qt.ui.program import PictureProgram
from blackbox_qt.ui.textures import PlaneTextures, UnshownFormatError

log = logging.getLogger(__name__)

_UNSEEN = (16, 9)  # proportions of a picture that has not come yet
_DIM = 0.35
_FRAME_COLOUR = (0.545, 0.588, 0.631)  # around an inset; tokens: muted, night
_DIRTY_STATES = (glapi.BLEND, glapi.DEPTH_TEST, glapi.SCISSOR_TEST, glapi.CULL_FACE, glapi.STENCIL_TEST)


class Viewport(QOpenGLWidget):
    """The first camera large, the others as insets that a tap makes large; letterboxed, mirrored where asked.

    Repaints only when a frame has come or a picture has grown old. Nothing is taken from the cameras while it is
    hidden or `minimised`. `on_drawn(camera, t_ns, now_ns)`, if set, is called when a frame's draw has been issued;
    both times on the boot clock.

    Threads: the GUI's.
    """

    changed = Signal()
    """A picture has become live or stopped, or has another place. Never per frame."""
    _changed_in_paint = Signal()
    failed = Signal(str)
    """OpenGL cannot show pictures here, in one sentence."""

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on_drawn: Callable[[str, int, int], None] | None = None
        self.renderer = ""  # the GL's own name, for diagnostics
        self._clock = clock
        self._margins = Margins()
        self._minimised = False
        self._feeds: list[Feed] = []  # in the order they are shown, the large one first
        self._boxes: list[Box] = []
        self._gl: GL | None = None
        self._program: PictureProgram | None = None
        self._textures: dict[str, PlaneTextures] = {}
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._changed_in_paint.connect(
            self.changed, Qt.ConnectionType.QueuedConnection
        )  # nobody moves widgets while painting

    # ---- what is shown

    def watch(self, name: str, hub: Hub, *, mirrored: bool = False) -> None:
        """Show a camera, after those already shown. Raises BudgetError."""
        feed = Feed(name, hub, self, self._arrived, mirrored=mirrored)
        feed.paused = not self._seen
        self._feeds.append(feed)
        self._arrange()

    def limit(self, fps: float | None) -> None:
        """Paint so many pictures a second of each camera at the most; None: all that come."""
        for feed in self._feeds:
            feed.fps_limit = fps

    @property
    def cameras(self) -> list[str]:
        """Names in the order shown, the large one first."""
        return [feed.name for feed in self._feeds]

    @property
    def boxes(self) -> dict[str, Box]:
        """Where each camera's picture is, in the widget's own pixels."""
        return {feed.name: box for feed, box in zip(self._feeds, self._boxes, strict=True)}

    def is_stopped(self, camera: str) -> bool:
        """Whether the picture shown is old, or there is none."""
        return self._feed(camera).stopped

    def has_picture(self, camera: str) -> bool:
        return self._feed(camera).newest_ns is not None

    def words(self, camera: str) -> str:
        """Why this camera's pictures cannot be shown; empty when they can."""
        return self._feed(camera).words

    def report(self) -> dict[str, ViewReport]:
        """What became of each camera's frames."""
        return {feed.name: feed.report() for feed in self._feeds}

    def set_margins(self, margins: Margins) -> None:
        """What lies over the pictures, in the widget's pixels."""
        if margins != self._margins:
            self._margins = margins
            self._arrange()

    def enlarge(self, camera: str) -> None:
        """Show this one large; the one that was takes its place."""
        index = self.cameras.index(camera)
        self._feeds[0], self._feeds[index] = self._feeds[index], self._feeds[0]
        self._arrange()

    @property
    def minimised(self) -> bool:
        return self._minimised

    @minimised.setter
    def minimised(self, value: bool) -> None:
        self._minimised = value
        self._pause_unseen()

    def check_age(self) -> None:
        """Mark pictures that have grown old, or are live again. To be called about ten times a second."""
        now = self._clock.boot_ns()
        for feed in self._feeds:
            feed.drop_old(now)
        turned = [feed for feed in self._feeds if feed.is_old(now) != feed.stopped]
        for feed in turned:
            feed.stopped = not feed.stopped
        if turned:
            self.update()
            self.changed.emit()

    def shut(self) -> None:
        """Give back every frame, descriptor and GL object. The widget shows nothing from here on."""
        for feed in self._feeds:
            feed.close()
        self._feeds, self._boxes = [], []
        self._forget_context()

    # ---- Qt's side

    def initializeGL(self) -> None:
        """Called again with a new context, after the widget has moved to another window."""
        self.context().aboutToBeDestroyed.connect(self._forget_context, Qt.ConnectionType.DirectConnection)
        try:
            self._gl = GL(self.context())
            self._program = PictureProgram(self._gl)
            self.renderer = f"{self._gl.text(glapi.RENDERER)}, {self._gl.text(glapi.VERSION)}"
        except GLError as error:
            self._gl = self._program = None
            self.failed.emit(str(error))

    def paintGL(self) -> None:
        if self._gl is None or self._program is None:
            return
        for state in _DIRTY_STATES:  # whoever painted before us may have left them on
            self._gl.glDisable(state)
        fresh = [done for feed in self._feeds if (done := self._upload(self._gl, feed))]
        self._draw(self._gl, self._program)
        if self.on_drawn is not None:
            now = self._clock.boot_ns()
            for camera, t_ns in fresh:
                self.on_drawn(camera, t_ns, now)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._pause_unseen()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._pause_unseen()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        for feed, box in list(zip(self._feeds, self._boxes, strict=True))[1:]:
            if box.holds(at.x(), at.y()):
                self.enlarge(feed.name)
                event.accept()
                return
        event.ignore()

    # ---- our side

    def _feed(self, camera: str) -> Feed:
        return next(feed for feed in self._feeds if feed.name == camera)

    @property
    def _seen(self) -> bool:
        return self.isVisible() and not self._minimised

    def _pause_unseen(self) -> None:
        for feed in self._feeds:
            feed.paused = not self._seen
        self.check_age()

    def _arrived(self, _: Feed) -> None:
        self.update()

    def _arrange(self) -> None:
        self._place()
        self.update()
        self.changed.emit()

    def _place(self) -> None:
        sizes = [feed.size or _UNSEEN for feed in self._feeds]
        self._boxes = arrange(sizes, (max(1, self.width()), max(1, self.height())), self._margins)

    def _upload(self, gl: GL, feed: Feed) -> tuple[str, int] | None:
        """Bring a waiting frame to the GPU: (camera, its time), None when there is none or it cannot be shown."""
        frame = feed.take()
        if frame is None:
            return None
        begin = time.perf_counter()
        textures = self._textures.get(feed.name) or self._textures.setdefault(feed.name, PlaneTextures(gl))
        # Closed right after the upload, which copies. A path that imports the camera's own buffer has to keep the
        # frame until the next one was swapped; the feed's budget (HOLDS) has room for that.
        with frame:
            try:
                image = best_image(frame, self._device_width(feed))
                textures.upload(image)
            except (UnshownFormatError, GLError) as error:
                feed.words = str(error)
                return None
            self._note_news(feed, frame)
        feed.words, feed.shown = "", feed.shown + 1
        feed.path = f"{textures.path}: " + ("dma-buf import is not built yet" if image.dmabufs else "no dma-buf given")
        feed.upload_ms = (time.perf_counter() - begin) * 1000
        return feed.name, frame.t_ns

    def _device_width(self, feed: Feed) -> int:
        return round(self._boxes[self._feeds.index(feed)].width * self.devicePixelRatio())

    def _note_news(self, feed: Feed, frame: Frame) -> None:
        """The picture is live again, or has another shape: said once painting is over."""
        layout = frame.images["main"].layout
        size = layout.width, layout.height
        old = feed.is_old(self._clock.boot_ns())
        if (size, old) != (feed.size, feed.stopped):
            feed.size, feed.stopped = size, old
            self._place()
            self._changed_in_paint.emit()

    def _draw(self, gl: GL, program: PictureProgram) -> None:
        ratio = self.devicePixelRatio()
        canvas = round(self.width() * ratio), round(self.height() * ratio)
        gl.glViewport(0, 0, *canvas)
        _fill(gl, (0.0, 0.0, 0.0))
        for index, (feed, box) in enumerate(zip(self._feeds, self._boxes, strict=True)):
            place = box.scaled(ratio)
            if index:
                _fill_box(gl, place.grown(max(1, round(2 * ratio))), canvas[1], _FRAME_COLOUR)
                _fill_box(gl, place, canvas[1], (0.0, 0.0, 0.0))
            textures = self._textures.get(feed.name)
            if textures is not None and textures.layout is not None:
                program.draw(textures, place, canvas, mirrored=feed.mirrored, light=_DIM if feed.stopped else 1.0)

    def _forget_context(self) -> None:
        """Every GL name dies with its context; a new one is filled by the next frame."""
        if self._gl is None:
            return
        self.makeCurrent()
        for textures in self._textures.values():
            textures.delete()
        if self._program is not None:
            self._program.delete()
        self.doneCurrent()
        self._textures, self._program, self._gl = {}, None, None


def _fill(gl: Any, colour: tuple[float, float, float]) -> None:
    gl.glClearColor(*colour, 1.0)
    gl.glClear(glapi.COLOR_BUFFER_BIT)


def _fill_box(gl: Any, box: Box, canvas_height: int, colour: tuple[float, float, float]) -> None:
    gl.glEnable(glapi.SCISSOR_TEST)
    gl.glScissor(box.x, canvas_height - box.y - box.height, box.width, box.height)
    _fill(gl, colour)
    gl.glDisable(glapi.SCISSOR_TEST)
