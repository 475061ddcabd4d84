"""What the window's strip says, as a pure function of the status. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from blackbox_qt.app import words
from blackbox_qt.app.status import Status
from blackbox_qt.core.local_time import local


@dataclass(frozen=True, slots=True)
class StripView:
    """Threads: immutable, any."""

    mood: words.Mood
    shape: words.Shape
    title: str
    words: str
    clock: str
    watching: str


def strip_view(status: Status) -> StripView:
    """The words that the page has too, the time of day here, and who watches."""
    said = words.strip(status)
    known = status.utc_source != "unsynced"
    # An alarm needs the room: that there is no time can wait.
    clock = clock_text(status) if known or said.mood == "well" else ""
    return StripView(said.mood, said.shape, said.title, said.words, clock, watching_text(status.viewers))


def clock_text(status: Status) -> str:
    """Local time of day, or that nobody vouches for it."""
    if status.utc_source == "unsynced":
        return words.NO_TIME
    return f"{local(status.utc_ns, status.time.zone):%H:%M}"


def watching_text(viewers: int) -> str:
    return words.WATCHING.format(count=viewers) if viewers else ""
