"""A library's trips and segments as values that can be shown, sent and printed; what the page and `list` share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from blackbox_qt.core import trust
from blackbox_qt.core.clock import NS
from blackbox_qt.storage.library_info import SegmentInfo, Trip
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.report import GAP_NS


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment. Boot times count from the start of its machine; UTC is null where nobody vouches for it.

    Threads: immutable, any.
    """

    name: str  # without suffix
    camera: str
    state: str  # finished | open
    origin: str  # camera | pattern | file
    bytes: int
    first_t_ns: int | None
    last_t_ns: int | None
    utc_ns: int | None  # of its first picture
    utc_source: str  # who vouches for it; "" when nobody does
    uncertainty_ns: int | None
    duration_s: float
    frames: int
    lost: dict[str, int]  # by cause
    ended: str  # the end record's reason; "" while it is open
    words: str  # how it ended, for a person: "ended by power loss, 3.2 s"
    gap_before_s: float | None  # since this camera's segment before, in the same trip; null: it continues
    marks: list[str]  # that keep it
    notes: list[str]
    trouble: str  # why some of this is missing


@dataclass(frozen=True, slots=True)
class TripEntry:
    """One trip: all that was recorded between two starts of the machine.

    Threads: immutable, any.
    """

    number: int  # the first of the library's starts in it
    starts: list[int]
    cameras: list[str]
    segments: int
    bytes: int
    utc_ns: int | None  # of its first picture
    utc_source: str
    uncertainty_ns: int | None
    duration_s: float  # gaps included
    recorded_s: dict[str, float]  # by camera, gaps left out
    gaps: int
    lost: dict[str, int]
    power_losses: int  # segments that ended so
    marks: list[str]


def segment_entries(segments: Iterable[SegmentInfo]) -> list[SegmentEntry]:
    """In the order given; gaps are told of where the segment before of the same camera and trip is among them.

    Threads: any.
    """
    segments = tuple(segments)
    return [_entry(segment, gap_s) for segment, gap_s in zip(segments, _gaps(segments), strict=True)]


def _gaps(segments: Iterable[SegmentInfo]) -> Iterator[float | None]:
    """For each segment the seconds since its camera's one before in the same trip, where that is a gap."""
    ends: dict[tuple[str, str], int] = {}
    for segment in segments:
        key = segment.trip_key, segment.name.camera
        end_ns, first = ends.get(key), segment.first_t_ns
        is_gap = end_ns is not None and first is not None and first - end_ns > GAP_NS
        yield (first - end_ns) / NS if is_gap and first is not None and end_ns is not None else None
        if segment.last_t_ns is not None:
            ends[key] = max(segment.last_t_ns, end_ns or 0)


def _entry(segment: SegmentInfo, gap_s: float | None) -> SegmentEntry:
    utc_ns, source, uncertainty = _when(segment)
    return SegmentEntry(
        name=segment.name.stem,
        camera=segment.name.camera,
        state=segment.state,
        origin=segment.origin,
        bytes=segment.bytes,
        first_t_ns=segment.first_t_ns,
        last_t_ns=segment.last_t_ns,
        utc_ns=utc_ns,
        utc_source=source,
        uncertainty_ns=uncertainty,
        duration_s=round(segment.duration_s, 3),
        frames=segment.frames,
        lost=dict(segment.lost),
        ended=segment.end_reason,
        words=ended_words(segment),
        gap_before_s=None if gap_s is None else round(gap_s, 3),
        marks=[lock.mark for lock in segment.sidecar.locks],
        notes=[note.text for note in segment.sidecar.notes],
        trouble=segment.trouble,
    )


def _when(segment: SegmentInfo) -> tuple[int | None, str, int | None]:
    """UTC of the first picture, who vouches for it, and how wrong it may be; nothing when nobody does."""
    dating = segment.dating
    if dating is None or not segment.dated or segment.first_t_ns is None:
        return None, "", None
    first = segment.first_t_ns
    return trust.utc_at(dating, first), dating.source, trust.uncertainty_at(dating, first)


_ENDED = {
    "stopped": "recording was stopped",
    "paused": "recording was paused",
    "stream-changed": "the camera was started anew",
    "clock-changed": "the camera's clock went back",
    "cut": "cut on demand",
    "moved": "recording went on elsewhere",
}


def ended_words(segment: SegmentInfo) -> str:
    """How long a segment is, and how it ended if not for the next one.

    Threads: any.
    """
    if segment.trouble:
        return segment.trouble
    length = f"{segment.duration_s:.1f} s"
    if segment.state == "open":
        return f"not finished, {length} so far"
    if segment.end_reason in HEALED_WORDS:
        return f"{HEALED_WORDS[segment.end_reason]}, {length}"
    return f"{length}, {_ENDED[segment.end_reason]}" if segment.end_reason in _ENDED else length


def trip_entry(trip: Trip) -> TripEntry:
    """Threads: any."""
    segments = trip.segments
    first = min(segments, key=_begin)
    utc_ns, source, uncertainty = _when(first)
    return TripEntry(
        number=trip.number,
        starts=sorted(trip.starts),
        cameras=list(trip.cameras),
        segments=len(segments),
        bytes=trip.bytes,
        utc_ns=utc_ns,
        utc_source=source,
        uncertainty_ns=uncertainty,
        duration_s=round(trip.duration_s, 3),
        recorded_s=_summed((s.name.camera, s.duration_s) for s in segments),
        gaps=sum(gap_s is not None for gap_s in _gaps(segments)),
        lost={cause: int(count) for cause, count in _summed(x for s in segments for x in s.lost.items()).items()},
        power_losses=sum(s.end_reason == "power-loss" for s in segments),
        marks=_marks(segments),
    )


def _begin(segment: SegmentInfo) -> int:
    return 1 << 63 if segment.first_t_ns is None else segment.first_t_ns


def _marks(segments: Sequence[SegmentInfo]) -> list[str]:
    """Each once, in the order of their segments."""
    return list(dict.fromkeys(lock.mark for segment in segments for lock in segment.sidecar.locks))


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for key, value in pairs:
        total[key] = round(total.get(key, 0) + value, 3)
    return total
