"""What is said about marks: the same in the window, on the page, on the command line and in the log."""

from __future__ import annotations

import math

from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.storage.marks import Mark

WAITING = "The card does not answer: saved as soon as it does"
WHOLE_TRIP = "Saved: the whole trip"
UNDONE = "Undone: this mark keeps nothing any more"
KEPT = "Kept."
SAVING = "saving…"
NOT_SAVED = "Not saved: the program ended before the card answered"


def saved(mark: Mark, config: MarksConfig) -> str:
    """The answer to a press that is on the card."""
    if mark.whole_trip:
        return WHOLE_TRIP
    if mark.state == "extended":
        return f"Saved: {config.after_s:g} s more from now"
    return f"Saved: {config.before_s:g} s before to {config.after_s:g} s after"


def more(left_s: float) -> str:
    """While the event runs: how long what is recorded is kept, rounded up."""
    return f"{max(1, math.ceil(left_s))} s more"


def unknown(name: str) -> str:
    return f"There is no mark {name[:40]}; `blackbox-qt mark --list` shows them."
