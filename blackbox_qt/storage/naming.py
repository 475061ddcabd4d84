"""The last step of a segment, its final name, tried until it works; and how long to wait between two tries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from blackbox_qt.core.clock import NS
from blackbox_qt.storage.disk import words_for
from blackbox_qt.storage.open_segment import FinishedSegment, OpenSegment
from blackbox_qt.storage.segment import Place

log = logging.getLogger(__name__)

_FIRST_NS, _MOST_NS = NS // 2, 5 * NS


class Retry:
    """When to try again: after 0.5 s, then 1, 2, 4 and every 5.

    Threads: one owner; `reset` any.
    """

    def __init__(self) -> None:
        self.at_ns = 0  # boot clock; not before
        self._wait_ns = _FIRST_NS

    def failed(self, now: int) -> None:
        self.at_ns = now + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, _MOST_NS)

    def reset(self) -> None:
        self.at_ns, self._wait_ns = 0, _FIRST_NS


class Naming:
    """Segments that are whole and durable and still bear the name of an unfinished one, oldest first.

    Threads: the Writer's; `words`, `named`, `places` any.
    """

    def __init__(
        self,
        data: Path,
        on_segment: Callable[[FinishedSegment], None],
        lacks: Callable[[Place], bool] = lambda _: False,
    ) -> None:
        self.words = ""  # what went wrong at the last try
        self.named = 0
        self.retry = Retry()
        self._data = data
        self._on_segment = on_segment
        self._lacks = lacks  # whether another card is there than the one with this place
        self._unnamed: list[OpenSegment] = []

    def add(self, segment: OpenSegment) -> None:
        """Take a segment that has ended; it is named in the next step."""
        self._unnamed.append(segment)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where they are."""
        return tuple(segment.place for segment in self._unnamed)

    def due_ns(self) -> int | None:
        """When the next step has something to do, boot clock; None: never."""
        return self.retry.at_ns if self._unnamed else None

    def step(self, now: int) -> None:
        """Name what can be named. No OSError leaves here: the pictures are safe, recording must not suffer.

        One that cannot be does not keep those after it from their names: it may be on a card that was pulled.
        """
        if not self._unnamed or now < self.retry.at_ns:
            return
        self.words, left = "", []
        for segment in self._unnamed:
            if not self._name(segment):
                left.append(segment)
        self._unnamed = left
        if left:
            self.retry.failed(now)
        else:
            self.retry.reset()

    def _name(self, segment: OpenSegment) -> bool:
        """False when it must be tried again."""
        try:
            finished = segment.name()
        except OSError as error:
            if self._is_gone(segment):
                return True
            self.words = self.words or self._words(error, segment)
            return False
        self.named += 1
        self._on_segment(finished)
        return True

    def _is_gone(self, segment: OpenSegment) -> bool:
        if gone := segment.gone or self._lacks(segment.place):
            log.warning("%s was taken away before it had its final name", segment.path)
        return gone

    def _words(self, error: OSError, segment: OpenSegment) -> str:
        return f"{words_for(error, self._data)}: {segment.place.name.stem} is whole, but its final name is not safe"
