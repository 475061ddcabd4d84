"""What the strip says, as a pure function of the status. No Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from blackbox_qt.app.status import CameraStatus, Status

Shape = Literal["dot", "bars", "square", "triangle"]
"""Every state has one of its own: recording, paused, not recording, recording in danger."""
Mood = Literal["well", "paused", "alarm", "danger"]

UNSYNCED_ALARM_S = 2.0
"""More than this not yet on the disk is an alarm (ARCHITECTURE)."""
_JUST_STARTED_S = 8.0
_ALARM = "NOT RECORDING"


@dataclass(frozen=True, slots=True)
class StripView:
    """Threads: immutable, any."""

    mood: Mood
    shape: Shape
    title: str
    words: str
    clock: str
    watching: str


def strip_view(status: Status) -> StripView:
    """The red dot only while every camera's bytes reach the disk; anything else turns the whole strip."""
    mood, shape, title, words = _recording(status)
    known = status.utc_source != "unsynced"
    # An alarm needs the room: that there is no time can wait.
    clock = clock_text(status) if known or mood == "well" else ""
    return StripView(mood, shape, title, words, clock, watching_text(status.viewers))


def _recording(status: Status) -> tuple[Mood, Shape, str, str]:
    if status.recording == "recording":
        late = max((c.recording.unsynced_s for c in status.cameras), default=0.0)
        if late > UNSYNCED_ALARM_S:
            return "danger", "triangle", "CARD SLOW", f"the last {late:.0f} s are not saved yet"
        return "well", "dot", "REC", ""
    if status.recording == "paused":
        return "paused", "bars", "PAUSED", _until(status.cameras)
    title, words = _not_recording(status.cameras), status.words or _why_idle(status)
    return "alarm", "square", title, words.removeprefix(title.removesuffix(_ALARM).strip() + ": ")


def _not_recording(cameras: tuple[CameraStatus, ...]) -> str:
    """Names the cameras when others do record: not to cry more than is true."""
    silent = [c.name.upper() for c in cameras if c.recording.state != "recording"]
    return _ALARM if len(silent) == len(cameras) else f"{', '.join(silent)} {_ALARM}"


def _why_idle(status: Status) -> str:
    return "starting" if status.uptime_s < _JUST_STARTED_S else "no picture comes"


def _until(cameras: tuple[CameraStatus, ...]) -> str:
    left = [c.recording.resumes_in_s for c in cameras if c.recording.resumes_in_s is not None]
    return f"records again in {duration_text(max(left))}" if left else ""


def duration_text(seconds: float) -> str:
    """9:05, or 1:02:03 from an hour on. Never 0:00 before it is over."""
    whole = int(-(-seconds // 1))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def clock_text(status: Status) -> str:
    """Local time of day, or that nobody vouches for it."""
    if status.utc_source == "unsynced":
        return "–:–– no time"
    return time.strftime("%H:%M", time.localtime(status.utc_ns // 1_000_000_000))


def watching_text(viewers: int) -> str:
    return f"{viewers} watching" if viewers else ""


def picture_title(camera: CameraStatus | None, *, stopped: bool, seen: bool) -> str:
    """What stands across a picture that is not live; empty when it is."""
    if not stopped:
        return ""
    if seen:
        return "PICTURE STOPPED"
    return "NO PICTURE" if camera is not None and camera.words else "STARTING"


def fault_sentences(status: Status) -> list[str]:
    """One sentence for each camera in trouble: "REAR: no camera (cable?)"."""
    return [f"{c.name.upper()}: {c.words}" for c in status.cameras if c.words]
