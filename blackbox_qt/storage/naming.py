"""The last step of a segment, its final name, tried until it works; and how long to wait between two tries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from blackbox_qt.core.clock import NS
from blackbox_qt.storage.disk import words_for
from blackbox_qt.storage.open_segment import FinishedSegment, OpenSegment

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

    Threads: the Writer's; `words`, `named` any.
    """

    def __init__(self, data: Path, on_segment: Callable[[FinishedSegment], None]) -> None:
        self.words = ""  # what went wrong at the last try
        self.named = 0
        self.retry = Retry()
        self._data = data
        self._on_segment = on_segment
        self._unnamed: list[OpenSegment] = []

    def add(self, segment: OpenSegment) -> None:
        """Take a segment that has ended; it is named in the next step."""
        self._unnamed.append(segment)

    def due_ns(self) -> int | None:
        """When the next step has something to do, boot clock; None: never."""
        return self.retry.at_ns if self._unnamed else None

    def step(self, now: int) -> None:
        """Name what can be named. No OSError leaves here: the pictures are safe, recording must not suffer."""
        while self._unnamed and now >= self.retry.at_ns:
            try:
                finished = self._unnamed[0].name()
            except OSError as error:
                if not self._is_gone(self._unnamed[0]):
                    self._failed(error, now)
                    return
                finished = None
            del self._unnamed[0]
            self.words = ""
            self.retry.reset()
            if finished is not None:
                self.named += 1
                self._on_segment(finished)

    def _is_gone(self, segment: OpenSegment) -> bool:
        if gone := segment.gone:
            log.warning("%s was taken away before it had its final name", segment.path)
        return gone

    def _failed(self, error: OSError, now: int) -> None:
        stem = self._unnamed[0].place.name.stem
        self.words = f"{words_for(error, self._data)}: {stem} is whole, but its final name is not safe"
        self.retry.failed(now)
