"""Pressing MARK in the window: what was asked for, what came of it, and what the button says meanwhile. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from blackbox_qt.app import App, mark_words
from blackbox_qt.app.mark_requests import ANSWER_S, Asked, MarkError
from blackbox_qt.app.status import MarkStatus
from blackbox_qt.core.clock import NS
from blackbox_qt.storage.marks import Mark


@dataclass(frozen=True, slots=True)
class MarkView:
    """What the button says.

    Threads: immutable, any.
    """

    mood: Literal["idle", "keeping", "waiting"]
    words: str  # below the title


@dataclass(slots=True)
class _Pending:
    asked: Asked
    at_ns: int
    said: bool = False  # that the card does not answer


class Marker:
    """Asks the App, and looks whether it is saved: `look` is called several times a second and never waits.

    `say(words)` tells the user; `saved()` is called when a press has come true.

    Threads: the GUI's.
    """

    def __init__(self, app: App, say: Callable[[str], None], saved: Callable[[], None]) -> None:
        self.last = ""  # the mark that an undo would take back; "" when there is none
        self._app, self._say, self._saved = app, say, saved
        self._pending: list[_Pending] = []
        self._running = self._refused = ""

    def press(self, *, whole_trip: bool = False) -> None:
        self._ask(self._app.marking.ask("window", whole_trip=whole_trip))

    def undo(self) -> None:
        """Take the last mark back."""
        if self.last:
            self._ask(self._app.marking.undo(self.last))
            self.last = self._running = ""

    def _ask(self, asked: Asked) -> None:
        self._pending.append(_Pending(asked, self._app.clock.boot_ns()))

    @property
    def asking(self) -> bool:
        """Something is not answered yet."""
        return bool(self._pending)

    def look(self, marks: MarkStatus) -> None:
        """Tell what has come true since, and that an event is over."""
        for pending in list(self._pending):
            if pending.asked.saved.done():
                self._pending.remove(pending)
                self._tell(pending.asked)
            elif not pending.said and self._app.clock.boot_ns() - pending.at_ns >= ANSWER_S * NS:
                pending.said = True
                self._say(mark_words.WAITING)
        if self._running and not marks.running and not self._pending:
            self._say(mark_words.KEPT)
        if marks.refused and not self._refused:
            self._say(marks.refused)
        self._running, self._refused = marks.running, marks.refused
        self.last = marks.running or self.last

    def _tell(self, asked: Asked) -> None:
        try:
            mark: Mark = asked.saved.result()
        except MarkError as error:
            self._say(str(error))
            return
        self._say(mark.words)
        if mark.state != "refused" and not mark.undone:
            self.last = mark.id
            self._saved()


def mark_view(marks: MarkStatus, *, asking: bool) -> MarkView:
    """What the button says: that it waits for the card, or what is being kept. Short: there is room for little."""
    if marks.words:
        return MarkView("waiting", "waits for card")
    if marks.running:
        trip = marks.left_s is None
        return MarkView("keeping", "whole trip" if trip else mark_words.more(marks.left_s or 0))
    return MarkView("idle", mark_words.SAVING if asking else "")
