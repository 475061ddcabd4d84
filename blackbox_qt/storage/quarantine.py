"""What healing cuts off is kept for a while: a folder with a bound on bytes and files, the oldest goes first."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.storage.disk import Disk

log = logging.getLogger(__name__)

FOLDER = "quarantine"
MOST_BYTES = 64 << 20
MOST_FILES = 200
_NAME = re.compile(r"(\d{6,9})-(.+)")
_INCOMING = "incoming.tmp"  # only ever one: the next one is written over what a crash left
_CHUNK = 1 << 18
_SYNC = 1 << 22  # bytes: more than that in one sync, and the Writer's own would wait behind it


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """One file in it.

    Threads: immutable, any.
    """

    number: int  # counts up; the clock of a car does not
    label: str
    bytes: int

    @property
    def file(self) -> str:
        return f"{self.number:06d}-{self.label}"


class Quarantine:
    """The folder `quarantine` of a library. Its files end in none of the endings of recordings. OSError from the disk.

    Threads: one at a time; blocks on the disk.
    """

    def __init__(self, disk: Disk, root: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self.folder = root / FOLDER
        self._disk = disk
        self._most_bytes = most_bytes
        self._most_files = most_files

    def kept(self) -> list[Kept]:
        """What is in it, the oldest first."""
        if not self._disk.is_dir(self.folder):
            return []
        found = [(entry, _NAME.fullmatch(entry.name)) for entry in self._disk.look(self.folder) if entry.is_file]
        return sorted(Kept(int(match[1]), match[2], entry.size) for entry, match in found if match)

    def keep(self, path: Path, start: int, label: str, rest: Callable[[], None] = lambda: None) -> str:
        """Copy a file from byte `start` on; durable on return. Returns the copy's name.

        Keeping the same bytes again, as after a crash in healing, makes no second copy. Of what is larger than all that
        may be here the beginning is kept.
        """
        disk = self._disk
        fd = disk.open_read(path)
        try:
            size = disk.size(fd) - start
            count = min(size, self._most_bytes)
            kept = self.kept()
            for one in kept:
                if one.label == label and one.bytes == count and self._same(fd, start, one):
                    return one.file
            self._make_room(kept, count)
            new = Kept(max((one.number for one in kept), default=0) + 1, label, count)
            self._copy(fd, start, new, rest)
        finally:
            disk.close(fd)
        if count < size:
            log.warning("%s: only the first %d of %d bytes cut off are kept in quarantine", path, count, size)
        return new.file

    def drop(self, wanted: Callable[[str], bool], why: str) -> int:
        """Delete the files whose label is `wanted`; returns how many."""
        found = [one for one in self.kept() if wanted(one.label)]
        for one in found:
            self._remove(one, why)
        if found:
            self._disk.sync_dir(self.folder)
        return len(found)

    def _make_room(self, kept: list[Kept], count: int) -> None:
        room = self._most_bytes - sum(one.bytes for one in kept)
        files = len(kept)
        for one in kept:
            if room >= count and files < self._most_files:
                return
            self._remove(one, "to make room")
            room, files = room + one.bytes, files - 1

    def _remove(self, one: Kept, why: str) -> None:
        self._disk.unlink(self.folder / one.file)
        log.info("%s (%d bytes) was removed from quarantine %s", one.file, one.bytes, why)

    def _copy(self, source: int, start: int, new: Kept, rest: Callable[[], None]) -> None:
        disk = self._disk
        if disk.mkdir(self.folder):
            disk.sync_dir(self.folder.parent)
        incoming = self.folder / _INCOMING
        fd = disk.replace(incoming)
        try:
            for at in range(0, new.bytes, _CHUNK):
                disk.write(fd, [disk.read_at(source, min(_CHUNK, new.bytes - at), start + at)])
                if at % _SYNC == _SYNC - _CHUNK:
                    disk.datasync(fd)
                rest()
            disk.datasync(fd)
        finally:
            disk.close(fd)
        disk.rename(incoming, self.folder / new.file)
        disk.sync_dir(self.folder)

    def _same(self, source: int, start: int, one: Kept) -> bool:
        fd = self._disk.open_read(self.folder / one.file)
        try:
            read = self._disk.read_at
            steps = range(0, one.bytes, _CHUNK)
            return all(
                read(fd, min(_CHUNK, one.bytes - at), at) == read(source, min(_CHUNK, one.bytes - at), start + at)
                for at in steps
            )
        finally:
            self._disk.close(fd)
