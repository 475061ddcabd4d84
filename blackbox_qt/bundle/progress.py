"""How far a bundle is, and that somebody has changed his mind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class BundleError(Exception):
    """A bundle cannot be made; the message is one sentence for the user."""


class CancelledError(BundleError):
    """Somebody changed his mind; nothing is left of the bundle, or its name says that it is not finished."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of the work. The steps come in order; done and total count within one.

    Threads: immutable, any.
    """

    step: str  # in words: "copying", "viewing copy of front"
    done: int
    total: int


@dataclass(slots=True)
class Work:
    """Tells of the progress, and asks whether to go on: called often, at every picture and every piece of a file.

    Threads: one, whichever makes the bundle.
    """

    tell: Callable[[Progress], None] = lambda _: None
    is_cancelled: Callable[[], bool] = lambda: False
    step: str = ""
    done: int = 0
    total: int = 0

    def begin(self, step: str, total: int) -> None:
        self.step, self.done, self.total = step, 0, total
        self.move(0)

    def move(self, by: int) -> None:
        """So much more is done. Raises CancelledError."""
        if self.is_cancelled():
            raise CancelledError("The bundle was cancelled.")
        self.done += by
        self.tell(Progress(self.step, self.done, max(self.total, self.done)))
