"""Dates for what was recorded before anybody knew the time: appended to sidecars, never a new name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.trust import Pair
from blackbox_qt.core.worker import in_words
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.sidecar import Dating, Sidecar
from blackbox_qt.storage.times import Witness

log = logging.getLogger(__name__)

MOST_DATES = 16
"""In one sidecar: more opinions about one moment help nobody, but for one that is trusted more than all."""
_AT_ONCE = 20  # segments dated in a step: whoever records goes first

Witnesses = Mapping[str, Sequence[Witness]]
"""By start of the machine, in the order they were heard."""


def missing_dates(known: Iterable[Pair], witnesses: Iterable[Pair]) -> tuple[Dating, ...]:
    """What the witnesses say that `known` does not: more trust, much less doubt, or a contradiction.

    known: what the segment holds already, the records' own pair first.
    """
    held: list[Pair] = list(known)
    new: list[Dating] = []
    for one in witnesses:
        date = Dating(one.utc_ns, one.boot_ns, one.source, one.uncertainty_ns, getattr(one, "by", ""))
        room = len(held) <= MOST_DATES or trust.outranks(held, one)
        if room and date not in held and trust.adds(held, one):
            held.append(date)
            new.append(date)
    return tuple(new)


def held_by(segment: SegmentInfo) -> list[Pair]:
    """Every pair of clocks a segment holds: its records' best one first, then what was learnt, as it was learnt."""
    own: list[Pair] = [] if segment.anchor is None else [segment.anchor]
    return [*own, *segment.sidecar.dates]


class Dater:
    """Goes through the libraries and dates what can be dated better, a few segments at a time.

    The records of one segment date the others of its start of the machine too, so that nothing hangs on the file of
    witnesses alone.

    Threads: `step` by one thread; blocks on the disk.
    """

    def __init__(self, libraries: Callable[[], Iterable[Library]], witnesses: Callable[[], Witnesses]) -> None:
        self._libraries = libraries
        self._witnesses = witnesses
        self._told: dict[str, list[Witness]] = {}  # what records say, by start of the machine
        self._listened: set[Path] = set()
        self._done: dict[Path, int] = {}  # how many witnesses a segment was held against
        self._trouble = ""

    def step(self) -> bool:
        """Date some; whether there may be more to do at once."""
        heard = self._witnesses()
        segments = [(library, one) for library in self._libraries() for one in library.segments(open_too=False)]
        for _, segment in segments:
            self._listen(segment, heard)
        self._forget_gone({segment.path for _, segment in segments})
        left = _AT_ONCE
        for library, segment in segments:
            said = [*heard.get(segment.machine_boot, ()), *self._told.get(segment.machine_boot, ())]
            if not segment.machine_boot or self._done.get(segment.path) == len(said):
                continue
            if left == 0:
                return True
            left -= self._date(library, segment, said)
        return False

    def _listen(self, segment: SegmentInfo, heard: Witnesses) -> None:
        """Hear what a segment's own records say about its start of the machine, once."""
        anchor, boot = segment.anchor, segment.machine_boot
        if segment.path in self._listened:
            return
        self._listened.add(segment.path)
        told = self._told.setdefault(boot, [])
        if boot and anchor and trust.adds([*heard.get(boot, ()), *told], anchor):
            by = f"recorded in {segment.name.stem}"
            told.append(Witness(boot, anchor.boot_ns, anchor.utc_ns, anchor.source, anchor.uncertainty_ns, by))

    def _forget_gone(self, there: set[Path]) -> None:
        self._listened &= there
        for path in self._done.keys() - there:
            del self._done[path]

    def _date(self, library: Library, segment: SegmentInfo, said: Sequence[Witness]) -> bool:
        """Whether its sidecar was written."""
        dates = missing_dates(held_by(segment), said)
        try:
            if dates:
                library.change(segment.name, lambda beside: _with_dates(beside, dates))
        except (OSError, StorageError) as error:  # a full or dying card, or a segment just removed: tried again
            self._say(in_words(error))
            return False
        self._done[segment.path] = len(said)
        return bool(dates)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("a recording cannot be dated now: %s", trouble)
        self._trouble = trouble


def _with_dates(beside: Sidecar, dates: Iterable[Dating]) -> Sidecar:
    for date in dates:
        beside = beside.with_date(date)
    return beside
