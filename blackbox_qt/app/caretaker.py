"""Keeps one camera's frames coming: opens the source, notices when it dies or stalls, tries again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from blackbox_qt.app.part import Backoff
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.meter import Meter
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources import Source, SourceError

log = logging.getLogger(__name__)

STALLED_AFTER_S = 2.0
"""No frame for so long: the source is closed and opened again."""
STOPPED_AFTER_S = 0.3
"""A picture older than this is not live (DESIGN rule 5)."""
_LOOK_EVERY_S = 0.1
_WELL_AFTER_S = 10.0


class Caretaker:
    """Owns a camera's source, in `care-<camera>`: opening one may take seconds and must not hold up the others.

    `publish` takes over every frame, on the source's thread. `look` is called about ten times a second: for mending
    what else belongs to the camera.

    Threads: `start`, `stop` by the owner; attributes any.
    """

    def __init__(
        self,
        camera: str,
        make: Callable[[], Source],
        publish: Callable[[Frame], None],
        look: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.camera = camera
        self.meter = Meter()
        self.words = ""  # what is wrong with the source; empty when well
        self.source: Source | None = None
        self.refused: SourceError | None = None  # what no trying again can mend
        self.failed_once = threading.Event()
        self._make = make
        self._publish = publish
        self._look = look
        self._clock = clock
        self._backoff = Backoff()
        self._failure: BaseException | None = None
        self._wake = threading.Event()
        self._opened_ns = 0
        self._worker = Worker(f"care-{camera}", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self, timeout: float) -> bool:
        """Stop and close the source. False when that took longer than `timeout` s."""
        self._worker.stop()
        self._wake.set()
        return self._worker.join(timeout)

    def age_s(self) -> float | None:
        """Seconds since the newest frame, None before the first."""
        return self.meter.age_s(self._clock.boot_ns())

    def _run(self) -> None:
        while not self._worker.stop_requested.is_set():
            try:
                self._live()
            except SourceError as error:
                self._fault(error)
            except Exception as error:  # the source's door: an unforeseen failure is a fault like the others
                log.debug("%s failed in an unforeseen way", self.camera, exc_info=True)
                self._fault(SourceError(f"{type(error).__name__}: {error}"))

    def _live(self) -> None:
        """Open the source and let it run until asked to stop. Raises SourceError when it fails or stalls."""
        source = self._make()
        self._failure = None
        self.meter.restart()
        source.open()
        try:
            self.source = source
            self._opened_ns = self._clock.boot_ns()
            source.start(self._deliver, self._failed)
            try:
                while not self._worker.stop_requested.is_set():
                    self._pause(_LOOK_EVERY_S)
                    self._check(source)
            finally:
                source.stop()
        finally:
            source.close()

    def _deliver(self, frame: Frame) -> None:
        self.meter.tick(frame.seq, frame.t_ns)
        self._publish(frame)

    def _failed(self, error: BaseException) -> None:
        self._failure = error
        self._wake.set()

    def _check(self, source: Source) -> None:
        failure = self._failure
        if failure is not None:
            if isinstance(failure, SourceError):
                raise failure
            raise SourceError(f"{source.device} stopped: {failure}") from failure
        now = self._clock.boot_ns()
        newest = max(self.meter.last_t_ns, self._opened_ns)
        if now - newest > STALLED_AFTER_S * NS:
            raise SourceError(f"{source.device} gives no pictures any more; check its cable")
        if self.words and self.meter.last_t_ns > self._opened_ns:
            log.warning("%s: pictures again", self.camera)
            self.words = ""
        if now - self._opened_ns > _WELL_AFTER_S * NS:
            self._backoff.reset()

    def _fault(self, error: SourceError) -> None:
        if self._worker.stop_requested.is_set():
            log.error("%s: %s", self.camera, error)  # while closing: said, but nothing is left to try
            return
        wait_s = self._backoff.wait_s()
        self.words = str(error)
        if error.permanent:
            self.refused = error
        self.failed_once.set()
        log.error("%s: %s; trying again in %.0f s", self.camera, error, wait_s)
        until = self._clock.boot_ns() + int(wait_s * NS)
        while not self._worker.stop_requested.is_set() and self._clock.boot_ns() < until:
            self._pause(_LOOK_EVERY_S)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
        self._look()
