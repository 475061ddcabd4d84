"""MARK: takes presses from anywhere, writes them down, and sees to it that what they ask for is kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

from blackbox_qt.app import mark_book, mark_words
from blackbox_qt.app.mark_book import Press
from blackbox_qt.app.mark_locks import MarkLocks
from blackbox_qt.app.mark_requests import ANSWER_S, NOBODYS, Asked, MarkError, Marks, Request, expect, settle
from blackbox_qt.app.mark_requests import waiting as as_waiting
from blackbox_qt.app.mark_store import MarkStore
from blackbox_qt.app.status import MarkStatus
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk, words_for
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.marks import Kind, Mark
from blackbox_qt.storage.naming import Retry

log = logging.getLogger(__name__)

DRIVE_S = 2.0
"""So often the keeper looks whether something can be locked."""


class Marking:
    """All marks of this box. What is asked for waits in memory until the card has it, in a thread `marks`.

    `root`, `libraries`, `more`: as for a MarkStore. `refusal(mark)`: why there is no room for it, in words, or "";
    `refusal_of(mark, segment)`: the same for one more segment of a whole trip. `elsewhere()`: there is footage that no
    library sees yet.

    Threads: `start`, `flush`, `close` by the App; `drive` the keeper's; everything else any, and never waits.
    """

    def __init__(
        self,
        clock: Clock,
        disk: Disk,
        config: MarksConfig,
        root: Callable[[], Path | None],
        libraries: Callable[[], Iterable[Library]],
        cameras: Callable[[], Collection[str]],
        refusal: Callable[[Mark], str] = lambda _: "",
        refusal_of: Callable[[Mark, SegmentInfo], str] = lambda *_: "",
        more: Callable[[], Iterable[Path]] = lambda: (),
        elsewhere: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store = MarkStore(disk, root, libraries, more)
        self._clock = clock
        self._config = config
        self._root = root
        self._locks = MarkLocks(clock, libraries, cameras, refusal_of, elsewhere)
        self._refusal = refusal
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._expected: Marks = {}  # what the requests will make of the marks
        self._over = False
        self._changes = 0  # of what is asked for
        self._seen: tuple[tuple[int, int], int, tuple[Mark, ...]] | None = None
        self._driving = threading.Lock()  # held while locks are driven: never two at it
        self._wake = threading.Event()
        self._retry = Retry()
        self._trouble = ""
        self._worker = Worker("marks", self._run)

    def start(self) -> None:
        self._worker.start()

    # ---- asked by anybody

    def ask(self, by: str, reason: str = "", note: str = "", kind: Kind = "manual", whole_trip: bool = False) -> Asked:
        """Keep this moment, as the settings say, or the whole trip."""
        anchor, boot = self._clock.anchor(), self._clock.machine_boot
        press = Press(mark_book.new_id(), by, reason, note, kind, whole_trip, boot, anchor)

        def change(marks: Marks) -> Mark:
            return mark_book.pressed(marks, press, self._config)

        return self._send(Request(change, anchor.boot_ns, checked=True))

    def undo(self, name: str) -> Asked:
        """Take a mark back: its locks go, those of other marks stay. Answering raises MarkError when there is none."""

        def change(marks: Marks) -> Mark:
            if name not in marks:
                raise MarkError(mark_words.unknown(name))
            return mark_book.undone(marks[name])

        return self._send(Request(change, self._clock.boot_ns()))

    def marks(self) -> tuple[Mark, ...]:
        """All that are known, oldest first; what is not on the card yet is `waiting`."""
        with self._lock:
            waiting = dict(self._expected) if self._requests else {}
        saved = self.store.marks
        return tuple({**saved, **{n: as_waiting(m) for n, m in waiting.items() if saved.get(n) != m}}.values())

    def status(self) -> MarkStatus:
        now = self._clock.boot_ns()
        count, of_today = self._looked()
        running = [m for m in of_today if m.is_running(self._clock.machine_boot, now)]
        event = max(running, key=lambda m: (not m.whole_trip, m.asked_ns), default=None)
        until = event.until_ns if event else None
        with self._lock:
            waiting = [request.asked_ns for request in self._requests if not request.settles]
        return MarkStatus(
            count=count,
            running=event.id if event else "",
            whole_trip=any(m.whole_trip for m in running),
            left_s=None if until is None else round((until - now) / NS, 1),
            waiting=len(waiting),
            words=mark_words.WAITING if waiting and now - min(waiting) >= ANSWER_S * NS else "",
            refused=self._locks.refused,
        )

    def _looked(self) -> tuple[int, tuple[Mark, ...]]:
        """How many hold, and those of this start of the machine: gone through only when something has changed."""
        now = self.store.revision, self._changes
        if self._seen is None or self._seen[0] != now:
            marks = [mark for mark in self.marks() if not mark.undone]
            of_today = tuple(mark for mark in marks if mark.machine_boot == self._clock.machine_boot)
            self._seen = now, sum(mark.state != "waiting" for mark in marks), of_today
        return self._seen[1], self._seen[2]

    def _send(self, request: Request) -> Asked:
        request.saved.set_running_or_notify_cancel()  # from here on a cancelled wait leaves the answer alone
        with self._lock:
            if not self._requests:
                self._expected = self.store.marks
            mark = expect(self._expected, request)
            if self._over:
                request.saved.set_exception(MarkError(mark_words.NOT_SAVED))
            else:
                self._requests.append(request)
                self._changes += 1
        self._wake.set()
        return Asked(as_waiting(mark) if mark else NOBODYS, request.saved)

    # ---- the worker's

    def _run(self) -> None:
        while not self._worker.stop_requested.is_set():
            self.work()
            self._wake.wait(self._wait_s())
            self._wake.clear()
        try:
            self.drive()
        except OSError as error:  # the next start does it
            log.error("not all that marks cover is locked yet: %s", self._told(error))
        self._retry.reset()
        self.work()
        self._give_up()

    def _wait_s(self) -> float | None:
        with self._lock:
            if not self._requests:
                return None
        return max(0.01, (self._retry.at_ns - self._clock.boot_ns()) / NS)

    def work(self) -> None:
        """Write down what was asked for; what the card does not take stays here and is tried again."""
        with self._lock:
            batch = list(self._requests)
        if batch and self._clock.boot_ns() >= self._retry.at_ns:
            try:
                answers = self._written(batch)
            except OSError as error:
                self._failed(error)
                return
            self._done(batch, answers)

    def _written(self, batch: list[Request]) -> list[Mark | MarkError]:
        try:
            self.store.load()  # an event of before a restart may still be under way
        except OSError as error:  # not needed for a new one; `drive` tells of it
            log.debug("the marks of before are not known yet: %s", error)
        marks = self.store.marks
        before = dict(marks)
        answers = [self._carried_out(marks, request) for request in batch]
        changed = {name: mark for name, mark in marks.items() if before.get(name) != mark}
        if changed:
            self.store.save(changed)
        return answers

    def _carried_out(self, marks: Marks, request: Request) -> Mark | MarkError:
        try:
            mark = request.change(marks)
        except MarkError as error:
            return error
        words = self._refusal(mark) if request.checked else ""
        if words:
            return replace(mark, state="refused", words=words)
        marks[mark.id] = mark
        return replace(mark, words=mark_words.UNDONE if mark.undone else mark_words.saved(mark, self._config))

    def _done(self, batch: list[Request], answers: list[Mark | MarkError]) -> None:
        self._retry.reset()
        with self._lock:
            del self._requests[: len(batch)]
            self._changes += 1
            self._expected = self.store.marks
            for request in self._requests:
                expect(self._expected, request)
        if self._trouble:
            log.info("marks are saved again")
            self._trouble = ""
        for request, answer in zip(batch, answers, strict=True):
            settle(request, answer)

    def _told(self, error: OSError) -> str:
        return words_for(error, self._root() or Path("the card"))

    def _failed(self, error: OSError) -> None:
        self._retry.failed(self._clock.boot_ns())
        words = self._told(error)
        if words != self._trouble:
            self._trouble = words
            log.error("a mark waits for the card: %s", words)

    def _give_up(self) -> None:
        """The program ends, and the card does not take them: whoever still waits is told."""
        with self._lock:
            left, self._requests, self._over = self._requests, [], True
        unsaved = sum(not request.settles for request in left)
        if unsaved:
            log.error("%d marks could not be saved: %s", unsaved, self._trouble)
        for request in left:
            request.saved.set_exception(MarkError(mark_words.NOT_SAVED))

    # ---- the keeper's, and the end

    def drive(self) -> None:
        """Lock what marks cover and is finished, let go of what was undone: also for marks of before a crash.

        Costs nothing when there is nothing to do. Raises OSError; what the disk refused is tried again the next time.
        """
        failed: OSError | None = None
        with self._driving:
            self.store.load()
            self.store.adopt()
            for mark in self.store.marks.values():
                try:
                    if not mark.settled and self._locks.drive(mark):
                        self._request_settled(mark)
                except OSError as error:  # the others may be elsewhere
                    failed = failed or error
        if failed is not None:
            raise failed

    def _request_settled(self, driven: Mark) -> None:
        """Only if nothing happened to it meanwhile: it would have to be driven again."""

        def change(marks: Marks) -> Mark:
            now = marks.get(driven.id)
            if now != driven:
                raise MarkError("it has changed")
            return replace(driven, state="applied")

        with self._lock:
            under_way = any(request.settles == driven.id for request in self._requests)
        if not under_way:
            self._send(Request(change, self._clock.boot_ns(), settles=driven.id))

    def flush(self, limit_s: float = 0.5) -> None:
        """Give what was asked for a moment to reach the card: the end of everything has begun."""
        with self._lock:
            waiting = [request.saved for request in self._requests]
        wait(waiting, limit_s)

    def close(self, timeout: float) -> bool:
        """After the last file was finished: lock what is there, save what waits, end. False when not in time."""
        self._worker.stop()
        self._wake.set()
        return self._worker.join(timeout)
