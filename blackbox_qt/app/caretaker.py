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
"""No frame for so long (or for three frames' time, if that is more): the source is closed and opened again."""
_LOOK_EVERY_S = 0.1
_WELL_AFTER_S = 10.0


class Caretaker:
    """Owns a camera's source, in `care-<camera>`: opening one may take seconds and must not hold up the others.

    `publish` takes over every frame, on the source's thread. `look` is called about ten times a second, for mending
    what else belongs to the camera; it does not raise. `ended` is called when a source has stopped.

    Threads: `start`, `ask_to_stop`, `join` by the owner; attributes any.
    """

    def __init__(
        self,
        camera: str,
        make: Callable[[], Source],
        publish: Callable[[Frame], None],
        look: Callable[[], None],
        ended: Callable[[], None],
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
        self._ended = ended
        self._clock = clock
        self._backoff = Backoff()
        self._failure: BaseException | None = None
        self._wake = threading.Event()
        self._epoch = 0  # how often the source was opened
        self._opened_ns = 0
        self._arrived_ns = 0  # when the newest frame came, whatever the time it carries
        self._worker = Worker(f"care-{camera}", self._run)

    def start(self) -> None:
        self._worker.start()

    def ask_to_stop(self) -> None:
        """Stop and close the source; does not wait."""
        self._worker.stop()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` s for the source to be closed. False when it took longer."""
        return self._worker.join(timeout)

    def age_s(self) -> float | None:
        """Seconds since the newest frame came, None before the first."""
        return None if not self._arrived_ns else max(0, self._clock.boot_ns() - self._arrived_ns) / NS

    def _run(self) -> None:
        while not self._worker.stop_requested.is_set():
            try:
                self._live()
            except SourceError as error:
                self._announce(error)
            except Exception as error:  # the source's door: an unforeseen failure is a fault like the others
                log.debug("%s failed in an unforeseen way", self.camera, exc_info=True)
                self._announce(SourceError(f"{type(error).__name__}: {error}"))
            if not self._worker.stop_requested.is_set():
                self._wait_for_next_try()

    def _live(self) -> None:
        """Open the source and let it run until asked to stop. Raises SourceError when it fails or stalls."""
        source = self._make()
        self._failure = None
        self.meter.restart()
        source.open()
        self.source = source
        self._epoch += 1
        self._opened_ns = self._clock.boot_ns()
        try:
            source.start(self._deliver, self._failed)
            while not self._worker.stop_requested.is_set():
                self._pause(_LOOK_EVERY_S)
                self._check(source)
        except SourceError as error:
            self._announce(error)  # before closing, which a hung driver may hold up
            raise
        finally:
            self._put_away(source)

    def _put_away(self, source: Source) -> None:
        """Stop and close; what goes wrong now is said, but does not hide why it was put away."""
        try:
            source.stop()
        finally:
            self._ended()
            try:
                source.close()
            except SourceError as error:
                log.error("%s: %s", self.camera, error)

    def _deliver(self, frame: Frame) -> None:
        frame.epoch = self._epoch
        self._arrived_ns = self._clock.boot_ns()
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
        patience_s = max(STALLED_AFTER_S, 3 / source.fps)
        if now - max(self._arrived_ns, self._opened_ns) > patience_s * NS:
            raise SourceError(f"{source.device} gives no pictures any more; check its cable")
        if self.words and self._arrived_ns > self._opened_ns:
            log.warning("%s: pictures again", self.camera)
            self.words = ""
        if now - self._opened_ns > _WELL_AFTER_S * NS:
            self._backoff.reset()

    def _announce(self, error: SourceError) -> None:
        """Words first, on every face and in the log; once for each failure."""
        if self.words == str(error) and self.failed_once.is_set():
            return
        self.words = str(error)
        if error.permanent:
            self.refused = error
        self.failed_once.set()
        log.error("%s: %s", self.camera, error)

    def _wait_for_next_try(self) -> None:
        wait_s = self._backoff.wait_s()
        log.info("%s: trying again in %.0f s", self.camera, wait_s)
        until = self._clock.boot_ns() + int(wait_s * NS)
        while not self._worker.stop_requested.is_set() and self._clock.boot_ns() < until:
            self._pause(_LOOK_EVERY_S)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
        self._look()
