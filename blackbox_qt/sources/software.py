"""What sources have in common whose pictures are made or decoded here: a thread of their own, and its end."""

from __future__ import annotations

from functools import partial

from blackbox_qt.core.clock import Clock, SystemClock
from blackbox_qt.core.pace import Pacer
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources.source import Deliver, Failed


class SoftwareSource:
    """Runs `_play(deliver, pacer)` on `cam-<camera>` between `start` and `stop`; the pacer says when that is over.

    Frame numbers go on from one start to the next.

    Threads: see Source.
    """

    def __init__(self, camera: str, clock: Clock | None) -> None:
        self.camera = camera
        self._clock = clock or SystemClock()
        self._seq = 0  # of the next frame
        self._worker: Worker | None = None

    def start(self, deliver: Deliver, failed: Failed) -> None:
        self._worker = Worker(f"cam-{self.camera}", partial(self._run, deliver), failed)
        self._worker.start()

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker.join()
            self._worker = None  # only now: the thread looks at it when it begins

    def _run(self, deliver: Deliver) -> None:
        assert self._worker is not None
        self._play(deliver, Pacer(self._clock, self._worker.stop_requested))

    def _play(self, deliver: Deliver, pacer: Pacer) -> None:
        """Deliver frames until the pacer's `wait` gives None."""
        raise NotImplementedError
