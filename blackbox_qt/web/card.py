"""The card over the network: how it is, take it out safely, use it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

from fastapi import HTTPException
from pydantic import Field

from blackbox_qt.app import App
from blackbox_qt.app.emergency import CardActionError
from blackbox_qt.web.models import Failure, _Model


class CardRequest(_Model):
    """What to do with the card.

    Threads: immutable, any.
    """

    action: Literal["remove", "use"] = Field(
        description="remove: finish its files, sync and unmount it; use: it stays in, record on it again"
    )


class CardAnswer(_Model):
    """How the card is.

    Threads: immutable, any.
    """

    state: str = Field(description="none: no card is expected; fine, missing, broken or removed")
    words: str = Field(description="what is wrong with it, or how its removal went; empty when well")
    doing: str = Field(description="what is under way with it; empty for nothing")
    id: str = Field(description="from its identity file")
    ring_bytes: int = Field(description="recorded on the system's disk meanwhile")
    ring_limit: int = Field(description="bytes that may take; 0: nothing is recorded without the card")
    ring_s: float = Field(description="s of recording it reaches back at most")
    moving_bytes: int = Field(description="on the system's disk, waiting for the card")
    moved: int = Field(description="segments that came home since the start")


class CardApi:
    """The handlers. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def add_to(self, add: Callable[..., None]) -> None:
        refused = {409: {"model": Failure, "description": "it cannot be done: nothing was changed"}}
        add("/api/v1/card", self.card, response_model=CardAnswer)
        add("/api/v1/card", self.act, method="POST", status_code=202, response_model=CardAnswer, responses=refused)

    async def card(self) -> CardAnswer:
        """How the card is, and how far a removal has come."""
        return CardAnswer(**asdict(self._app.emergency.status()))

    async def act(self, asked: CardRequest) -> CardAnswer:
        """Begin to take the card out, or use it again. Answers at once; `doing` is empty again when it is done."""
        emergency = self._app.emergency
        try:
            (emergency.remove if asked.action == "remove" else emergency.use)()
        except CardActionError as error:
            raise HTTPException(409, str(error)) from None
        return await self.card()
