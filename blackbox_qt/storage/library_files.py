"""A library's files, looked at: what has not changed since it was written into the cache is not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from blackbox_qt.storage import library_cache, library_scan, sidecar
from blackbox_qt.storage.disk import Disk, Found
from blackbox_qt.storage.library_cache import Key, Row, key_of
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.segment import SegmentName


class Files:
    """Looks at segments, and remembers how their files looked.

    Threads: `forget` any; everything else one at a time, and blocks on the disk. OSError from the disk.
    """

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk = disk
        self._root = root
        self._keys: dict[str, Key] = {}  # of those that were looked at and have not changed since
        self.unsaved = 0  # how many were looked at that the cache does not have

    def forget(self, name: SegmentName) -> None:
        """It has changed, or is gone."""
        self._keys.pop(name.stem, None)
        self.unsaved += 1

    def look(self, rest: Callable[[], None], stop: Callable[[], bool]) -> Iterator[list[SegmentInfo]]:
        """All segments, folder by folder, the newest first. Ends early when `stop` says so.

        A folder that cannot be read does not hide the others: its OSError comes at the end.
        """
        if not self._disk.is_dir(self._root):
            return
        self.unsaved = 0
        cached = library_cache.read(self._disk, self._root)
        trouble: OSError | None = None
        for folder in library_scan.folders(self._disk, self._root):
            rows = cached.pop(library_cache.folder_key(self._root, folder), {})
            try:
                some = list(self._in(folder, rows, rest, stop))
            except OSError as error:
                trouble = trouble or error
                continue
            if stop():
                return
            self.unsaved += len(rows)  # rows that no file asked for
            yield some
            rest()
        self.unsaved += sum(map(len, cached.values()))
        if trouble is not None:
            raise trouble

    def _in(
        self, folder: Path, rows: dict[str, Row], rest: Callable[[], None], stop: Callable[[], bool]
    ) -> Iterator[SegmentInfo]:
        revision = sidecar.revision()  # whatever changes a sidecar from here on is the later one
        entries = {entry.name: entry for entry in self._disk.look(folder)}
        for stem, found in library_scan.segments_in(entries):
            name = SegmentName.parse(stem)
            if name is None:
                continue
            key = key_of(found, entries.get(stem + ".json"))
            info = _cached(rows.pop(stem, None), key, stem, name, folder, revision)
            if info is None:
                if stop():
                    return
                info = self._look(folder, name, found, key)
                rest()
            else:
                self._keys[stem] = key
            yield info

    def _look(self, folder: Path, name: SegmentName, found: Found, key: Key) -> SegmentInfo:
        info = library_scan.look(self._disk, folder, name, found)
        if info.state == "finished" and not info.trouble:
            self._keys[name.stem] = key
            self.unsaved += 1
        return info

    def one(self, folder: Path, name: SegmentName) -> SegmentInfo | None:
        """One segment; None when it is not there."""
        entries = {entry.name: entry for entry in self._disk.look(folder)}
        found = entries.get(name.final) or entries.get(name.part)
        return library_scan.look(self._disk, folder, name, found) if found else None

    def save(self, known: Iterable[SegmentInfo]) -> None:
        """Write the cache; those that came or changed since they were looked at are looked at again."""
        rows = []
        seen: dict[Path, dict[str, Found]] = {}
        for info in known:
            if info.state != "finished" or info.trouble:
                continue
            key = self._keys.get(info.name.stem)
            if key is None:
                info, key = self._again(info, seen)
            if key is not None:
                rows.append((info, key))
        library_cache.write(self._disk, self._root, rows)
        self.unsaved = 0

    def _again(self, info: SegmentInfo, seen: dict[Path, dict[str, Found]]) -> tuple[SegmentInfo, Key | None]:
        """How the files look first, then what is in them: what changes in between is noticed by the next reader."""
        if info.folder not in seen:
            seen[info.folder] = {entry.name: entry for entry in self._disk.look(info.folder)}
        found = seen[info.folder].get(info.name.final)
        if found is None:
            return info, None
        key = key_of(found, seen[info.folder].get(info.name.sidecar))
        return library_scan.look(self._disk, info.folder, info.name, found), key


def _cached(row: Row | None, key: Key, stem: str, name: SegmentName, folder: Path, revision: int) -> SegmentInfo | None:
    if row is None or tuple(row[:4]) != key:
        return None
    try:
        return library_cache.info_of(row, stem, name, folder, revision)
    except (ValueError, TypeError, LookupError):
        return None
