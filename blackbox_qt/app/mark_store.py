"""The marks of all libraries, as they are on the card, and changes of them that are durable on return."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from blackbox_qt.app.mark_book import merged
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.marks import Mark, MarkJournal
from blackbox_qt.storage.sidecar import Lock


class MarkStore:
    """Whatever happens to a mark goes to the journal of the library that is recorded to now; read are all of them.

    `root()` is that library's folder, None when there is none (the card is missing). `libraries()` are those that can
    be asked now; `more()` names further folders with journals.

    Threads: `marks` any, never waits; the others any too, they take turns, block on the disk and raise OSError.
    """

    def __init__(
        self,
        disk: Disk,
        root: Callable[[], Path | None],
        libraries: Callable[[], Iterable[Library]],
        more: Callable[[], Iterable[Path]] = lambda: (),
    ) -> None:
        self._disk = disk
        self._root = root
        self._libraries = libraries
        self._more = more
        self.revision = 0  # counts changes
        self._marks: dict[str, Mark] = {}
        self._loaded: set[Path] = set()
        self._adopted: set[Path] = set()
        self._turn = threading.RLock()  # for what touches the disk
        self._lock = threading.Lock()  # for moments only

    @property
    def marks(self) -> dict[str, Mark]:
        """All that are known and durable, by name."""
        with self._lock:
            return dict(self._marks)

    def load(self) -> None:
        """Read the journals that were not read yet: also of a card that came later, or that was put in again."""
        with self._turn:
            roots = self._roots()
            self._loaded.intersection_update(roots)
            for root in roots - self._loaded:
                self._take(MarkJournal(self._disk, root).load())
                self._loaded.add(root)

    def adopt(self) -> None:
        """Marks that only sidecars tell of: their journal was lost, or stayed on another disk. They can be undone."""
        with self._turn:
            libraries = [library for library in self._libraries() if library.loaded.is_set()]
            self._adopted.intersection_update(library.root for library in libraries)
            for library in libraries:
                if library.root not in self._adopted:
                    self._adopted.add(library.root)
                    found = {lock.mark: _of(lock, s) for s in library.segments() for lock in s.sidecar.locks}
                    known = self.marks
                    self._take({name: mark for name, mark in found.items() if name not in known})

    def save(self, changed: Mapping[str, Mark]) -> None:
        """Write them down; known to everybody only when they are durable."""
        with self._turn:
            root = self._root()
            if root is None:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            MarkJournal(self._disk, root).append(changed.values())
            with self._lock:
                self._marks.update(changed)
                self.revision += 1

    def forget(self, is_one: Callable[[Mark], bool]) -> None:
        """Leave nothing of these marks, as when a trip is forgotten; durable on return. Their locks are not touched."""
        with self._turn:
            for root in self._roots():
                journal = MarkJournal(self._disk, root)
                there = journal.load()
                left = {name: mark for name, mark in there.items() if not is_one(mark)}
                if len(left) < len(there):
                    journal.rewrite(left)
            with self._lock:
                self._marks = {name: mark for name, mark in self._marks.items() if not is_one(mark)}
                self.revision += 1

    def _roots(self) -> set[Path]:
        return {*(library.root for library in self._libraries()), *self._more()}

    def _take(self, found: Mapping[str, Mark]) -> None:
        with self._lock:
            self.revision += 1
            for name, mark in found.items():
                known = self._marks.get(name)
                self._marks[name] = mark if known is None else merged(known, mark)


def _of(lock: Lock, segment: SegmentInfo) -> Mark:
    """What a lock tells of its mark: when, but not how much of the time around it."""
    words = lock.by, lock.reason, lock.note
    when = lock.boot_ns
    return Mark(lock.mark, "applied", lock.kind, *words, segment.machine_boot, when, when, when, lock.utc_ns)
