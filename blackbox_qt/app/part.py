"""A part that may die and is built anew: after 2 s, then 4, 8, … at most 30 s."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import in_words

log = logging.getLogger(__name__)


class Backoff:
    """How long to wait before the next try. Good news (`reset`) makes it short again.

    Threads: one.
    """

    def __init__(self, first_s: float = 2.0, most_s: float = 30.0) -> None:
        self._first, self._most = first_s, most_s
        self._next = first_s

    def wait_s(self) -> float:
        """Seconds to wait now; doubles for the next time."""
        now, self._next = self._next, min(self._most, self._next * 2)
        return now

    def reset(self) -> None:
        self._next = self._first


class Startable(Protocol):
    """Threads: one owner."""

    def start(self) -> None: ...


T = TypeVar("T", bound=Startable)
_WELL_AFTER_S = 30.0
_DEAD_S = 0.5  # a thread that has reported its death needs no longer to be gone


class Part(Generic[T]):
    """Owns one sink or writer, and replaces it when it has died.

    `build(on_crash)` makes a new one, not yet started; `end(part, timeout)` stops one and unhooks it, False when that
    took longer than `timeout` seconds.

    Threads: `crashed` any; everything else one owner, the caretaker.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[Callable[[BaseException], None]], T],
        end: Callable[[T, float], bool],
        clock: Clock,
    ) -> None:
        self.name = name
        self.words = ""
        self._build = build
        self._end = end
        self._clock = clock
        self._backoff = Backoff()
        self._due_ns: int | None = None
        self._began_ns = 0
        self._error: BaseException | None = None
        self.now: T = build(self.crashed)

    def start(self) -> None:
        self._began_ns = self._clock.boot_ns()
        self.now.start()

    def crashed(self, error: BaseException) -> None:
        """Called by the part, on its own dying thread."""
        self._error = error
        self.words = f"{self.name} failed: {error}"
        log.error("%s failed, it will be restarted: %s", self.name, in_words(error))

    def mend(self) -> None:
        """Build a new one if the old one died and it is time. Called a few times a second; never raises."""
        if self._error is None:
            return
        now = self._clock.boot_ns()
        if self._due_ns is None:
            if now - self._began_ns > _WELL_AFTER_S * NS:
                self._backoff.reset()
            self._due_ns = now + int(self._backoff.wait_s() * NS)
        if now < self._due_ns:
            return
        self._error, self._due_ns, self.words = None, None, ""
        try:
            self._end(self.now, _DEAD_S)
            self.now = self._build(self.crashed)
            self.start()
        except Exception as error:  # the part's door: one that cannot be built is tried again like one that died
            self.crashed(error)
        else:
            log.warning("%s was restarted", self.name)

    def stop(self, timeout: float) -> bool:
        """Stop it for good. False when that took longer than `timeout` s."""
        return self._end(self.now, timeout)
