"""Keeps one camera's frames coming: opens the source, notices when it dies or stalls, heals it in stages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blackbox_qt.app.change import Change
from blackbox_qt.app.healing import FIRST_PICTURE_S, HANGS_AFTER_S, HELPLESS, STALLED_AFTER_S, Healing, Outages
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.meter import Meter
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources import Source, SourceError

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1


class Caretaker:
    """Owns a camera's source, in `care-<camera>`: opening one may take seconds and must not hold up the others.

    `publish` takes over every frame, on the source's thread. `look` is called about ten times a second, for mending
    what else belongs to the camera; it does not raise. `ended` is called when a source has stopped.

    Threads: `start`, `ask_to_stop`, `join` by the owner; everything else any.
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
        self.healing = Healing()
        self.outages = Outages()
        self.source: Source | None = None
        self.refused: SourceError | None = None  # what no trying again can mend
        self.failed_once = threading.Event()
        self._make = make
        self._publish = publish
        self._look = look
        self._ended = ended
        self._clock = clock
        self._words = ""
        self._call: tuple[str, int] | None = None  # what the source is doing for us, since when
        self._asked: Change | None = None  # waits to be carried out
        self._trial: Change | None = None  # was carried out; its new source has not started yet
        self._failure: BaseException | None = None
        self._wake = threading.Event()
        self._epoch = 0  # how often a source was started
        self._began_ns = clock.boot_ns()
        self._started_ns = 0
        self._first_ns: int | None = None  # when the first frame after that came
        self._arrived_ns = 0  # when the newest frame came, whatever the time it carries
        self._patience_s = STALLED_AFTER_S
        self._opened = self._brought = False  # what has become of the opening under way: opened, brought pictures
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

    def change(self, change: Change) -> None:
        """Put the source away and go on with another one; one change at a time. See `Change` for what comes back."""
        self._asked = change
        self._wake.set()
        if self._worker.stop_requested.is_set():
            change.end(SourceError("the program ends"))

    @property
    def words(self) -> str:
        """What is wrong with the source, and what is being done; empty when well."""
        return self._hangs() or self._words

    def helpless(self) -> str:
        """Why only a fresh process can help this camera; empty while something is left to try."""
        return self._hangs() or self.healing.hopeless

    def age_s(self) -> float | None:
        """Seconds since the newest frame came, None before the first."""
        return None if not self._arrived_ns else max(0, self._clock.boot_ns() - self._arrived_ns) / NS

    def _hangs(self) -> str:
        """What the source does not return from, in words."""
        call = self._call
        if call is None or self._clock.boot_ns() - call[1] <= HANGS_AFTER_S[call[0]] * NS:
            return ""
        return f"the driver hangs while {call[0]} the camera; {HELPLESS}"

    # ---- the caretaker's thread

    def _run(self) -> None:
        try:
            while not self._worker.stop_requested.is_set():
                self._carry_out_change()
                if not self._worker.stop_requested.is_set():
                    self._live()
                if self._words and not self._over():
                    self._wait_for_next_try()
        finally:
            self._answer(SourceError("the program ends"))

    def _live(self) -> None:
        """One opening, to its end: a fault, a change, or the program's end."""
        self._opened = self._brought = False
        try:
            source = self._open()
        except Exception as error:  # the source's door: an unforeseen failure is a fault like the others
            self._fault(error)
            return
        try:
            self._run_stream(source)
        except Exception as error:  # the source's door
            self._fault(error)  # before closing, which a hung driver may hold up
        finally:
            self._put_away(source)

    def _open(self) -> Source:
        source = self._make()
        self._failure = None
        with self._calling("opening"):
            source.open()
        self.source, self._opened = source, True
        if self._words:
            self.healing.opened()
        return source

    def _run_stream(self, source: Source) -> None:
        """Until asked for something else. Raises SourceError when it fails, or stalls for good."""
        self._begin(source, FIRST_PICTURE_S)
        self._answer(None)
        while not self._over():
            self._pause(_LOOK_EVERY_S)
            self._check(source)

    def _begin(self, source: Source, patience_s: float) -> None:
        """Start the stream; its numbers do not compare with those before."""
        self._first_ns, self._patience_s = None, patience_s
        self._epoch += 1
        self.meter.restart()
        self._started_ns = self._clock.boot_ns()
        with self._calling("starting"):
            source.start(self._deliver, self._failed)

    def _put_away(self, source: Source) -> None:
        """Stop and close; what goes wrong now is said, but does not hide why it was put away."""
        self._try("stopping", source.stop)
        self._ended()
        self._try("closing", source.close)

    def _try(self, what: str, do: Callable[[], None]) -> None:
        try:
            with self._calling(what):
                do()
        except Exception as error:  # the source's door
            fault = _as_fault(error)
            self.healing.not_closed(fault)
            log.error("%s: %s", self.camera, fault)

    @contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        """The source does this for us, and may never return."""
        self._call = what, self._clock.boot_ns()
        try:
            yield
        finally:
            self._call = None

    def _deliver(self, frame: Frame) -> None:
        frame.epoch = self._epoch
        self._arrived_ns = self._clock.boot_ns()
        if self._first_ns is None:
            self._first_ns = self._arrived_ns
        self.meter.tick(frame.seq, frame.t_ns)
        self._publish(frame)

    def _failed(self, error: BaseException) -> None:
        self._failure = error
        self._wake.set()

    def _check(self, source: Source) -> None:
        failure, first, now = self._failure, self._first_ns, self._clock.boot_ns()
        if isinstance(failure, SourceError):
            raise failure
        if failure is not None:
            raise SourceError(f"{source.device} stopped: {failure}") from failure
        if first is not None:
            self._note_pictures(first)
            self.healing.pictures((now - first) / NS)
        since = self._started_ns if first is None else self._arrived_ns
        patience_s = max(self._patience_s if first is None else STALLED_AFTER_S, 3 / source.fps)
        if now - since > patience_s * NS:
            self._start_again(source)

    def _note_pictures(self, first_ns: int) -> None:
        self._brought = True
        without_s = self.outages.end(first_ns)
        if self._words:
            log.warning("%s: pictures again, after %.1f s without", self.camera, without_s)
            self._words = ""
        elif without_s:
            log.info("%s: pictures after the change, %.1f s without", self.camera, without_s)

    def _start_again(self, source: Source) -> None:
        """The first stage. Raises SourceError, which is the second, if it was tried already."""
        words = f"{source.device} gives no pictures{' any more' if self.meter.frames else ''}"
        if not self.healing.may_restart():
            raise SourceError(f"{words}; check its cable; opening the camera again")
        self._trouble(f"{words}; starting the stream again")
        with self._calling("stopping"):
            source.stop()
        self._ended()
        self._begin(source, STALLED_AFTER_S)

    def _fault(self, error: Exception) -> None:
        """This opening is over."""
        fault = _as_fault(error)
        if fault is not error:
            log.debug("%s failed in an unforeseen way", self.camera, exc_info=error)
        if fault.permanent:
            self.refused = fault
        self._trouble(self.healing.failed(fault, vain=self._opened and not self._brought))
        self._answer(fault)

    def _trouble(self, words: str) -> None:
        """Words first, on every face and in the log; once for each stage."""
        self.outages.begin(self._arrived_ns or self._began_ns)
        if self._words == words and self.failed_once.is_set():
            return
        self._words = words
        self.failed_once.set()
        log.error("%s: %s", self.camera, words)

    def _wait_for_next_try(self) -> None:
        wait_s = self.healing.wait_s()
        log.info("%s: trying again in %.0f s", self.camera, wait_s)
        until = self._clock.boot_ns() + int(wait_s * NS)
        while not self._over() and self._clock.boot_ns() < until:
            self._pause(_LOOK_EVERY_S)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
        self._look()

    def _over(self) -> bool:
        return self._worker.stop_requested.is_set() or self._asked is not None

    # ---- another source, while nothing is open

    def _carry_out_change(self) -> None:
        change = self._asked
        if change is None:
            return
        self.outages.begin(self._arrived_ns or self._began_ns)
        if self.healing.unclean:  # a frame that is still out could be sealed as the new source's
            self._asked = None
            change.end(SourceError(f"{self.camera}: frames of its source did not come home", process=True))
            return
        change.parked.set()
        while not change.decided.wait(_LOOK_EVERY_S):
            self._look()
            if self._worker.stop_requested.is_set():
                return
        self._asked, self._trial = None, change
        if change.called_off:
            self._answer(None)
            return
        self._make = change.make
        self._words, self.refused = "", None
        self.healing.well()
        change.become()

    def _answer(self, error: SourceError | None) -> None:
        """Tell who asked for a change how it went."""
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.end(error)
        if self._asked is not None and self._worker.stop_requested.is_set():
            self._asked.end(error)


def _as_fault(error: Exception) -> SourceError:
    return error if isinstance(error, SourceError) else SourceError(f"{type(error).__name__}: {error}")
