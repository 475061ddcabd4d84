"""One JPEG encode of the small picture for all browsers; asleep when nobody watches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import simplejpeg

from blackbox_qt.core import card
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.colour import to_jfif
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.core.meter import STOPPED_AFTER_S
from blackbox_qt.core.worker import Worker

_CARD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """Threads: immutable, any."""

    number: int  # counts what was encoded here, so that a client knows what it has seen
    t_ns: int  # sensor time on the boot clock; of the last frame, for a card
    data: bytes
    stopped: bool = False  # a card, not a live picture


@dataclass(frozen=True, slots=True)
class JpegSettings:
    """Threads: immutable, any."""

    quality: int = 80  # 1-100
    fps: float = 30.0  # at most


class JpegSink:
    """Encodes in `jpeg-<camera>` while somebody watches; keeps the newest only.

    Its mailbox is paused while there are no watchers and no jobs: then no JPEG and no small picture is made. When no
    frame comes for 300 ms watchers get the last one dimmed, with the title and words of `explain()` on it, once a
    second.

    Threads: `start`, `stop` by the owner; everything else any. Listeners are called on its thread.
    """

    def __init__(
        self,
        camera: str,
        inbox: Mailbox,
        settings: JpegSettings,
        clock: Clock,
        on_crash: Callable[[BaseException], None],
        explain: Callable[[], tuple[str, str]],
    ) -> None:
        self.camera = camera
        self.encoded = 0
        self.busy_s = 0.0
        self.latest: JpegFrame | None = None
        self.inbox = inbox
        self.fps_limit: float | None = None  # below the configured rate for a while; set from any thread
        self._settings = settings
        self._clock = clock
        self._explain = explain
        self._listeners: tuple[Callable[[], None], ...] = ()  # one for each watcher
        self._told: tuple[Callable[[], None], ...] = ()  # the same, each once
        self._jobs: deque[tuple[Callable[[Frame], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._worker = Worker(f"jpeg-{camera}", self._run, on_crash)
        self._next_ns = 0
        self._base = card.blank(640, 360)
        self._ended = ""  # why no more jobs are taken
        inbox.paused = True

    @property
    def watchers(self) -> int:
        return len(self._listeners)

    def start(self) -> None:
        self._worker.start()

    def stop(self, timeout: float) -> bool:
        """Close the mailbox, refuse waiting jobs, wait at most `timeout` s. False when it took longer."""
        self._worker.stop()
        self.inbox.close()
        self._awake.set()
        return self._worker.join(timeout)

    @contextmanager
    def watch(self, listener: Callable[[], None]) -> Iterator[None]:
        """While inside, `listener()` is called (on this sink's thread) each time `latest` has changed.

        Once, even if it watches several times over; `watchers` counts each.
        """
        with self._lock:
            self._listen((*self._listeners, listener))
        self._wake()
        try:
            yield
        finally:
            with self._lock:
                left = list(self._listeners)
                left.remove(listener)
                self._listen(tuple(left))

    def _listen(self, listeners: tuple[Callable[[], None], ...]) -> None:
        self._listeners, self._told = listeners, tuple(dict.fromkeys(listeners))

    def grab(self, job: Callable[[Frame], Any]) -> Future[Any]:
        """Run `job(frame)` on the next frame, on this sink's thread: for stills. The frame is closed after it."""
        future: Future[Any] = Future()
        with self._lock:
            ended = self._ended
            if not ended:
                self._jobs.append((job, future))
        if ended:
            future.set_exception(RuntimeError(ended))
        else:
            self._wake()
        return future

    def _wake(self) -> None:
        self._awake.set()  # in this order: see _sleep_if_idle
        self.inbox.paused = False

    def _sleep_if_idle(self) -> None:
        with self._lock:
            if self._listeners or self._jobs:
                return
            self._awake.clear()
        self.inbox.paused = True
        self.latest = None  # old by the time anybody looks again
        if self._awake.is_set():  # somebody came in between
            self.inbox.paused = False

    def _run(self) -> None:
        ended = "the stream failed"
        try:
            while not self._worker.stop_requested.is_set():
                self._sleep_if_idle()
                self._awake.wait()
                frame = self.inbox.take(_CARD_EVERY_S if self._shown_stopped() else STOPPED_AFTER_S)
                if frame is not None:
                    with frame:
                        self._take(frame)
                elif self._listeners and not self.inbox.closed:
                    self._publish_card()
            ended = "the program is ending"
        finally:
            self.inbox.close()  # also when dying: frames nobody will take go home
            self._refuse(ended)

    def _shown_stopped(self) -> bool:
        return self.latest is not None and self.latest.stopped

    def _take(self, frame: Frame) -> None:
        while self._jobs:
            job, future = self._jobs.popleft()
            if not future.set_running_or_notify_cancel():
                continue  # its asker has given up
            try:
                future.set_result(job(frame))
            except Exception as error:  # the asker's door: it is told, and the stream goes on
                future.set_exception(error)
        if self._listeners and self._due(frame.t_ns):
            begin = time.perf_counter()
            data = encode(frame.images["lores"], self._settings.quality)
            self.busy_s += time.perf_counter() - begin
            self._publish(data, frame.t_ns, stopped=False)

    def _due(self, t_ns: int) -> bool:
        """Keep to the highest rate allowed, forgiving a frame that is a quarter early."""
        limit = self.fps_limit
        interval = int(NS / (self._settings.fps if limit is None else min(limit, self._settings.fps)))
        if t_ns < self._next_ns - 2 * interval:
            self._next_ns = t_ns  # time went back: the camera was opened anew
        if t_ns < self._next_ns - interval // 4:
            return False
        self._next_ns = max(self._next_ns, t_ns - interval) + interval
        return True

    def _publish(self, data: bytes, t_ns: int, *, stopped: bool) -> None:
        self.encoded += 1
        self.latest = JpegFrame(self.encoded, t_ns, data, stopped)
        for listener in self._told:
            listener()

    def _publish_card(self) -> None:
        last = self.latest
        if last is None or not last.stopped:
            self._base = card.blank(640, 360) if last is None else simplejpeg.decode_jpeg(last.data)
        picture = card.say(self._base, *self._explain())
        data = simplejpeg.encode_jpeg(picture, quality=self._settings.quality)
        self._publish(data, 0 if last is None else last.t_ns, stopped=True)

    def _refuse(self, why: str) -> None:
        with self._lock:
            self._ended = why
            jobs, self._jobs = self._jobs, deque()
        for _, future in jobs:
            if future.set_running_or_notify_cancel():
                future.set_exception(RuntimeError(why))


def encode(image: Image, quality: int) -> bytes:
    """JPEG (JFIF) of a YU12 or NV12 picture, straight from its planes; `quality` 1-100."""
    y, u, v = to_jfif(image.planes(), image.layout)
    return bytes(simplejpeg.encode_jpeg_yuv_planes(y, u, v, quality, fastdct=True))
