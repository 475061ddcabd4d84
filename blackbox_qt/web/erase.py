"""Forget a trip, or erase everything, over the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import HTTPException
from pydantic import Field

from blackbox_qt.app import App
from blackbox_qt.storage.erasing import EraseError, Wish
from blackbox_qt.web.models import Failure, _Model

_WHICH = "Say what to erase: trip, with its number, or everything: true; not both."


class EraseRequest(_Model):
    """What is to go for good: a trip, or everything.

    Threads: immutable, any.
    """

    trip: int | None = Field(None, ge=1, le=999_999_999, description="its number, as listed")
    everything: bool = Field(False, description="all footage of both libraries; recording goes on in a new file")
    demo: bool = Field(False, description="the trip is one of the library of test pictures")
    marked_too: bool = Field(False, description="also what marks keep; without it they refuse")
    by: Literal["page", "command line", "program"] = Field("program", description="who asks; the journal remembers")


class EraseAnswer(_Model):
    """What came of it.

    Threads: immutable, any.
    """

    words: str = Field(description="one sentence for a person")


class EraseApi:
    """The handler. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def add_to(self, add: Callable[..., None]) -> None:
        kept = {409: {"model": Failure, "description": "marks keep some of it, or there is no such trip"}}
        add("/api/v1/erase", self.erase, method="POST", response_model=EraseAnswer, responses=kept)

    async def erase(self, asked: EraseRequest) -> EraseAnswer:
        """Delete footage with all that was made from it and written about it; what is recorded now is cut before."""
        if (asked.trip is None) != asked.everything:
            raise HTTPException(422, _WHICH)
        wish = Wish(asked.trip, asked.by, asked.marked_too)
        try:
            return EraseAnswer(words=await self._app.retaining.erase(wish, demo=asked.demo).answered())
        except EraseError as error:
            raise HTTPException(409, str(error)) from None
