"""One camera's way into the window: mailbox, eventfd, and what was counted on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QSocketNotifier

from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import Hub

STOPPED_AFTER_NS = 3 * NS // 10
"""A picture older than this is not live (DESIGN rule 5)."""
HOLDS = 2
"""Upload holds one frame for moments; an imported one must live until the next has been swapped: two."""


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What the window did with one camera's frames, since it opened.

    Threads: immutable, any.
    """

    shown: int
    dropped: int  # replaced by a newer one, or grown old, before they were painted
    upload_ms: float  # of the last frame
    path: str  # how pixels reach the GPU, and why this way


class Feed:
    """Takes the newest frame off the hub whenever the eventfd says so; a newer one replaces one not yet painted.

    `wake()` is called for each frame that came. Nothing arrives while it is paused, as it is at first.

    Threads: the GUI's.
    """

    def __init__(self, name: str, hub: Hub, parent: QObject, wake: Callable[[Feed], None], *, mirrored: bool) -> None:
        self.name = name
        self.mirrored = mirrored
        self.size: tuple[int, int] | None = None  # of the picture shown last
        self.newest_ns: int | None = None  # sensor time of the newest frame
        self.stopped = True
        self.words = ""  # why the window cannot show what comes
        self.shown = 0
        self.upload_ms = 0.0
        self.path = ""
        self.fps_limit: float | None = None  # pictures a second at most; None: all that come
        self._taken_ns = 0  # sensor time of the newest that was
        self._hub = hub
        self._wake = wake
        self._unpainted = 0
        self._waiting: Frame | None = None
        self._box = hub.attach("display", depth=1, holds=HOLDS, paused=True)
        self._notifier = QSocketNotifier(self._box.fileno(), QSocketNotifier.Type.Read, parent)
        self._notifier.activated.connect(self._collect)

    @property
    def paused(self) -> bool:
        """Nobody sees the window: frames pass it by."""
        return self._box.paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._box.paused = value
        if value:
            self._drop_waiting()

    def take(self) -> Frame | None:
        """The newest frame not yet painted; the caller closes it."""
        self._collect_newest()
        frame, self._waiting = self._waiting, None
        return frame

    def is_old(self, now_ns: int) -> bool:
        return self.newest_ns is None or now_ns - self.newest_ns > STOPPED_AFTER_NS

    def drop_old(self, now_ns: int) -> None:
        """Give back a frame that nobody has painted in time.

        A window on a screen that is off is not painted, and a source that stops sends no newer frame to replace it:
        the camera could not be closed.
        """
        self._collect_newest()
        if self._waiting is not None and self.is_old(now_ns):
            self._unpainted += 1
            self._drop_waiting()

    def report(self) -> ViewReport:
        return ViewReport(self.shown, self._box.dropped + self._unpainted, round(self.upload_ms, 3), self.path)

    def close(self) -> None:
        """No more frames, none held. Twice is harmless."""
        self._notifier.setEnabled(False)  # before its descriptor is closed
        self._hub.detach(self._box)
        self._drop_waiting()

    def _collect(self, *_: object) -> None:
        if self._collect_newest():
            self._wake(self)

    def _collect_newest(self) -> bool:
        frame = self._box.take(0)
        if frame is None:
            return False
        if self._is_too_soon(frame.t_ns):
            self._unpainted += 1
            frame.close()
            return False
        self._taken_ns = frame.t_ns
        if self._waiting is not None:
            self._unpainted += 1
        self._drop_waiting()
        self._waiting, self.newest_ns = frame, frame.t_ns
        return True

    def _is_too_soon(self, t_ns: int) -> bool:
        """One that would be painted sooner than the limit allows; a tenth of the time early is forgiven."""
        limit = self.fps_limit
        return limit is not None and 0 <= t_ns - self._taken_ns < NS * 9 // 10 / limit

    def _drop_waiting(self) -> None:
        frame, self._waiting = self._waiting, None
        if frame is not None:
            frame.close()


def best_image(frame: Frame, width: int) -> Image:
    """The picture to show `width` device pixels wide.

    The small one if the camera's hardware gave one that is large enough; never one that software would have to make.
    """
    small = frame.images.given("lores")
    return small if small is not None and small.layout.width >= width else frame.images["main"]
