"""How much of its time a worker works."""

from __future__ import annotations

from blackbox_qt.core.clock import NS, Clock

_WINDOW_NS = 2 * NS


class Busy:
    """How busy a worker was during the last two to four seconds, from counters that only grow.

    Threads: any, one at a time (the status is made under a lock).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks = [(clock.boot_ns(), 0, 0.0)] * 2  # (when, pieces of work done, seconds busy), older and newer

    def look(self, count: int, busy_s: float) -> tuple[float, float]:
        """(seconds per piece of work, part of the time spent on it); both 0.0 when nothing was done."""
        now = self._clock.boot_ns()
        if count < self._marks[1][1]:  # a new worker counts from 0
            self._marks = [(now, 0, 0.0)] * 2
        if now - self._marks[1][0] > _WINDOW_NS:
            self._marks = [self._marks[1], (now, count, busy_s)]
        when, done, busy = self._marks[0]
        each = (busy_s - busy) / (count - done) if count > done else 0.0
        return each, (busy_s - busy) * NS / max(1, now - when)
