"""What is asked about marks, and the answers: somebody waits for them, but never long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from blackbox_qt.app import mark_words
from blackbox_qt.storage.marks import Mark

log = logging.getLogger(__name__)

ANSWER_S = 2.0
"""Whoever marks is answered within this time, also when the card does not answer."""
Marks = dict[str, Mark]


class MarkError(Exception):
    """There is no such mark; one sentence."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for: `mark` as it will be, and `saved`, done when it is on the card.

    Threads: any.
    """

    mark: Mark
    saved: Future[Mark]

    def answer(self, limit_s: float = ANSWER_S) -> Mark:
        """Wait for it, but not long. Raises MarkError."""
        try:
            return self.saved.result(limit_s)
        except TimeoutError:
            return self.mark

    async def answered(self, limit_s: float = ANSWER_S) -> Mark:
        """The same for whoever has a loop to keep alive."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self.saved), limit_s)
        except TimeoutError:
            return self.mark


@dataclass(frozen=True, slots=True)
class Request:
    """`change(marks)`: the mark as it becomes. Raises MarkError when there is no such one.

    Threads: any.
    """

    change: Callable[[Marks], Mark]
    asked_ns: int
    checked: bool = False  # it asks for room
    settles: str = ""  # the mark that has been driven: nobody waits for this one
    saved: Future[Mark] = field(default_factory=Future)


def expect(marks: Marks, request: Request) -> Mark | None:
    """Take a request for granted; None when it asks for a mark that is not there.

    Threads: any.
    """
    try:
        mark = request.change(marks)
    except MarkError:
        return None
    marks[mark.id] = mark
    return mark


def waiting(mark: Mark) -> Mark:
    """A mark that is not on the card yet.

    Threads: any.
    """
    return replace(mark, state="waiting", words=mark_words.WAITING)


NOBODYS = Mark("", "waiting", "manual", "", "", "", "", 0, 0, 0, words=mark_words.WAITING)


def settle(request: Request, answer: Mark | MarkError) -> None:
    """Tell whoever waits.

    Threads: any.
    """
    if isinstance(answer, MarkError):
        request.saved.set_exception(answer)
        return
    if answer.state != "applied":
        log.info("mark %s by %s: %s", answer.id, answer.by, answer.words)
    request.saved.set_result(answer)
