"""Another source for a camera while the program runs: asked for on one thread, carried out on the caretaker's."""

from __future__ import annotations

import threading
from collections.abc import Callable

from blackbox_qt.sources import Source, SourceError


class Change:
    """A camera's way from one source to the next.

    The caretaker closes the old source (`parked`), waits for `go` (so that no device is ever open twice when cameras
    exchange theirs), calls `become()` with nothing open, opens what `make()` gives, and says how that went (`tried`,
    `error`). A change that is called off leaves the old source in its place.

    Threads: `go`, `call_off` and waiting by who asked; the rest the caretaker's.
    """

    def __init__(self, make: Callable[[], Source], become: Callable[[], None]) -> None:
        self.make = make
        self.become = become
        self.parked = threading.Event()
        self.decided = threading.Event()
        self.tried = threading.Event()
        self.error: SourceError | None = None
        self.called_off = False

    def go(self) -> None:
        """Every camera of this change is closed: open the new sources."""
        self.decided.set()

    def call_off(self) -> None:
        """Go back to the old source."""
        self.called_off = True
        self.decided.set()

    def end(self, error: SourceError | None = None) -> None:
        """It has been tried. Wakes whoever waits, whatever they wait for; the first word counts."""
        if not self.tried.is_set():
            self.error = error
        self.tried.set()
        self.parked.set()
