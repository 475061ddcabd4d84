"""What is done about a camera that gives no pictures, stage by stage, and when a fresh process is worth its price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from blackbox_qt.app.part import Backoff
from blackbox_qt.app.status import CameraStatus
from blackbox_qt.core.clock import NS
from blackbox_qt.sources import SourceError

STALLED_AFTER_S = 2.0
"""No frame for so long (or for three frames' time, if that is more) is a stall."""
FIRST_PICTURE_S = 5.0
"""But a camera that was only just opened may take so long for its first."""
WELL_AFTER_S = 10.0
"""Pictures for so long, and the next fault begins with the first stage again."""
VAIN_OPENINGS = 3
HANGS_AFTER_S = {"opening": 30.0, "starting": 10.0, "stopping": 10.0, "closing": 10.0}
YOUNG_S = 30.0
"""A process no older than this is fresh already: what it cannot heal, the next one cannot."""

HELPLESS = "only a restart of the program can help"


class StallError(SourceError):
    """It gives no pictures, also after its stream was started again."""


class Healing:
    """Knows which stage comes next: the stream is started again, once; then the camera is closed and opened, after
    2 s, doubling to 30 s; and after three openings that brought no picture there is nothing left to try in here.

    A stall within 10 s of the last one does not begin at the first stage: a camera that gives one picture a start
    would be started for ever.

    Threads: the caretaker's; the figures any.
    """

    def __init__(self) -> None:
        self.restarts = 0  # streams started again
        self.reopens = 0  # openings after a fault
        self.hopeless = ""  # why only a fresh process can help, if so
        self._restarted = False
        self._vain = 0  # openings in a row that brought no picture
        self.unclean = False  # the opening before did not end as it should: its frames may still be out
        self._backoff = Backoff()

    def may_restart(self) -> bool:
        """Whether to start the stream again; counts it. False: that was tried, and the camera is to be opened anew."""
        if self._restarted:
            return False
        self._restarted = True
        self.restarts += 1
        return True

    def wait_s(self) -> float:
        """Seconds until the next opening."""
        return self._backoff.wait_s()

    def opened(self) -> None:
        """It was opened again after a fault."""
        self.reopens += 1

    def pictures(self, for_s: float) -> None:
        """Pictures have been coming for so long."""
        self.hopeless, self._vain, self.unclean = "", 0, False
        if for_s > WELL_AFTER_S:
            self.well()

    def well(self) -> None:
        """What was wrong is over, or somebody has changed the configuration: begin with the first stage again."""
        self.hopeless, self._vain, self.unclean = "", 0, False
        self._restarted = False
        self._backoff.reset()

    def failed(self, error: SourceError, *, vain: bool) -> str:
        """An opening ended with `error`; `vain`: it was opened and brought no picture. What to say of it."""
        self._vain += vain
        if error.process or self.unclean or self._vain >= VAIN_OPENINGS:
            self.hopeless = str(error)
        doing = HELPLESS if self.hopeless else "opening the camera again" if isinstance(error, StallError) else ""
        return f"{error}; {doing}" if doing else str(error)

    def not_closed(self, error: SourceError) -> None:
        """It could not be put away as it should. That matters only if it cannot be opened again either."""
        self.unclean = error.process


Policy = Literal["alone", "always", "never"]


def worth_a_restart(policy: Policy, cameras: Sequence[tuple[CameraStatus, str]], uptime_s: float) -> tuple[str, str]:
    """(why the whole process should start anew, what holds it back); "" for none.

    `cameras` come with why only that can help each of them, or "". A user's pause is never cut short: the next process
    would not know of it and record. Nor is a recording in trouble: what waits in memory for the card would be lost.

    Threads: any.
    """
    wedged = [f"{camera.name}: {why}" for camera, why in cameras if why]
    if not wedged:
        return "", ""
    reason = "; ".join(wedged)
    if policy == "never":
        return reason, "recovery.restart_process is never"
    if uptime_s < YOUNG_S:
        return reason, "the program has only just started"
    for camera, why in cameras:
        if camera.recording.state == "paused":
            return reason, f"{camera.name} is paused"
        if camera.recording.state == "fault":
            return reason, f"the recording of {camera.name} is in trouble"
        if policy == "alone" and not why and camera.recording.state == "recording":
            return reason, f"{camera.name} records"
    return reason, ""


class Outages:
    """Times without pictures: from the last one before a fault to the first one after it.

    How many frames are missing then nobody knows: it is a hole in time, and told in seconds.

    Threads: `begin` and `end` the caretaker's; the rest any.
    """

    def __init__(self) -> None:
        self.count = 0
        self._ended_ns = 0
        self._since_ns: int | None = None

    def begin(self, since_ns: int) -> None:
        """Pictures have been missing since then (boot clock). One that is under way goes on."""
        if self._since_ns is None:
            self.count += 1
            self._since_ns = since_ns

    def end(self, at_ns: int) -> float:
        """A picture came at that moment; the seconds there was none before."""
        if self._since_ns is None:
            return 0.0
        length, self._since_ns = max(0, at_ns - self._since_ns), None
        self._ended_ns += length
        return length / NS

    def seconds(self, now_ns: int) -> float:
        """All of them together, with the one under way."""
        since = self._since_ns
        return (self._ended_ns + (0 if since is None else max(0, now_ns - since))) / NS
