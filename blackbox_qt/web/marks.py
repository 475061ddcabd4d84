"""MARK over the network: keep what lies around this moment, list what is kept, take it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Path, Response
from pydantic import Field

from blackbox_qt.app import App
from blackbox_qt.app.mark_requests import MarkError
from blackbox_qt.core.local_time import UNSYNCED, local_words
from blackbox_qt.storage.marks import Mark
from blackbox_qt.web.models import Failure, _Model

MarkId = Annotated[str, Path(alias="mark", description="a mark's id, as listed", max_length=64)]


class MarkRequest(_Model):
    """Keep what lies around this moment. All of it may be left out.

    Threads: immutable, any.
    """

    note: str = Field("", max_length=500, description="what somebody wants to remember, as a number plate")
    reason: str = Field("", max_length=100, description="why, in a word or two")
    whole_trip: bool = Field(
        False, description="everything since the machine was started, and until it is switched off"
    )
    by: Literal["page", "command line", "program"] = Field("program", description="who asks")


class MarkAnswer(_Model):
    """A mark.

    Threads: immutable, any.
    """

    id: str
    state: str = Field(description="waiting: not on the card yet; asked, extended: kept; applied: all of it is locked; "
                       "undone: being taken back")  # fmt: skip
    undone: bool
    kind: str = Field(description="manual or automatic")
    by: str
    reason: str
    note: str
    whole_trip: bool
    utc_ns: int | None = Field(description="when it was first asked for; null when nobody vouched for the clock")
    when: str = Field(description="the same in words, in the box's zone")
    words: str = Field(description="what to tell the user; empty in a list when all is well")


class MarksApi:
    """The handlers. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def add_to(self, add: Callable[..., None]) -> None:
        later = {202: {"model": MarkAnswer, "description": "the card does not answer: saved as soon as it does"}}
        full = {409: {"model": Failure, "description": "no room: nothing was marked"}}
        more = {"status_code": 201, "response_model": MarkAnswer, "responses": {**later, **full}}
        add("/api/v1/marks", self.mark, method="POST", **more)
        add("/api/v1/marks", self.marks, response_model=list[MarkAnswer])
        add("/api/v1/marks/{mark}", self.undo, method="DELETE", response_model=MarkAnswer, responses=later)

    async def mark(self, response: Response, asked: MarkRequest | None = None) -> MarkAnswer:
        """Keep all cameras around this moment (marks.before_s, marks.after_s). Pressed again, it lasts longer."""
        wish = asked or MarkRequest()
        press = self._app.marking.ask(wish.by, wish.reason, wish.note, whole_trip=wish.whole_trip)
        try:
            mark = await press.answered()
        except MarkError as error:
            raise HTTPException(503, f"{error}.") from None
        if mark.state == "refused":
            raise HTTPException(409, mark.words.removesuffix(".") + ".")
        return self._answer(mark, response)

    async def marks(self) -> list[MarkAnswer]:
        """All marks, the newest first; those that were taken back among them."""
        return [self._shown(mark) for mark in reversed(self._app.marking.marks())]

    async def undo(self, response: Response, name: MarkId) -> MarkAnswer:
        """Take a mark back: what nothing else keeps may be deleted again. Other marks are not touched."""
        try:
            mark = await self._app.marking.undo(name).answered()
        except MarkError as error:
            raise HTTPException(404, str(error)) from None
        return self._answer(mark, response)

    def _answer(self, mark: Mark, response: Response) -> MarkAnswer:
        if mark.state == "waiting":
            response.status_code = 202
        return self._shown(mark)

    def _shown(self, mark: Mark) -> MarkAnswer:
        utc_ns = mark.utc_ns if mark.utc_ns is not None else self._utc_ns(mark)
        same: dict[str, Any] = {name: getattr(mark, name) for name in _SAME}
        return MarkAnswer(utc_ns=utc_ns, when=local_words(utc_ns, self._app.config.time.zone), **same)

    def _utc_ns(self, mark: Mark) -> int | None:
        """The time may have become known since, in the same start of the machine."""
        now = self._app.clock.anchor()
        if now.source == UNSYNCED or mark.machine_boot != self._app.clock.machine_boot:
            return None
        return now.utc_ns + mark.asked_ns - now.boot_ns


_SAME = ("id", "state", "undone", "kind", "by", "reason", "note", "whole_trip", "words")
