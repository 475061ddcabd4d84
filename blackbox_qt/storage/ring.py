"""Bounded emergency recording on the system's disk while the card is missing: the oldest goes for the newest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.storage import sidecar
from blackbox_qt.storage.card import LIBRARIES
from blackbox_qt.storage.disk import Disk, temporary
from blackbox_qt.storage.numbering import last_number
from blackbox_qt.storage.segment import COUNTER, PART, Place, SegmentName, Store

log = logging.getLogger(__name__)

_MB = 1_000_000
_PIECES = 10  # a segment may take so small a part of a camera's share of the ring


@dataclass(frozen=True, slots=True)
class RingSettings:
    """How much of the system's disk may be taken.

    Threads: immutable, any.
    """

    size: int = 2000 * _MB  # bytes
    keep_free: int = 500 * _MB  # bytes that stay free on that disk
    cameras: int = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the ring that is a segment.

    Threads: immutable, any.
    """

    library: str
    folder: Path
    name: SegmentName
    file: str  # its name: final, or still that of an open one
    bytes: int

    @property
    def path(self) -> Path:
        return self.folder / self.file

    @property
    def age(self) -> tuple[int, int, str]:
        """Sorts the oldest first: starts have rising numbers, and cameras record side by side."""
        return self.name.boot, self.name.seq, self.name.camera


class Ring:
    """Libraries in a folder of the system's disk, of a bounded size.

    `floor(library)` is the highest start known of the card's library: numbers given here are above it, and the card's
    next ones above these, so that names never collide and sort by time.

    Threads: any; blocks on the system's disk; `used` any, at once.
    """

    def __init__(self, disk: Disk, folder: Path, settings: RingSettings, floor: Callable[[str], int]) -> None:
        self.folder = folder.absolute()
        self.settings = settings
        self.used = 0  # bytes, when last looked
        self.dropped = 0  # segments that had to go since the program's start
        self._disk = disk
        self._store = _RingStore(disk, self.folder, floor)
        self._open: dict[str, Place] = {}  # by camera: where it was sent last
        self.piece = max(1, settings.size // (_PIECES * max(1, settings.cameras)))  # bytes

    def place(self, camera: str, origin: str) -> Place:
        """Room, and a name in it. OSError when the disk refuses, StorageError when its folder cannot be made."""
        if not self._disk.is_dir(self.folder):
            self._store.check_writable()
        self._open.pop(camera, None)
        self._make_room()
        self._open[camera] = place = self._store.place(camera, origin)
        return place

    def leave(self) -> None:
        """The card is recorded to: what comes here next is a start of its own, above the card's."""
        self._store.begin_anew()

    def holds(self, place: Place) -> bool:
        return place.root.is_relative_to(self.folder)

    def outgrown(self, size: int) -> bool:
        return size >= self.piece

    def last_start(self, library: str) -> int:
        """The highest start number given here; 0 for none. OSError."""
        return last_number(self._disk, self.folder / library, COUNTER)

    def library(self, origin: str) -> Path:
        return self._store.library(origin)

    @property
    def store(self) -> Store:
        """Where names come from here."""
        return self._store

    def segments(self) -> list[Kept]:
        """All that is here but what is being written, the oldest first. Measures `used`. OSError."""
        found = list(self._all())
        self.used = sum(kept.bytes for kept in found)
        busy = {place.folder / place.name.part for place in self._open.values()}
        return sorted((kept for kept in found if kept.path not in busy), key=lambda kept: kept.age)

    def _all(self) -> Iterator[Kept]:
        for library in LIBRARIES:
            root = self.folder / library
            if not self._disk.is_dir(root):
                continue
            for folder in (entry.name for entry in self._disk.list(root) if entry.is_dir):
                yield from self._in(library, root / folder)

    def _in(self, library: str, folder: Path) -> Iterator[Kept]:
        for found in self._disk.look(folder):
            name = SegmentName.parse(found.name)
            if found.is_file and name is not None and found.name in (name.final, name.final + PART):
                yield Kept(library, folder, name, found.name, found.size)

    def _make_room(self) -> None:
        """The oldest go until every camera's next piece fits; kept ones last, for recording goes on."""
        needed = self.piece * self.settings.cameras
        segments = self.segments()
        order = [*(s for s in segments if not self._locked(s)), *(s for s in segments if self._locked(s))]
        for kept in order:
            free = self._disk.space(self.folder)[0]
            if self.used + needed <= self.settings.size and free >= self.settings.keep_free + needed:
                return
            level = logging.INFO if self.dropped else logging.WARNING
            log.log(level, "the ring on the system's disk is full, its oldest goes: %s", kept.name.stem)
            self.drop(kept)
            self.dropped += 1

    def _locked(self, kept: Kept) -> bool:
        return sidecar.read(self._disk, kept.folder, kept.name).locked

    def drop(self, kept: Kept) -> None:
        """Take a segment and its sidecar away; durable on return. OSError."""
        beside = kept.folder / kept.name.sidecar
        for path in (kept.path, beside, temporary(beside)):
            if self._disk.exists(path):
                self._disk.unlink(path)
        self._disk.sync_dir(kept.folder)
        self.used = max(0, self.used - kept.bytes)


class _RingStore(Store):
    """Threads: any."""

    def __init__(self, disk: Disk, data: Path, floor: Callable[[str], int]) -> None:
        super().__init__(disk, data)
        self._above = floor

    def begin_anew(self) -> None:
        with self._lock:
            self._boots.clear()
            self._seqs.clear()
            self._links.clear()

    def _floor(self, root: Path) -> int:
        return self._above(root.name)
