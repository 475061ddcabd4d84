"""Forget a trip, erase everything: the footage with all that was made from it and written about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blackbox_qt.storage.deletions import Deletions
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal_lines import Deletion
from blackbox_qt.storage.library import SegmentInfo
from blackbox_qt.storage.library_cache import FILE as CACHE
from blackbox_qt.storage.quarantine import Quarantine
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.times import TimesFile

DERIVED = ("thumbnails", "cache")
"""Folders in a library's root for what is made from segments and named after them."""
STILLS = "snapshots"
"""In the data folder."""
WHY = "erased"
_MARKED_TOO = ", also what is marked"
_START = re.compile(r"-(\d{6,9})-\d{5,9}(?!\d)")
_TRIP = re.compile(r"trip (\d+)")


class EraseError(Exception):
    """It cannot be erased, or not without being asked once more; one sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be erased from a library.

    Threads: immutable, any.
    """

    trip: int | None  # any of the library's starts in it; None: everything
    who: str
    marked_too: bool = False

    @property
    def what(self) -> str:
        """As the journal tells of it: nothing of what it held."""
        words = "everything" if self.trip is None else f"trip {self.trip}"
        return words + (_MARKED_TOO if self.marked_too else "")

    @classmethod
    def parse(cls, what: str, who: str) -> Wish | None:
        """From a line of the journal; None for any other deletion."""
        words = what.removesuffix(_MARKED_TOO)
        found = _TRIP.fullmatch(words)
        if not found and words != "everything":
            return None
        return cls(int(found[1]) if found else None, who, words != what)


def erase_stills(disk: Disk, data: Path) -> int:
    """Delete the stills that were saved in the data folder, not their counter; how many. OSError.

    Threads: one at a time; blocks on the disk.
    """
    folder = data / STILLS
    files = [entry.name for entry in disk.list(folder) if entry.is_file] if disk.is_dir(folder) else []
    for name in files:
        if name.endswith((".jpg", ".jpg.tmp")):
            disk.unlink(folder / name)
    if files:
        disk.sync_dir(folder)
    return sum(name.endswith(".jpg") for name in files)


class Marks(Protocol):
    """The marks made in some starts of the machine; for None: all.

    Threads: `count` any, it never waits; `forget` blocks on the disk, raises OSError.
    """

    def count(self, boots: Collection[str] | None) -> int:
        """How many hold."""
        ...

    def forget(self, boots: Collection[str] | None) -> None:
        """Leave nothing of them; durable on return."""
        ...


