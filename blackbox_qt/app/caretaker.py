"""Keeps one camera's frames coming: opens the source, notices when it dies or stalls, heals it in stages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from blackbox_qt.app.change import Change
from blackbox_qt.app.flow import Calls, Flow
from blackbox_qt.app.healing import FIRST_PICTURE_S, STALLED_AFTER_S, Healing, Outages, StallError
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
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
        self.flow = Flow(publish, clock)
        self.healing = Healing()
        self.outages = Outages()
        self.source: Source | None = None
        self.refused: SourceError | None = None  # what no trying again can mend
        self.failed_once = threading.Event()
        self._make = make
        self._look = look
        self._ended = ended
        self._clock = clock
        self._words = ""
        self._calls = Calls(clock)
        self._asked: Change | None = None  # waits to be carried out
        self._trial: Change | None = None  # was carried out; its new source has not started yet
        self._failure: BaseException | None = None
        self._wake = threading.Event()
        self._patience_s = FIRST_PICTURE_S  # for the first frame after a start
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
        return self._calls.hang() or self._words

    def helpless(self) -> str:
        """Why only a fresh process can help this camera; empty while something is left to try."""
        return self._calls.hang() or self.healing.hopeless

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
        with self._calls.doing("opening"):
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
        self._patience_s = patience_s
        self.flow.begin()
        with self._calls.doing("starting"):
            source.start(self.flow.deliver, self._failed)

    def _put_away(self, source: Source) -> None:
        """Stop and close; what goes wrong now is said, but does not hide why it was put away."""
        self._try("stopping", source.stop)
        self._ended()
        self._try("closing", source.close)

    def _try(self, what: str, do: Callable[[], None]) -> None:
        try:
            with self._calls.doing(what):
                do()
        except Exception as error:  # the source's door
            fault = _as_fault(error)
            self.healing.not_closed(fault)
            log.error("%s: %s", self.camera, fault)

    def _failed(self, error: BaseException) -> None:
        self._failure = error
        self._wake.set()

    def _check(self, source: Source) -> None:
        failure, flowing_s = self._failure, self.flow.flowing_s()
        if isinstance(failure, SourceError):
            raise failure
        if failure is not None:
            raise SourceError(f"{source.device} stopped: {failure}") from failure
        if flowing_s is not None:
            self._note_pictures()
            self.healing.pictures(flowing_s)
        patience_s = self._patience_s if flowing_s is None else STALLED_AFTER_S
        if self.flow.silent_s() > max(patience_s, 3 / source.fps):
            self._start_again(source)

    def _note_pictures(self) -> None:
        assert self.flow.first_ns is not None
        self._brought = True
        without_s = self.outages.end(self.flow.first_ns)
        if self._words:
            log.warning("%s: pictures again, after %.1f s without", self.camera, without_s)
            self._words = ""
        elif without_s:
            log.info("%s: pictures after the change, %.1f s without", self.camera, without_s)

    def _start_again(self, source: Source) -> None:
        """The first stage. Raises StallError, which is the second, if it was tried already."""
        words = f"{source.device} gives no pictures{' any more' if self.flow.meter.frames else ''}"
        if not self.healing.may_restart():
            raise StallError(f"{words}; check its cable")
        self._trouble(f"{words}; starting the stream again")
        with self._calls.doing("stopping"):
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
        self.outages.begin(self.flow.last_ns)
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
        self.outages.begin(self.flow.last_ns)
        if self.healing.unclean:  # a frame that is still out could be sealed as the new source's
            self._asked = None
            change.end(SourceError(f"{self.camera}: frames of its source did not come home", process=True))
            return
        change.parked.set()
        while not change.decided.wait(_LOOK_EVERY_S):
            self._look()
            if self._worker.stop_requested.is_set():
                return
        if self._asked is change:  # else it was called off, and the next one waits already
            self._asked = None
        self._trial = change
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
