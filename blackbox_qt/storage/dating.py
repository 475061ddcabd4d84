"""Dates for what was recorded before anybody knew the time: appended to sidecars, never a new name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.doubt import conflict_words
from blackbox_qt.core.trust import Pair
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Sidecar
from blackbox_qt.storage.times import Witness

log = logging.getLogger(__name__)

MOST_DATES = 16
"""In one sidecar: more opinions about one moment help nobody, but for one that is trusted more than all."""
_AT_ONCE = 20  # segments dated in a step: whoever records goes first

Witnesses = Mapping[str, Sequence[Witness]]
"""By start of the machine, in the order they were heard."""


def missing_dates(known: Iterable[Pair], witnesses: Iterable[Pair], at_ns: int | None) -> tuple[Dating, ...]:
    """What the witnesses say that `known` does not: more trust, much less doubt, or a contradiction.

    known: what the segment holds already, the records' own pair first. at_ns: its first picture.
    """
    held: list[Pair] = list(known)
    new: list[Dating] = []
    for one in witnesses:
        date = Dating(one.utc_ns, one.boot_ns, one.source, one.uncertainty_ns, getattr(one, "by", ""))
        room = len(held) <= MOST_DATES or trust.outranks(held, one)
        if room and date not in held and trust.adds(held, one, at_ns):
            held.append(date)
            new.append(date)
    return tuple(new)


def held_by(segment: SegmentInfo) -> list[Pair]:
    """Every pair of clocks a segment holds: its records' best one first, then what was learnt, as it was learnt."""
    own: list[Pair] = [] if segment.anchor is None else [segment.anchor]
    return [*own, *segment.sidecar.dates]


def trip_conflict(segments: Iterable[SegmentInfo], zone: str = "") -> str:
    """One sentence about times that cannot all be right, of segments of one start of the machine; "" when they can."""
    pairs = dict.fromkeys(pair for one in segments if one.sidecar.dates for pair in held_by(one))
    return conflict_words(pairs, zone) if pairs else ""


@dataclass(slots=True)
class _Seen:
    """How far a library was gone through."""

    segments: tuple[SegmentInfo, ...] = ()  # as they were when nothing was left to do
    words: int = -1  # how many were heard then
    listened: set[SegmentName] = field(default_factory=set)
    done: dict[SegmentName, int] = field(default_factory=dict)  # how many witnesses a segment was held against


class Dater:
    """Goes through the libraries and dates what can be dated better, a few segments at a time.

    The records of one segment date the others of its start of the machine too, so that nothing hangs on the file of
    witnesses alone. Where nothing has changed, nothing is gone through.

    Threads: `step` by one thread; blocks on the disk.
    """

    def __init__(self, libraries: Callable[[], Iterable[Library]], witnesses: Callable[[], Witnesses]) -> None:
        self._libraries = libraries
        self._witnesses = witnesses
        self._told: dict[str, list[Witness]] = {}  # what records say, by start of the machine
        self._seen: dict[Path, _Seen] = {}
        self._trouble = ""

    def step(self) -> None:
        """Date some."""
        heard = self._witnesses()
        found = [(one, self._seen.setdefault(one.root, _Seen()), one.segments()) for one in self._libraries()]
        for _, seen, segments in found:
            if segments is not seen.segments:
                for segment in segments:
                    self._listen(segment, heard, seen)
        words = sum(map(len, heard.values())) + sum(map(len, self._told.values()))
        for library, seen, segments in found:
            if segments is seen.segments and words == seen.words:
                continue
            if self._date_some(library, segments, heard, seen):
                seen.segments, seen.words = segments, words
            if len(seen.done) > 2 * len(segments):
                seen.done.clear()
            if len(seen.listened) > 2 * len(segments):  # most of them were deleted long ago
                seen.listened.intersection_update([segment.name for segment in segments])

    def _listen(self, segment: SegmentInfo, heard: Witnesses, seen: _Seen) -> None:
        """Hear what a segment's own records say about its start of the machine, once."""
        anchor, boot = segment.anchor, segment.machine_boot
        if segment.name in seen.listened or segment.state != "finished":
            return
        seen.listened.add(segment.name)
        told = self._told.setdefault(boot, [])
        if boot and anchor and trust.adds([*heard.get(boot, ()), *told], anchor):
            by = f"recorded in {segment.name.stem}"
            told.append(Witness(boot, anchor.boot_ns, anchor.utc_ns, anchor.source, anchor.uncertainty_ns, by))

    def _date_some(self, library: Library, segments: Sequence[SegmentInfo], heard: Witnesses, seen: _Seen) -> bool:
        """Whether nothing is left to do."""
        left = _AT_ONCE
        for segment in segments:
            boot = segment.machine_boot
            said = [*heard.get(boot, ()), *self._told.get(boot, ())]
            if not boot or segment.state != "finished" or seen.done.get(segment.name) == len(said):
                continue
            if left == 0:
                return False
            dates = missing_dates(held_by(segment), said, segment.first_t_ns)
            if dates and not self._date(library, segment, dates):
                return False
            left -= bool(dates)
            seen.done[segment.name] = len(said)
        return True

    def _date(self, library: Library, segment: SegmentInfo, dates: Sequence[Dating]) -> bool:
        """False when the disk refused: it is tried again."""
        try:
            library.change(segment.name, lambda beside: _with_dates(beside, dates))
        except StorageError as error:  # it was just removed
            log.debug("%s is not dated: %s", segment.name.stem, error)
        except OSError as error:
            self._say(error.strerror or str(error))
            return False
        self._trouble = ""
        return True

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("a recording cannot be dated now: %s", trouble)
        self._trouble = trouble


def _with_dates(beside: Sidecar, dates: Iterable[Dating]) -> Sidecar:
    for date in dates:
        beside = beside.with_date(date)
    return beside
