"""What the Writer says about itself, and the settings it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from blackbox_qt.storage.signature import Sign, unsigned

State = Literal["idle", "recording", "paused", "fault"]


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """How a camera is recorded.

    Threads: immutable, any.
    """

    fragment_ms: int = 250  # longest fragment; also how long packets must be missing for the rest to be written
    segment_s: float = 60.0  # the first key frame after this begins a new segment
    memory_s: float = 10.0  # video time that may wait for a slow card
    sync_ms: int = 0  # time between syncs; 0: after every fragment
    software: str = "blackbox-qt"  # name and version, sealed into every segment
    sign: Sign = unsigned  # what signs a segment at its end

    @property
    def sync_s(self) -> float:
        """The time between syncs that is kept: what is written but not synced must not fill the memory."""
        return min(self.sync_ms / 1000, self.memory_s / 2)


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """One moment of a Writer.

    Threads: immutable, any.
    """

    state: State
    words: str  # why, for the user; "" when there is nothing to say
    segment: str  # name of the open segment without suffix, or ""
    frames_written: int  # handed to the operating system, rewrites included
    frames_durable: int  # known to be on the medium, each once
    bytes: int  # handed to the operating system
    queue_packets: int  # not known to be durable
    queue_s: float  # the time they took to come, pauses left out, s
    unsynced_age_s: float  # since the oldest of them was handed over, s; 0 when there is none
    lost: Mapping[str, int]  # camera | mailbox | encoder | disk | stopped -> frames
    segments: int  # finished since the start
    paused_until_ns: int | None  # boot clock; None when not paused
    late: bool = False  # the oldest of them waits longer than these settings allow: an alarm


LOSS_BOUND = "At most one fragment (250 ms) plus the age of the oldest unsynced packet"
"""What a power cut takes. That age is `unsynced_age_s`; docs/RELIABILITY.md tells how the bound is proven."""
_STALE_S = 2.0


def patience_s(settings: WriterSettings) -> float:
    """An unsynced packet older than this is an alarm, and "recording" is no longer true."""
    return _STALE_S + settings.sync_s


def judge(
    paused: bool, unsynced_age_s: float, since_sync_s: float | None, settings: WriterSettings
) -> tuple[State, str]:
    """State and words while the disk reports no error: recording is claimed only while bytes reach the medium.

    since_sync_s: since a sync last returned; None when none ever did.
    """
    patience = patience_s(settings)
    if unsynced_age_s > patience:
        return "fault", f"Card does not answer: nothing saved for {unsynced_age_s:.0f} s"
    if paused:
        return "paused", "Recording is paused"
    if since_sync_s is None:
        return "idle", "Nothing recorded yet"
    if since_sync_s > patience:
        return "idle", "No pictures to record"
    return "recording", ""
