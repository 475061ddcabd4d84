"""One frozen snapshot of everything, shared by window, web and log: same words everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from blackbox_qt.app.fault_status import AlarmStatus, BoardStatus, CardStatus, SheddingStatus

CameraState = Literal["starting", "live", "stopped", "fault"]
"""starting: not seen yet; live: frames come; stopped: no frame for 300 ms; fault: being tried again."""

RecordingState = Literal["idle", "recording", "paused", "fault"]
"""recording is said only while bytes reach the disk."""


@dataclass(frozen=True, slots=True)
class EncoderStatus:
    """Threads: immutable, any."""

    frames: int
    ms_per_frame: float  # mean since start
    headroom: float  # part of the time between two frames that is left over, 0..1
    words: str  # empty when well


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Threads: immutable, any."""

    viewers: int
    frames: int  # JPEG pictures made since start
    dropped: int  # frames a newer one replaced before they became one
    words: str


@dataclass(frozen=True, slots=True)
class DisplayStatus:
    """Threads: immutable, any."""

    shown: int = 0  # frames drawn in the window since it opened
    dropped: int = 0  # frames a newer one replaced before they were drawn
    path: str = ""  # how pictures get to the GPU, and why that way; empty without a window


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """Threads: immutable, any."""

    state: RecordingState
    words: str
    segment: str  # name of the open file, empty when there is none
    segments: int  # finished since start
    frames: int  # on the disk and synced, since start
    bytes: int
    queue_frames: int
    queue_s: float  # video waiting in memory
    unsynced_s: float  # age of the oldest packet that a power cut would take
    late: bool  # that age is an alarm
    resumes_in_s: float | None  # paused by the user for so long
    lost: Mapping[str, int]  # frames not in any file, by cause


@dataclass(frozen=True, slots=True)
class HealingStatus:
    """What was done about a camera without pictures, since the start of the program.

    Threads: immutable, any.
    """

    restarts: int = 0  # streams stopped and started again
    reopens: int = 0  # cameras closed and opened again
    outages: int = 0  # times without pictures, by a fault or a change of the configuration
    outage_s: float = 0.0  # all of them together, with the one under way


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Threads: immutable, any."""

    name: str
    device: str
    origin: str
    state: CameraState
    words: str  # what is wrong, for a person; empty when well
    width: int
    height: int
    fps: float
    age_s: float | None  # of the newest frame
    frames: int
    lost: Mapping[str, int]  # by cause: camera, mailbox, encoder, disk, ...
    buffers: Mapping[str, int]  # by holder, and "free"
    encoder: EncoderStatus
    stream: StreamStatus
    display: DisplayStatus
    recording: RecordingStatus
    healing: HealingStatus = HealingStatus()


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """Threads: immutable, any."""

    path: str
    free_bytes: int
    total_bytes: int
    words: str


@dataclass(frozen=True, slots=True)
class MarkStatus:
    """What is kept because somebody pressed MARK.

    Threads: immutable, any.
    """

    count: int = 0  # marks on the card, without those that were undone
    running: str = ""  # the mark that keeps what is recorded now; empty when none does
    left_s: float | None = None  # it does so for so long; None for a whole trip, or when none does
    whole_trip: bool = False  # all of this trip is kept
    waiting: int = 0  # asked for, and not on the card yet
    words: str = ""  # why they wait; empty when well
    refused: str = ""  # why a whole trip is not kept any further; empty when it is


@dataclass(frozen=True, slots=True)
class RetentionStatus:
    """How much is kept, and how near its limits that comes.

    Threads: immutable, any.
    """

    kept_h: Mapping[str, float] = field(default_factory=dict)  # by camera: hours of footage that are there
    oldest_utc_ns: int | None = None  # of the oldest of it; None where nobody vouches for its time
    locked_bytes: int = 0  # kept by marks
    lockable_bytes: int = 0  # the most that marks may keep
    deleted: int = 0  # segments that made room since the start
    erasing: bool = False  # somebody has asked for that
    stuck: bool = False  # it fills, and nothing may be deleted: recording will stop
    words: str = ""  # a warning; empty when well


@dataclass(frozen=True, slots=True)
class TimeStatus:
    """What is known of the time.

    Threads: immutable, any.
    """

    words: str = "time unknown"  # or `2026-11-20 14:07:31 KST · phone ±1 s`
    source: str = "unsynced"  # gps | ntp | rtc | phone | manual | unsynced
    uncertainty_s: float | None = None  # None: unknown
    conflict: str = ""  # who says otherwise, one sentence; empty when all agree
    zone: str = ""  # in which times are shown; empty: the system's
    offset_s: int = 0  # of that zone's clocks now, ahead of UTC


@dataclass(frozen=True, slots=True)
class SigningStatus:
    """Whether finished files are signed with this device's key.

    Threads: immutable, any.
    """

    fingerprint: str = ""  # of the public key, SHA-256, 64 hex digits; empty while there is none
    words: str = ""  # why nothing is signed; empty when well


@dataclass(frozen=True, slots=True)
class Status:
    """Threads: immutable, any."""

    version: str
    uptime_s: float
    utc_ns: int
    utc_source: str  # gps | ntp | rtc | phone | manual | unsynced: who vouches for utc_ns
    recording: RecordingState  # of all cameras together: the worst one's
    words: str  # the strip's sentence, empty when well
    cameras: tuple[CameraStatus, ...]
    disk: DiskStatus
    viewers: int
    marks: MarkStatus = MarkStatus()
    retention: RetentionStatus = field(default_factory=RetentionStatus)
    time: TimeStatus = TimeStatus()
    signing: SigningStatus = SigningStatus()
    card: CardStatus = field(default_factory=CardStatus)
    alarm: AlarmStatus = field(default_factory=AlarmStatus)
    shedding: SheddingStatus = field(default_factory=SheddingStatus)
    board: BoardStatus = field(default_factory=BoardStatus)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)


_WORST_FIRST: tuple[RecordingState, ...] = ("fault", "idle", "paused", "recording")


def overall(cameras: tuple[CameraStatus, ...]) -> tuple[RecordingState, str]:
    """The state of all cameras together, and the sentence for the strip."""
    states: list[RecordingState] = [c.recording.state for c in cameras] or ["idle"]
    worst = min(states, key=_WORST_FIRST.index)
    said: dict[str, list[str]] = {}
    for camera in cameras:
        said.setdefault(_words(camera), []).append(camera.name.upper())
    return worst, " · ".join(f"{', '.join(names)}: {words}" for words, names in said.items() if words)


def _words(camera: CameraStatus) -> str:
    """The one sentence about a camera: a disk that fails comes first, then the picture."""
    if camera.recording.state == "fault":
        return camera.recording.words
    return camera.words or camera.recording.words
