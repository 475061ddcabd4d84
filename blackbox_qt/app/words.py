"""What window and page say about the box: the same words in the same order, made here once.

The page gets the strip with the status; its other words stand in resources/web/words.js, and a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blackbox_qt.app.status import CameraStatus, Status

Shape = Literal["dot", "bars", "square", "triangle"]
"""Every mood has one of its own: recording, paused, not recording, recording in danger."""
Mood = Literal["well", "paused", "alarm", "danger"]

NO_CAMERA = "NO CAMERA"
PICTURE_STOPPED = "PICTURE STOPPED"
STARTING = "STARTING"
NO_TIME = "–:–– no time"
WATCHING = "{count} watching"
_NOT_RECORDING = "NOT RECORDING"
_JUST_STARTED_S = 8.0
_CARD_TITLES = {"missing": "CARD MISSING", "broken": "CARD BROKEN", "removed": "CARD REMOVED"}


@dataclass(frozen=True, slots=True)
class Strip:
    """What the strip along the top says.

    Threads: immutable, any.
    """

    mood: Mood
    shape: Shape
    title: str
    words: str


def strip(status: Status) -> Strip:
    """The red dot only while every camera's bytes reach the disk; anything else turns the whole strip."""
    if status.recording == "recording":
        late = [c.recording.unsynced_s for c in status.cameras if c.recording.late]
        if late:
            return Strip("danger", "triangle", "CARD SLOW", f"the last {max(late):.0f} s are not saved yet")
        if status.card.state in _CARD_TITLES:
            words = f"recording on the system's disk, the last {span(status.card.ring_s)} at most"
            return Strip("danger", "triangle", _CARD_TITLES[status.card.state], words)
        if status.retention.stuck:
            return Strip("danger", "triangle", "CARD NEARLY FULL", status.retention.words)
        return Strip("well", "dot", "REC", "")
    if status.recording == "paused":
        return Strip("paused", "bars", "RECORDING PAUSED", _goes_on(status.cameras))
    title, words = _not_recording(status.cameras), status.words or _why_idle(status)
    return Strip("alarm", "square", title, words.removeprefix(title.removesuffix(_NOT_RECORDING).strip() + ": "))


def _not_recording(cameras: tuple[CameraStatus, ...]) -> str:
    """Names the cameras when others do record: not to cry more than is true."""
    silent = [c.name.upper() for c in cameras if c.recording.state != "recording"]
    return _NOT_RECORDING if len(silent) == len(cameras) else f"{', '.join(silent)} {_NOT_RECORDING}"


def _why_idle(status: Status) -> str:
    return "starting" if status.uptime_s < _JUST_STARTED_S else "no picture comes"


def _goes_on(cameras: tuple[CameraStatus, ...]) -> str:
    left = [c.recording.resumes_in_s for c in cameras if c.recording.resumes_in_s is not None]
    return f"goes on by itself in {span(max(left))}" if left else ""


def span(seconds: float) -> str:
    """45 s, 9 min, 1 h 5 min: rounded up, so that it is never over before it says so."""
    whole = max(1, int(-(-seconds // 1)))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(-(-whole // 60), 60)
    return " ".join(part for part in (f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)) if part)


def picture_title(camera: CameraStatus | None, *, seen: bool) -> str:
    """What stands across a picture that is not live. `seen`: this face has shown one of this camera before."""
    if camera is not None and camera.frames == 0:
        return NO_CAMERA
    if not seen and (camera is None or camera.state == "live"):
        return STARTING
    return PICTURE_STOPPED


def trouble(camera: CameraStatus) -> str:
    """Why there is no picture; empty when all is well, or not known yet."""
    return camera.words or ("starting" if camera.frames == 0 else "")


def fault_sentences(status: Status) -> list[str]:
    """One sentence for each camera in trouble: "REAR: no camera (cable?)"."""
    return [f"{c.name.upper()}: {words}" for c in status.cameras if (words := trouble(c))]
