"""A library's journal of deletions at work: what is removed is told, and what a crash interrupted is completed."""

from __future__ import annotations

from collections.abc import Callable

from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.journal_lines import Deletion, JournalEntry
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.segment import SegmentName


class Deletions:
    """Keeps the journal of a library.

    `silent`: what is removed is not told one by one, because an erase tells of all of it.

    Threads: as the library's `remove`; `complete` one at a time, once the library is loaded. Blocks on the disk.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.journal = Journal(library.disk, library.root, library.clock)
        self.silent = False
        library.journal = self._carry_out

    def _carry_out(self, segment: SegmentInfo, why: str, who: str, delete: Callable[[], None]) -> None:
        if self.silent:
            delete()
        else:
            self.journal.carry_out(Deletion(segment.name.stem, why, who, segment.bytes), delete)

    def complete(self) -> None:
        """After a crash: finish what was begun, unless a mark keeps it; then see to the journal's next file."""
        for entry in self.journal.pending():
            if (name := SegmentName.parse(entry.deletion.what)) is not None:
                self._complete(name, entry)
        self.journal.make_ready()

    def _complete(self, name: SegmentName, entry: JournalEntry) -> None:
        segment = self.library.get(name)
        if segment is None or segment.state != "finished":
            self._tidy(name)
            self.journal.done(entry.number)
        elif segment.locked:
            self.journal.kept(entry.number, "a mark keeps it")
        else:
            self._again(segment, entry)

    def _again(self, segment: SegmentInfo, entry: JournalEntry) -> None:
        """Its own line stays the one that tells of it."""
        self.silent = True
        try:
            self.library.remove(segment.name, entry.deletion.why, entry.deletion.who)
        except StorageError as error:  # a mark was quicker
            self.journal.kept(entry.number, str(error))
        else:
            self.journal.done(entry.number)
        finally:
            self.silent = False

    def _tidy(self, name: SegmentName) -> None:
        """The file is gone; what lay beside it may have been left."""
        disk, folder = self.library.disk, self.library.root / f"{name.boot:06d}"
        if not disk.is_dir(folder) or disk.exists(folder / name.part) or disk.exists(folder / name.final):
            return
        for entry in disk.list(folder):
            if entry.name.startswith(name.sidecar):
                disk.unlink(folder / entry.name)
        disk.sync_dir(folder)
