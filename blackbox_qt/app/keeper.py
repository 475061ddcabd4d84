"""The thread `janitor`: what has to be done to the recordings beside recording, one thing after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.storage.disk import StorageError

log = logging.getLogger(__name__)

Step = Callable[[], None]
SETTLE_S = 30.0
"""So long the first fragments are waited for: a camera that hangs must not keep the others' past from being healed."""
_LOOK_S = 0.1  # how often, meanwhile
_WORK_S, _REST_S = 0.005, 0.005  # in long work: so long, then a rest, so that whoever records goes first
_RETRY_S, _RETRY_MOST_S = 10.0, 600.0
_NEVER_NS = 1 << 62


@dataclass(slots=True)
class _Job:
    """One thing to do, again and again or (every_s is None) until it has been done once.

    Threads: the janitor's, except `words`.
    """

    name: str
    step: Step
    every_s: float | None
    due_ns: int = 0
    words: str = ""  # what went wrong at the last try
    tries: int = 0  # in vain, since it last worked
    done: bool = False


class Keeper:
    """Does jobs on the recordings, on a thread of its own that begins to work when every camera's first fragment is
    durable (or has failed, or `SETTLE_S` are over): it never delays a first frame.

    Those that are due run one after the other, in the order they were given, those that are done once before the
    others; each may block on the disk. One that raises is reported and tried again; the others do not notice.

    Threads: `every`, `first`, `wake`, `troubles` any; `start`, `ask_to_stop`, `join` by the owner; `rest` the jobs'.
    """

    def __init__(self, settled: Callable[[], bool], clock: Clock) -> None:
        self.settled = threading.Event()  # the jobs have begun
        self._settled = settled
        self._clock = clock
        self._jobs: list[_Job] = []
        self._wake = threading.Event()
        self._worked_ns = 0
        self._worker = Worker("janitor", self._run)

    def first(self, name: str, step: Step) -> None:
        """Do it once, before what is done again and again; tried again, ever more seldom, while it fails."""
        self._jobs.append(_Job(name, step, None))
        self._wake.set()

    def every(self, seconds: float, step: Step, name: str = "") -> None:
        """Do it when the first things are done, and again `seconds` after each end. ValueError unless positive.

        name: what the log calls it.
        """
        if not seconds > 0:
            raise ValueError(f"a job cannot be done every {seconds} s: more than 0")
        self._jobs.append(_Job(name or getattr(step, "__qualname__", "a job"), step, seconds))
        self._wake.set()

    def wake(self) -> None:
        """Something has happened: do everything that is given again and again now, not when its time has come."""
        now = self._clock.boot_ns()
        for job in tuple(self._jobs):
            if not job.words:
                job.due_ns = min(job.due_ns, now)
        self._wake.set()

    @property
    def troubles(self) -> tuple[str, ...]:
        """What the jobs' last tries failed with, in words."""
        return tuple(f"{job.name}: {job.words}" for job in tuple(self._jobs) if job.words)

    @property
    def stopping(self) -> bool:
        """A long job should come to an end."""
        return self._worker.stop_requested.is_set()

    def rest(self) -> None:
        """To be called in long work as often as possible: lets whoever records go first, half of the time."""
        now = self._clock.boot_ns()
        if now - self._worked_ns >= _WORK_S * NS:
            self._worker.stop_requested.wait(_REST_S)
            self._worked_ns = self._clock.boot_ns()

    def start(self) -> None:
        self._worker.start()

    def ask_to_stop(self) -> None:
        """Ask it to end after the job under way; does not wait."""
        self._worker.stop()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` s; True when the thread has ended."""
        return self._worker.join(timeout)

    def _run(self) -> None:
        self._wait_for_the_recorder()
        self.settled.set()
        while not self.stopping:
            wait_s = self.step()
            self._wake.wait(wait_s)
            self._wake.clear()

    def _wait_for_the_recorder(self) -> None:
        until = self._clock.boot_ns() + int(SETTLE_S * NS)
        while not (self._settled() or self.stopping) and self._clock.boot_ns() < until:
            self._worker.stop_requested.wait(_LOOK_S)

    def step(self) -> float | None:
        """Do what is due; returns the seconds until something is again, None: not before something is given."""
        for job in sorted(self._jobs, key=lambda job: job.every_s is not None):
            if self.stopping:
                return 0.0
            if not job.done and job.due_ns <= self._clock.boot_ns():
                self._do(job)
                if job.done:
                    self._jobs.remove(job)
        now = self._clock.boot_ns()
        return min((max(0, job.due_ns - now) / NS for job in tuple(self._jobs) if not job.done), default=None)

    def _do(self, job: _Job) -> None:
        words = ""
        job.due_ns = _NEVER_NS
        try:
            job.step()
            job.done = job.every_s is None
        except Exception as error:  # a job's door: what it is about is told, and the other jobs must be done
            words = str(error) if isinstance(error, (OSError, StorageError)) else in_words(error)
            log.debug("%s failed", job.name, exc_info=True)
        if words != job.words:
            log.log(logging.ERROR if words else logging.INFO, "%s: %s", job.name, words or "works again")
        job.words, job.tries = words, job.tries + 1 if words else 0
        wait_s = job.every_s or min(_RETRY_S * 2 ** min(job.tries - 1, 8), _RETRY_MOST_S)
        job.due_ns = min(job.due_ns, self._clock.boot_ns() + round(wait_s * NS))  # it may have been woken meanwhile
