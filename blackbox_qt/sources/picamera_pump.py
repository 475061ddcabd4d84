"""The thread that takes a camera's pictures: what `Picamera2.start_preview()` is given in place of a preview."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from blackbox_qt.core.worker import Worker
from blackbox_qt.sources.source import Failed, SourceError


class Pump:
    """Runs Picamera2's `process_requests` in a thread of ours, and nothing else in it.

    Picamera2 calls back under its lock and hands out only the newest request of several; so each is acquired in its
    `post_callback`, and given to `take` after the lock is free. Whoever takes one releases it.

    Threads: `start` and `stop` by the owner's, through Picamera2; `fail` any; `take` is called on the pump's own.
    """

    def __init__(self, name: str, take: Callable[[Any], None], failed: Failed) -> None:
        self._take = take
        self._fault: SourceError | None = None
        self._ready: deque[Any] = deque()
        self._camera: Any = None
        self._wake = -1
        self._lock = threading.Lock()  # so that nobody writes into a descriptor that is somebody else's by now
        self._worker = Worker(name, self._run, failed)

    # ---- what Picamera2 wants of a preview, see its null_preview.py

    def start(self, camera: Any) -> None:
        self._camera = camera
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        camera.attach_preview(self)
        camera.post_callback = self._collect
        self._worker.start()

    def stop(self) -> None:
        """Called by `Picamera2.stop_preview()`. When it returns `take` is not called any more."""
        self._worker.stop()
        os.eventfd_write(self._wake, 1)
        self._worker.join()
        with self._lock:
            os.close(self._wake)
            self._wake = -1
        self._camera.post_callback = None
        self._camera.detach_preview()
        while self._ready:
            self._ready.popleft().release()
        self._camera, self._take = None, _nobody  # an error that somebody keeps must not keep the camera's memory

    def render_request(self, request: Any) -> None:
        """Nothing is drawn here."""

    def set_title_function(self, function: Any) -> None:
        """There is no title."""

    def set_overlay(self, overlay: Any) -> None:
        """Nor an overlay."""

    # ---- ours

    def fail(self, error: SourceError) -> None:
        """End the pump with `error`; the first one counts, and none after `stop`."""
        with self._lock:
            if self._fault is None and self._wake >= 0:
                self._fault = error
                os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._camera.notifyme_r, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while not self._worker.stop_requested.is_set():
            poller.poll()
            if self._fault is not None:
                raise self._fault
            self._camera.notifymeread.read()  # one byte for each time something became ready; it does not wait
            self._camera.process_requests(self)
            while self._ready and not self._worker.stop_requested.is_set():
                self._take(self._ready.popleft())

    def _collect(self, request: Any) -> None:
        request.acquire()
        self._ready.append(request)


def _nobody(request: Any) -> None:
    request.release()
