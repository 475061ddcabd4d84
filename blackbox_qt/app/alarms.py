"""When a chime or the alarm tone is due: from what the recording says, with hysteresis. Pure; nobody plays here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from blackbox_qt.app.status import Status

NS = 1_000_000_000
Sound = Literal["", "chime", "alarm"]
Truth = Literal["well", "silent", "wrong", "paused"]
"""well: recording where it should; silent: not begun yet; wrong: it stopped being true, or not where it should."""

WRONG_NS = NS * 3 // 10
"""So long it must be wrong: a fault that heals at once is no alarm. With a look every 0.2 s it sounds within 0.6 s."""
WELL_NS = 1 * NS
"""So long it must be well again."""
SETTLE_NS = 5 * NS
"""Between two sounds, but for an alarm that follows a chime: bad news does not wait."""
AGAIN_NS = 30 * NS
"""An alarm that lasts sounds again."""
BEGIN_NS = 15 * NS
"""Nothing recorded so long after the start is an alarm."""


def truth(status: Status) -> Truth:
    """What a status means for the ear.

    A card that the user took out politely is no alarm while the ring records; one that is missing or broken is.
    """
    if status.recording == "paused":
        return "paused"
    if status.recording == "recording":
        return "wrong" if status.card.state in ("missing", "broken") else "well"
    return "silent" if all(camera.recording.frames == 0 for camera in status.cameras) else "wrong"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the ear was told so far.

    Threads: immutable, any.
    """

    on: bool = False  # the alarm
    begun: bool = False  # recording was true once
    truth: Truth = "silent"
    since_ns: int | None = None  # of that truth
    last: Sound = ""
    last_ns: int = -(1 << 62)
    alarms: int = 0
    chimes: int = 0


def hear(heard: Heard, now: Truth, at_ns: int, recording: bool = False) -> tuple[Heard, Sound]:
    """One look: what is known now, and the sound that is due.

    recording: bytes do reach a disk, though not where they should: such an alarm sounds once and is not repeated.
    """
    if heard.since_ns is None or now != heard.truth:
        heard = replace(heard, truth=now, since_ns=at_ns)
    assert heard.since_ns is not None
    lasted = at_ns - heard.since_ns
    if now == "well" and (heard.on or not heard.begun):
        return _chime(heard, at_ns) if lasted >= WELL_NS and _rested(heard, at_ns) else (heard, "")
    if now == "paused":
        return replace(heard, on=False, begun=False), ""  # its end is a start, with a chime
    wrong = now == "wrong" and lasted >= WRONG_NS
    late = now == "silent" and lasted >= BEGIN_NS
    if (wrong or late) and not heard.on and (heard.last != "alarm" or _rested(heard, at_ns)):
        return _alarm(heard, at_ns)
    if (wrong or late) and heard.on and not recording and at_ns - heard.last_ns >= AGAIN_NS:
        return _alarm(heard, at_ns)
    return heard, ""


def _rested(heard: Heard, at_ns: int) -> bool:
    return at_ns - heard.last_ns >= SETTLE_NS


def _chime(heard: Heard, at_ns: int) -> tuple[Heard, Sound]:
    return replace(heard, on=False, begun=True, last="chime", last_ns=at_ns, chimes=heard.chimes + 1), "chime"


def _alarm(heard: Heard, at_ns: int) -> tuple[Heard, Sound]:
    return replace(heard, on=True, last="alarm", last_ns=at_ns, alarms=heard.alarms + 1), "alarm"
