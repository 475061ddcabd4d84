"""What a library knows of its finished segments, in one file: expendable. Lost, torn, stale or of another version, it
is made again from the segments.

One line that says what it is, with the length and the CRC-32 of the rest; then JSON lines: a folder and rows of it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from blackbox_qt.core.clock import Anchor
from blackbox_qt.core.packet import NO_LOSS
from blackbox_qt.storage import sidecar
from blackbox_qt.storage.disk import Disk, Found
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Sidecar

FILE = "library.cache"
VERSION = 3
_IN_A_LINE = 100  # rows: JSON lets no other thread run until it is through with a line
_MAX_BYTES = 256 << 20
_COARSE_NS = 2_000_000_000  # FAT's steps of time: what is as new as the newest may have changed without a trace


Key = tuple[int, int, int, int]
"""What a segment's two files looked like before they were read: size and time of the segment, of its sidecar."""


def key_of(segment: Found, beside: Found | None) -> Key:
    """Threads: any."""
    if beside is None:
        return segment.size, segment.mtime_ns, -1, 0
    return segment.size, segment.mtime_ns, beside.size, beside.mtime_ns


_NO_ANCHOR = Anchor(0, 0, "", None)

Row = list[Any]
Rows = dict[str, dict[str, Row]]
"""Folder's name ("" for the library's own) -> segment's stem -> row. A row begins with a Key's numbers."""


def read(disk: Disk, root: Path) -> Rows:
    """The rows of the cache; none at all when anything is wrong with it."""
    try:
        return _trusted(_decode(_content(disk, root / FILE)))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def _content(disk: Disk, path: Path) -> bytes:
    fd = disk.open_read(path)
    try:
        return disk.read_at(fd, min(disk.size(fd), _MAX_BYTES), 0)
    finally:
        disk.close(fd)


def _decode(data: bytes) -> Rows:
    line, _, body = data.partition(b"\n")
    if line != _headline(body):
        raise ValueError("torn, or of another version")
    folders: Rows = {}
    for folder, rows in map(json.loads, body.splitlines()):
        folders.setdefault(folder, {}).update((row[0], row[1:]) for row in rows)
    return folders


def _headline(body: bytes) -> bytes:
    return b"blackbox-qt library cache %d %d %08x" % (VERSION, len(body), zlib.crc32(body))


def _trusted(rows: Rows) -> Rows:
    """Without those that are as new as the newest: they may have changed within one step of the file system's time."""
    newest = max((max(row[1], row[3]) for some in rows.values() for row in some.values()), default=0)
    limit = newest - _COARSE_NS
    return {f: {s: row for s, row in some.items() if row[1] < limit and row[3] < limit} for f, some in rows.items()}


def write(disk: Disk, root: Path, segments: Iterable[tuple[SegmentInfo, Key]]) -> None:
    """Put it in place of the old one. OSError from the disk."""
    folders: dict[str, list[Row]] = {}
    for info, key in segments:
        folders.setdefault(folder_key(root, info.folder), []).append([info.name.stem, *_row(info, key)])
    body = b"".join(_line(folder, rows[at : at + _IN_A_LINE]) for folder, rows in folders.items()
                    for at in range(0, len(rows), _IN_A_LINE))  # fmt: skip
    disk.write_small(root / FILE, _headline(body) + b"\n" + body)


def _line(folder: str, rows: list[Row]) -> bytes:
    return json.dumps([folder, rows], separators=(",", ":")).encode() + b"\n"


def folder_key(root: Path, folder: Path) -> str:
    return "" if folder == root else folder.name


def _row(info: SegmentInfo, key: Key) -> Row:
    anchor = info.anchor or _NO_ANCHOR
    plain = info.sidecar == Sidecar(info.name.stem, "finished")
    return [
        *key,
        info.origin,
        info.machine_boot,
        info.first_t_ns,
        info.last_t_ns,
        info.frames,
        dict(info.lost) or 0,
        info.end_reason,
        anchor.boot_ns,
        anchor.utc_ns,
        anchor.source,
        anchor.uncertainty_ns,
        0 if plain else sidecar.body(info.sidecar),
    ]


def info_of(row: Row, stem: str, name: SegmentName, folder: Path, revision: int) -> SegmentInfo:
    """A finished segment from its row. ValueError, TypeError or LookupError for nonsense."""
    size, _, _, _, origin, boot, first, last, frames, lost, reason, boot_ns, utc_ns, source, doubt, beside = row
    anchor = Anchor(boot_ns, utc_ns, source, doubt) if source else None
    if beside == 0:
        known = Sidecar(stem, "finished", revision=revision)
    else:
        known = sidecar.of_body(beside, name, revision)
    return SegmentInfo(
        name, folder, "finished", size, origin, boot, first, last, frames,
        NO_LOSS if lost == 0 else lost, reason, anchor, known,
    )  # fmt: skip
