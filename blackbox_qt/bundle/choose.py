"""Which segments belong to an incident: those of a mark, of a time, of a trip; all cameras."""

from __future__ import annotations

from dataclasses import dataclass

from blackbox_qt.bundle.progress import BundleError
from blackbox_qt.core.local_time import local_words
from blackbox_qt.storage.library import Library, SegmentInfo


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a bundle.

    Threads: immutable, any.
    """

    words: str  # what was asked for, for the report
    segments: tuple[SegmentInfo, ...]
    moment: tuple[str, int] | None = None  # (start of the machine, boot time) of what happened, if somebody marked it


def by_mark(library: Library, mark: str) -> Choice:
    """All segments that a mark keeps. BundleError with words when there is none."""
    found = library.segments(mark=mark)
    if not found:
        known = sorted({lock.mark for one in library.segments() for lock in one.sidecar.locks})
        there = f"there are: {', '.join(known[-8:])}" if known else "nothing is marked here"
        raise BundleError(f"No recording is kept for a mark {mark!r}; {there}.")
    lock = next(lock for lock in found[0].sidecar.locks if lock.mark == mark)
    said = " · ".join(word for word in (lock.reason, lock.note) if word)
    words = f"mark {mark}, set by {lock.by or 'somebody'}" + (f": {said}" if said else "")
    return Choice(words, found, (found[0].machine_boot, lock.boot_ns) if lock.boot_ns else None)


def by_trip(library: Library, number: int) -> Choice:
    """All segments of a trip, named by a start of the library in it. BundleError with words when there is none."""
    found = library.segments(trip=number)
    if not found:
        there = ", ".join(str(trip.number) for trip in library.trips()[-8:])
        raise BundleError(f"There is no trip {number}; {f'the last ones are {there}' if there else 'nothing is here'}.")
    return Choice(f"trip {number}", found)


def by_time(library: Library, since_ns: int, until_ns: int, zone: str = "") -> Choice:
    """All segments with pictures between two moments, UTC in ns. BundleError with words when there is none.

    What nobody could date is not found by a time; it is in a trip.
    """
    asked = f"{local_words(since_ns, zone)} to {local_words(until_ns, zone)}"
    if until_ns <= since_ns:
        raise BundleError(f"The end is not after the beginning: {asked}.")
    found = library.segments(since_utc_ns=since_ns, until_utc_ns=until_ns)
    if not found:
        raise BundleError(f"Nothing is recorded from {asked}; what has no date is found with --trip.")
    return Choice(asked, found)
