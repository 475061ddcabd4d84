"""`blackbox-qt list`: what was recorded, trip by trip. Reads only: nothing is healed, nothing is written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.local_time import local_words
from blackbox_qt.storage.dating import trip_conflict
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.library_info import SegmentInfo, Trip
from blackbox_qt.storage.listing import SegmentEntry, TripEntry, segment_entries, trip_entry

_LIBRARIES = ("recordings", "demo")


def run_list(args: argparse.Namespace) -> int:
    """Print it. Returns an Exit."""
    try:
        config = installed_configuration(args)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    path = args.path or config.storage.data.expanduser()
    if not path.is_dir():
        return refuse(f"{path}: no such folder", Exit.USAGE)
    troubles: list[str] = []
    libraries = [(root, _trips(root, args, troubles)) for root in _roots(path)]
    if args.json:
        print(
            json.dumps({"libraries": [_object(root, trips, config.time.zone) for root, trips in libraries]}, indent=1)
        )
    else:
        texts = ["\n".join(map(_printable, lines(root, trips, config.time.zone))) for root, trips in libraries]
        print("\n\n".join(texts))
    for trouble in troubles:
        print(f"blackbox-qt: {trouble}", file=sys.stderr)
    return Exit.FAILED if troubles else Exit.OK


def _roots(path: Path) -> list[Path]:
    """The libraries of a data folder; or the folder itself: a library, or anything that segments were copied to."""
    return [path / name for name in _LIBRARIES if (path / name).is_dir()] or [path]


def _trips(root: Path, args: argparse.Namespace, troubles: list[str]) -> list[Trip]:
    """The trips that were asked for, each with the segments that were asked for."""
    library = Library(Disk(), root, SystemClock())
    try:
        library.load()
    except OSError as error:
        troubles.append(f"{root}: not everything can be read: {error.strerror or error}")
    groups: dict[str, list[SegmentInfo]] = {}
    for segment in library.segments(trip=args.trip, camera=args.camera):
        groups.setdefault(segment.trip_key, []).append(segment)
    return [Trip(key, tuple(segments)) for key, segments in groups.items()]


def _object(root: Path, trips: Sequence[Trip], zone: str) -> dict[str, object]:
    return {
        "path": str(root),
        "trips": [
            {
                **asdict(trip_entry(trip)),
                "conflict": trip_conflict(trip.segments, zone),
                "segments": [asdict(entry) for entry in segment_entries(trip.segments)],
            }
            for trip in trips
        ],
    }


def lines(root: Path, trips: Sequence[Trip], zone: str = "") -> Iterator[str]:
    """For a person.

    Threads: any.
    """
    total = sum(trip.bytes for trip in trips)
    segments = sum(len(trip.segments) for trip in trips)
    yield f"{root}: {_count(len(trips), 'trip')}, {_count(segments, 'segment')}, {_size(total)}"
    for trip in trips:
        yield ""
        yield _trip_line(trip_entry(trip), zone)
        if doubt := trip_conflict(trip.segments, zone):
            yield f"  {doubt}"
        for entry in segment_entries(trip.segments):
            yield f"  {_segment_line(entry, zone)}"


def _trip_line(trip: TripEntry, zone: str) -> str:
    parts = [
        _when(trip, zone, source=True),
        _length(trip.duration_s),
        _and(trip.cameras),
        _size(trip.bytes),
        _count(trip.gaps, "gap") if trip.gaps else "",
        _count(trip.power_losses, "segment") + " ended by power loss" if trip.power_losses else "",
        _lost(trip.lost),
        f"kept for {_count(len(trip.marks), 'mark')}" if trip.marks else "",
    ]
    return f"Trip {trip.number}: {', '.join(part for part in parts if part)}"


def _segment_line(entry: SegmentEntry, zone: str) -> str:
    parts = [
        _when(entry, zone, source=False),
        entry.words,
        _size(entry.bytes),
        _lost(entry.lost),
        "" if entry.gap_before_s is None else f"gap of {entry.gap_before_s:.1f} s before it",
        f"kept for {', '.join(entry.marks)}" if entry.marks else "",
        *(f"“{note}”" for note in entry.notes),
    ]
    return f"{entry.name}: {', '.join(part for part in parts if part)}"


def _when(entry: SegmentEntry | TripEntry, zone: str, *, source: bool) -> str:
    words = local_words(entry.utc_ns, zone, entry.utc_source if source else "", entry.uncertainty_ns)
    if entry.utc_ns is not None or isinstance(entry, TripEntry) or entry.first_t_ns is None:
        return words
    return f"{words} ({entry.first_t_ns / 1e9:.1f} s after the start)"


def _lost(lost: dict[str, int]) -> str:
    if not any(lost.values()):
        return ""
    causes = ", ".join(f"{cause} {count}" for cause, count in sorted(lost.items()) if count)
    return f"{_count(sum(lost.values()), 'frame')} lost ({causes})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"


def _length(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if not minutes and not hours:
        return f"{seconds:.1f} s"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {whole % 60:02d} s"


def _printable(line: str) -> str:
    """Names and notes may hold anything; a terminal must not obey it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
