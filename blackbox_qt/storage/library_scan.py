"""Looks at the files of a library: of a segment only the head record and the last one are read."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
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
from blackbox_qt.storage.record_read import FragmentRecord, Head
from blackbox_qt.storage.segment import PART, SegmentName
from blackbox_qt.storage.sidecar import Sidecar

QUARANTINE = "quarantine"
_FINAL, _PART = ".mp4", ".mp4" + PART
_MARK = b"uuid" + RECORD_UUID
_FIRST, _LAST = 4096, 8192  # bytes that hold the record in nearly every file
_FAR = 1 << 22  # bytes: the longest fragment that is looked for at the end of an open file


def folders(disk: Disk, root: Path) -> list[Path]:
    """Where segments may be: the library's folder and those in it, the newest start first. OSError from the disk."""
    found = [entry.name for entry in disk.list(root) if entry.is_dir and entry.name != QUARANTINE]
    return [*(root / name for name in sorted(found, reverse=True)), root]


def segments_in(entries: Mapping[str, Found]) -> Iterator[tuple[str, Found]]:
    """The stems of the names in a folder that are segments. Of two of one stem the finished one counts."""
    for file, found in entries.items():
        if file.endswith(_FINAL) and found.is_file:
            yield file[: -len(_FINAL)], found
        elif file.endswith(_PART) and found.is_file and file.removesuffix(PART) not in entries:
            yield file[: -len(_PART)], found


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
    head, head_end = _head(disk, fd)
    last = _last_record(disk, fd, info.bytes)
    if last is None or last.get("type") == "head":
        trouble = info.trouble or ("" if last else "its last record cannot be found")
        return replace(info, origin=head.origin, machine_boot=head.machine_boot, anchor=head.anchor, trouble=trouble)
    if last.get("type") != "end":
        return _torn(disk, fd, info, head, head_end, last)
    end = record_read.end(last)
    return replace(
        info,
        origin=head.origin,
        machine_boot=head.machine_boot,
        first_t_ns=end.first_t_ns,
        last_t_ns=end.last_t_ns,
        frames=end.frames,
        lost=dict(end.lost),
        end_reason=end.reason,
        anchor=_better(head.anchor, end.anchor),
    )


def _torn(disk: Disk, fd: int, info: SegmentInfo, head: Head, head_end: int, body: Body) -> SegmentInfo:
    """Not ended yet: the first fragment tells when it began, the last how far it has come; nothing, how many frames."""
    last = record_read.fragment(body)
    first = _first_fragment(disk, fd, info.bytes, head_end)
    return replace(
        info,
        origin=head.origin,
        machine_boot=head.machine_boot,
        first_t_ns=first.times_ns[0] if first else last.times_ns[0],
        last_t_ns=last.times_ns[-1],
        anchor=_better(head.anchor, last.anchor),
    )


def _first_fragment(disk: Disk, fd: int, size: int, at: int) -> FragmentRecord | None:
    """The record behind the first `moof` and `mdat`; None when there is something else."""
    for kind in (b"moof", b"mdat"):
        box, found = struct.unpack(">I4s", disk.read_at(fd, 8, at).ljust(8, b"\0"))
        if found != kind:
            return None
        at += box
    data = disk.read_at(fd, min(MAX_RECORD, max(0, size - at)), at)
    body = _record_at(data, 0, len(data))[0] if data[4:].startswith(_MARK) else None
    return record_read.fragment(body) if body else None


def _better(one: Anchor, other: Anchor) -> Anchor:
    return other if trust.worth(other) >= trust.worth(one) else one


def _head(disk: Disk, fd: int) -> tuple[Head, int]:
    """The head record and where it ends, or ValueError with words."""
    for count in (_FIRST, 2 * MAX_INIT + MAX_RECORD):
        data = disk.read_at(fd, count, 0)
        at = data.find(_MARK) - 4
        body, end = _record_at(data, at, len(data)) if at >= 0 else (None, 0)
        if body is not None:
            return record_read.head(body), end
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
        body, _ = _record_at(data, at - 4, len(data))
        if body is not None and body.get("type") != "signature":  # it stands behind the end record
            return body
        at = data.rfind(_MARK, 0, at)
    return None


def _record_at(data: bytes, at: int, end: int) -> tuple[Body | None, int]:
    """The body of the record box at `at`, if all of it is there and is JSON, and where the box ends."""
    (size,) = struct.unpack_from(">I", data, at)
    if not RECORD_HEAD <= size <= MAX_RECORD or at + size > end:
        return None, 0
    try:
        return record_read.decode(data[at + RECORD_HEAD : at + size]), at + size
    except ValueError:
        return None, 0
