"""Looks at the files of a library: of a segment only the head record and the last one are read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.clock import Anchor
from blackbox_qt.storage import record_read, sidecar
from blackbox_qt.storage.disk import Disk, Found
from blackbox_qt.storage.fmp4 import RECORD_UUID
from blackbox_qt.storage.fmp4_read import MAX_INIT, MAX_RECORD, RECORD_HEAD
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.record import Body
from blackbox_qt.storage.segment import PART, SegmentName
from blackbox_qt.storage.sidecar import Sidecar

QUARANTINE = "quarantine"
_MARK = b"uuid" + RECORD_UUID
_FIRST, _LAST = 4096, 8192  # bytes that hold the record in nearly every file
_FAR = 1 << 22  # bytes: the longest fragment that is looked for at the end of an open file


def folders(disk: Disk, root: Path) -> list[Path]:
    """Where segments may be: the library's folder and those in it, the newest start first. OSError from the disk."""
    found = [entry.name for entry in disk.list(root) if entry.is_dir and entry.name != QUARANTINE]
    return [*(root / name for name in sorted(found, reverse=True)), root]


def segments_in(entries: tuple[Found, ...]) -> Iterator[tuple[SegmentName, Found]]:
    """The names in a folder that are segments. Of two of one name the finished one counts."""
    names = {entry.name for entry in entries}
    for entry in entries:
        name = SegmentName.parse(entry.name) if entry.is_file and entry.name.endswith((".mp4", ".mp4" + PART)) else None
        if name and (entry.name == name.final or (entry.name == name.part and name.final not in names)):
            yield name, entry


def look(disk: Disk, folder: Path, name: SegmentName, found: Found) -> SegmentInfo:
    """What a segment and its sidecar say; what cannot be read is missing, and `trouble` says so."""
    beside, trouble = _beside(disk, folder, name)
    finished = found.name == name.final
    empty = SegmentInfo(name, folder, "finished" if finished else "open", found.size, sidecar=beside, trouble=trouble)
    try:
        fd = disk.open_read(folder / found.name)
        try:
            return _read(disk, fd, empty)
        finally:
            disk.close(fd)
    except OSError as error:
        return replace(empty, trouble=f"it cannot be read: {error.strerror or error}")
    except ValueError as error:
        return replace(empty, trouble=str(error))


def _beside(disk: Disk, folder: Path, name: SegmentName) -> tuple[Sidecar, str]:
    try:
        return sidecar.read(disk, folder, name), ""
    except OSError as error:
        return Sidecar(name.stem), f"its sidecar cannot be read: {error.strerror or error}"


def _read(disk: Disk, fd: int, info: SegmentInfo) -> SegmentInfo:
    head = record_read.head(_first_record(disk, fd))
    info = replace(info, origin=head.origin, machine_boot=head.machine_boot, anchor=head.anchor)
    last = _last_record(disk, fd, info.bytes)
    if last is None:
        return replace(info, trouble="its last record cannot be found")
    return _finished(info, last) if last.get("type") == "end" else _torn(info, last)


def _finished(info: SegmentInfo, body: Body) -> SegmentInfo:
    end = record_read.end(body)
    return replace(
        info,
        first_t_ns=end.first_t_ns,
        last_t_ns=end.last_t_ns,
        frames=end.frames,
        lost=dict(end.lost),
        end_reason=end.reason,
        anchor=_better(info.anchor, end.anchor),
    )


def _torn(info: SegmentInfo, body: Body) -> SegmentInfo:
    """Not ended yet: the last fragment tells how far it has come, the head when it began, nothing how many frames."""
    if body.get("type") != "fragment":
        return info
    last = record_read.fragment(body)
    assert info.anchor
    first = min(info.anchor.boot_ns, last.times_ns[0])  # the head is written when the first picture is there
    return replace(
        info, first_t_ns=first, last_t_ns=last.times_ns[-1], lost={}, anchor=_better(info.anchor, last.anchor)
    )


def _better(one: Anchor | None, other: Anchor) -> Anchor:
    return other if one is None or trust.worth(other) >= trust.worth(one) else one


def _first_record(disk: Disk, fd: int) -> Body:
    """The head record, or ValueError with words."""
    for count in (_FIRST, 2 * MAX_INIT + MAX_RECORD):
        data = disk.read_at(fd, count, 0)
        at = data.find(_MARK) - 4
        body = _record_at(data, at, len(data)) if at >= 0 else None
        if body is not None:
            return body
    raise ValueError("its head record cannot be found")


def _last_record(disk: Disk, fd: int, size: int) -> Body | None:
    """The last whole record of a file; None when none can be found."""
    for count in (_LAST, MAX_RECORD, _FAR):
        start = max(0, size - count)
        data = disk.read_at(fd, count, start)
        body = _last_in(data)
        if body is not None or start == 0:
            return body
    return None


def _last_in(data: bytes) -> Body | None:
    at = data.rfind(_MARK)
    while at >= 4:
        body = _record_at(data, at - 4, len(data))
        if body is not None and body.get("type") != "signature":  # it stands behind the end record
            return body
        at = data.rfind(_MARK, 0, at)
    return None


def _record_at(data: bytes, at: int, end: int) -> Body | None:
    """The body of the record box at `at`, if all of it is there and is JSON."""
    (size,) = struct.unpack_from(">I", data, at)
    if not RECORD_HEAD <= size <= MAX_RECORD or at + size > end:
        return None
    try:
        return record_read.decode(data[at + RECORD_HEAD : at + size])
    except ValueError:
        return None
