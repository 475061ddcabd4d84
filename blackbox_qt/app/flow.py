"""What the caretaker sees of a source from outside: its frames, and whether its calls return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blackbox_qt.app.healing import HANGS_AFTER_S, HELPLESS
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.meter import Meter


class Flow:
    """Frames on their way from the source to the hub: marked with the start they are from, counted and timed.

    Threads: `deliver` the source's; `begin` the caretaker's, while nothing comes; the rest any.
    """

    def __init__(self, publish: Callable[[Frame], None], clock: Clock) -> None:
        self.meter = Meter()
        self.first_ns: int | None = None  # when the first frame of this start came
        self._publish = publish
        self._clock = clock
        self._epoch = 0  # how often a source was started
        self._began_ns = self._started_ns = clock.boot_ns()
        self._arrived_ns = 0  # when the newest frame came, whatever the time it carries

    def begin(self) -> None:
        """A source is about to start; its numbers do not compare with those before."""
        self.first_ns = None
        self._epoch += 1
        self.meter.restart()
        self._started_ns = self._clock.boot_ns()

    def deliver(self, frame: Frame) -> None:
        frame.epoch = self._epoch
        self._arrived_ns = self._clock.boot_ns()
        if self.first_ns is None:
            self.first_ns = self._arrived_ns
        self.meter.tick(frame.seq, frame.t_ns)
        frame.count, frame.missed = self.meter.frames, self.meter.lost
        self._publish(frame)

    @property
    def last_ns(self) -> int:
        """When the newest frame came, whichever source it was from; before the first, when all this began."""
        return self._arrived_ns or self._began_ns

    def age_s(self) -> float | None:
        """Seconds since the newest frame came, None before the first."""
        return None if not self._arrived_ns else max(0, self._clock.boot_ns() - self._arrived_ns) / NS

    def flowing_s(self) -> float | None:
        """Seconds since this start's first frame, None before it."""
        return None if self.first_ns is None else (self._clock.boot_ns() - self.first_ns) / NS

    def silent_s(self) -> float:
        """Seconds since this start's newest frame, or since the start itself."""
        since = self._started_ns if self.first_ns is None else self._arrived_ns
        return (self._clock.boot_ns() - since) / NS


class Calls:
    """What the source is doing for the caretaker, and for how long: a driver may never return.

    Threads: `doing` the caretaker's; `hang` any.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now: tuple[str, int] | None = None

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Around a call: opening, starting, stopping or closing."""
        self._now = what, self._clock.boot_ns()
        try:
            yield
        finally:
            self._now = None

    def hang(self) -> str:
        """What it does not return from, in words; empty while that takes no longer than it may."""
        now = self._now
        if now is None or self._clock.boot_ns() - now[1] <= HANGS_AFTER_S[now[0]] * NS:
            return ""
        return f"the driver hangs while {now[0]} the camera; {HELPLESS}"
