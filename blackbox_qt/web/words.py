"""What the server says to visitors, in one place. The page's own words are in resources/web/words.js."""

from __future__ import annotations

SIGN_IN = "Sign in first: open the address or the QR code that the box shows, or send its key as a bearer token."
WRONG_KEY = "That is not this box's key."
NO_KEY = 'Send the key as JSON: {"key": "..."}.'
NO_HOST = "The request names no host, or several."
WRONG_HOST = "Without sign-in this page answers to localhost and 127.0.0.1 only."
FOREIGN = "Another web site asked for this; only the box's own page may."
NO_ORIGIN = "A browser must say which page asks for this (Origin); a program sends the key as a bearer token."
BODY_TOO_LARGE = "The request is too large: 64 KB at most."
FAILED = "The page failed at this; the box's log says how. The recording is not affected."
NO_SUCH_PAGE = "There is nothing at this address."
WRONG_METHOD = "This address does not take that method."
NOT_JSON = "Send JSON, with Content-Type: application/json."
BUSY = "Too many pictures are being asked for at once; try again."
OWN_CLOCK = "This browser runs on the box itself: its clock is the box's own."
TOO_SLOW = "That took longer than 5 s: send the clock again."
CLOCK_MOVED = "The clock moved while it was asked: send it again."
BUSY_FILES = "Too many recordings are being asked for at once; try again."
ENDING = "The box is shutting down."

ALLOWED = {
    "quality": "a whole number from 1 to 100",
    "recording": "true or false",
    "minutes": "a number of minutes, more than 0 and at most 240",
    "key": "the key as text",
    "note": "a text of at most 500 letters",
    "reason": "a text of at most 100 letters",
    "whole_trip": "true or false",
    "action": "remove or use",
    "by": "page, command line or program",
    "library": "recordings or demo",
    "camera": "a camera's name",
    "trip": "a trip's number, from 1",
    "mark": "a mark's id",
    "since_ms": "a whole number of ms since 1970",
    "until_ms": "a whole number of ms since 1970",
    "limit": "a whole number from 1 to 1000",
    "offset": "a whole number from 0",
    "segment": "a segment's name",
    "utc_ms": "a whole number of ms since 1970",
    "uncertainty_ms": "a whole number of ms from 1 to 86400000",
    "nonce": "what the first answer gave",
}
"""What each parameter may be, for the sentence that refuses it."""


def no_camera(name: str, known: list[str]) -> str:
    """Threads: any."""
    return f"There is no camera {name!r}; known here: {', '.join(known)}."


def no_segment(name: str) -> str:
    """Threads: any."""
    return f"There is no finished recording {name!r} here."


def unreadable(name: str, why: str) -> str:
    """Threads: any."""
    return f"{name} cannot be read: {why}."


def no_picture(camera: str, why: str) -> str:
    """Threads: any."""
    return f"{camera} gives no picture" + (f": {why}" if why else " at the moment") + "."


def not_allowed(name: str, value: object) -> str:
    """One sentence for a bad parameter.

    Threads: any.
    """
    allowed = ALLOWED.get(name, "something else")
    return f"{name} = {value} is not allowed; allowed: {allowed}."


def missing(name: str) -> str:
    """Threads: any."""
    return f"{name} is missing; send {ALLOWED.get(name, 'it')}."


def unknown(name: str) -> str:
    """Threads: any."""
    return f"{name} is not known here."
