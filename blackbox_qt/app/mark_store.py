"""The marks of all libraries, as they are on the card, and changes of them that are durable on return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from blackbox_qt.app.mark_book import merged
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.marks import Mark, MarkJournal
from blackbox_qt.storage.sidecar import Lock


class MarkStore:
    """Each mark lives in the journal of the library that was recorded to when it was made.

    `root()` is the library recorded to now.

    Threads: `marks` any, never waits; `save`, `adopt` one at a time each; `load`, `forget` any. `save`, `load` and
    `forget` block on the disk and raise OSError.
    """

    def __init__(self, disk: Disk, root: Callable[[], Path], libraries: Callable[[], Iterable[Library]]) -> None:
        self._disk = disk
        self._root = root
        self._libraries = libraries
        self._marks: dict[str, Mark] = {}
        self._homes: dict[str, Path] = {}
        self._loaded: set[Path] = set()
        self._adopted: set[Path] = set()
        self._loading = threading.Lock()
        self._lock = threading.Lock()  # for moments only

    @property
    def marks(self) -> dict[str, Mark]:
        """All that are known and durable, by name."""
        with self._lock:
            return dict(self._marks)

    def load(self) -> None:
        """Read the journals that were not read yet: also of a card that came later."""
        with self._loading:
            for root in (library.root for library in self._libraries()):
                if root not in self._loaded:
                    self._take(MarkJournal(self._disk, root).load(), root)
                    self._loaded.add(root)

    def adopt(self) -> None:
        """Marks that only sidecars tell of: their journal was lost, or stayed on another disk. They can be undone."""
        for library in self._libraries():
            if library.loaded.is_set() and library.root not in self._adopted:
                self._adopted.add(library.root)
                found = {lock.mark: _of(lock, s) for s in library.segments() for lock in s.sidecar.locks}
                known = self.marks
                self._take({name: mark for name, mark in found.items() if name not in known}, library.root)

    def save(self, changed: Mapping[str, Mark]) -> None:
        """Write them down; known to everybody only when they are durable."""
        now = self._root()
        homes: dict[Path, list[Mark]] = {}
        for mark in changed.values():
            homes.setdefault(self._home(mark.id, now), []).append(mark)
        for root, marks in homes.items():
            MarkJournal(self._disk, root).append(marks)
        with self._lock:
            self._marks.update(changed)
            self._homes.update({mark.id: root for root, marks in homes.items() for mark in marks})

    def forget(self, is_one: Callable[[Mark], bool]) -> None:
        """Leave nothing of these marks, as when a trip is forgotten; durable on return. Their locks are not touched."""
        with self._lock:
            gone = {name for name, mark in self._marks.items() if is_one(mark)}
        for library in self._libraries():
            journal = MarkJournal(self._disk, library.root)
            there = journal.load()
            left = {name: mark for name, mark in there.items() if name not in gone and not is_one(mark)}
            if len(left) < len(there):
                journal.rewrite(left)
        with self._lock:
            self._marks = {name: mark for name, mark in self._marks.items() if name not in gone}

    def _home(self, name: str, now: Path) -> Path:
        """Where its lines are; the library recorded to now for a new one, and where that card is gone."""
        home = self._homes.get(name, now)
        return home if self._disk.is_dir(home) else now

    def _take(self, found: Mapping[str, Mark], root: Path) -> None:
        with self._lock:
            for name, mark in found.items():
                known = self._marks.get(name)
                self._marks[name] = mark if known is None else merged(known, mark)
                self._homes.setdefault(name, root)


def _of(lock: Lock, segment: SegmentInfo) -> Mark:
    """What a lock tells of its mark: when, but not how much of the time around it."""
    words = lock.by, lock.reason, lock.note
    when = lock.boot_ns
    return Mark(lock.mark, "applied", lock.kind, *words, segment.machine_boot, when, when, when, lock.utc_ns)