class Eraser:
    """Erases from one library.

    `in_use()` names the segments that are being written; they stay, with what follows them. `marks` are those of the
    library. What flash memory keeps of what was deleted is not overwritten.

    Threads: `check` any, it never waits; `erase`, `complete` one at a time, they block on the disk, raise OSError.
    """

    def __init__(
        self,
        deletions: Deletions,
        in_use: Callable[[], Collection[SegmentName]],
        marks: Marks,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._deletions = deletions
        self._library = deletions.library
        self._in_use = in_use
        self._marks = marks
        self._rest = rest

    def check(self, wish: Wish) -> tuple[SegmentInfo, ...]:
        """What it would take. EraseError when there is no such trip, or when marks keep some of it."""
        segments = self._wanted(wish)
        if wish.trip is not None and not segments:
            numbers = ", ".join(str(trip.number) for trip in self._library.trips()[-5:])
            raise EraseError(f"There is no trip {wish.trip}; the last ones are: {numbers or 'none'}.")
        kept = any(one.locked for one in segments) or self._marks.count(None if wish.trip is None else _boots(segments))
        if kept and not wish.marked_too:
            what = "Some of what there is" if wish.trip is None else f"Some of trip {wish.trip}"
            raise EraseError(f"{what} is kept by marks: nothing was erased. Confirm that it goes too.")
        return segments

    def erase(self, wish: Wish) -> int:
        """Do it; returns how many segments went. A crash in between is made good by `complete`."""
        segments = self.check(wish)
        number = self._deletions.journal.begin(Deletion(wish.what, WHY, wish.who))
        return self._carry_out(wish, segments, number)

    def complete(self) -> None:
        """After a crash: finish what was begun."""
        for entry in self._deletions.journal.pending():
            wish = Wish.parse(entry.deletion.what, entry.deletion.who)
            if wish is not None:
                self._carry_out(wish, self._wanted(wish), entry.number)

    def _wanted(self, wish: Wish) -> tuple[SegmentInfo, ...]:
        """By the library's starts, not by the machine's: a file whose head is damaged does not know that one."""
        if wish.trip is None:
            return self._library.segments()
        starts = {start for trip in self._library.trips() if wish.trip in trip.starts for start in trip.starts}
        return tuple(one for one in self._library.segments() if one.name.boot in starts)

    def _carry_out(self, wish: Wish, segments: tuple[SegmentInfo, ...], number: int) -> int:
        starts = {one.name.boot for one in segments} | ({wish.trip} if wish.trip is not None else self._all_starts())
        gone = self._remove(segments, wish)
        for start in sorted(starts):
            self._sweep(start)
        whole = wish.trip is None
        Quarantine(self._library.disk, self._library.root).drop(lambda label: whole or _start_of(label) in starts, WHY)
        self._drop_derived(starts, whole=whole)
        self._marks.forget(None if whole else _boots(segments))
        self._forget_times(_boots(segments))
        self._deletions.journal.forget(lambda what: whole or _start_of(what) in starts, but=number)
        self._deletions.journal.done(number)
        self._library.load(self._rest)
        return gone

    def _forget_times(self, boots: Collection[str]) -> None:
        """Who said what time it was then; not of a trip of which something stays or is being written."""
        times = TimesFile(self._library.disk, self._library.root.parent)
        under_way = {self._library.clock.machine_boot} if self._in_use() else set[str]()
        for boot in sorted(set(boots) - _boots(self._library.segments()) - under_way):
            times.forget(boot)

    def _remove(self, segments: Iterable[SegmentInfo], wish: Wish) -> int:
        self._deletions.silent = True
        gone = 0
        try:
            for one in segments:
                if one.state == "finished" and self._may_go(one.name, wish):
                    self._library.remove(one.name, WHY, wish.who, locked_too=wish.marked_too)
                    gone += 1
                    self._rest()
        finally:
            self._deletions.silent = False
        return gone

    def _may_go(self, name: SegmentName, wish: Wish) -> bool:
        """Not what a mark has come to keep since it was checked."""
        now = self._library.get(name)
        return now is not None and (wish.marked_too or not now.locked)

    def _sweep(self, start: int) -> None:
        """What is left in a start's folder: unfinished files that nobody writes, torn sidecars."""
        disk, folder = self._library.disk, self._library.root / f"{start:06d}"
        if not disk.is_dir(folder):
            return
        for entry in disk.list(folder):
            name = SegmentName.parse(entry.name.split(".", 1)[0])
            # A finished one that is still there was finished meanwhile, or kept by a mark meanwhile.
            if name is not None and not disk.exists(folder / name.final) and self._is_nobodys(folder, name):
                disk.unlink(folder / entry.name)
        disk.sync_dir(folder)

    def _is_nobodys(self, folder: Path, name: SegmentName) -> bool:
        """Whether no program writes it: a Writer, also another program's, holds its file."""
        disk, path = self._library.disk, folder / name.part
        if name in self._in_use():
            return False
        if not disk.exists(path):
            return True
        fd = disk.open_read(path)
        try:
            return disk.hold(fd)
        finally:
            disk.close(fd)

    def _drop_derived(self, starts: Collection[int], *, whole: bool) -> None:
        disk, root = self._library.disk, self._library.root
        if disk.exists(root / CACHE):
            disk.unlink(root / CACHE)  # it is made again
        for folder in (root / name for name in DERIVED):
            for entry in disk.list(folder) if disk.is_dir(folder) else ():
                if entry.is_file and (whole or _start_of(entry.name) in starts):
                    disk.unlink(folder / entry.name)
        if disk.is_dir(root):
            disk.sync_dir(root)

    def _all_starts(self) -> set[int]:
        disk, root = self._library.disk, self._library.root
        entries = disk.list(root) if disk.is_dir(root) else ()
        return {int(one.name) for one in entries if one.is_dir and one.name.isdigit()}


def _boots(segments: Iterable[SegmentInfo]) -> set[str]:
    return {one.machine_boot for one in segments if one.machine_boot}


def _start_of(text: str) -> int | None:
    """The library's start in a name that has a segment's in it."""
    found = _START.search(text)
    return int(found[1]) if found else None
