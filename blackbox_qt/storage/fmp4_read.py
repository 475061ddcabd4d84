"""Our fragmented MP4, read: boxes, fragment tables, record boxes. Never trusts a size; never reads without a bound."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from blackbox_qt.storage.fmp4 import RECORD_UUID

MAX_INIT = 1 << 16  # bytes of ftyp or moov
MAX_MOOF = 1 << 20
MAX_RECORD = 1 << 18
RECORD_HEAD = 8 + 16 + 32
_MARK = b"uuid" + RECORD_UUID
_SEARCH = 1 << 20


class FormatError(Exception):
    """Bytes that are not what they should be; the message says what was wrong at `offset`."""

    def __init__(self, words: str, offset: int) -> None:
        super().__init__(words)
        self.offset = offset


class Bytes(Protocol):
    """A file as bytes that can be looked at anywhere.

    Threads: one owner.
    """

    size: int

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes; fewer at the end only."""
        ...


@dataclass(frozen=True, slots=True)
class Box:
    """A box at the top level.

    Threads: immutable, any.
    """

    kind: bytes
    offset: int
    end: int  # offset of the byte after it


@dataclass(frozen=True, slots=True)
class Moof:
    """A fragment's table.

    Threads: immutable, any.
    """

    number: int
    start_us: int
    data_offset: int  # of the first sample, from the moof's first byte
    durations_us: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record box's parts.

    Threads: immutable, any.
    """

    digest: bytes
    body: bytes


def box_at(source: Bytes, offset: int) -> Box:
    """The box that starts at `offset`, wholly inside the file, or FormatError."""
    head = source.at(offset, 8)
    if len(head) < 8:
        raise FormatError("the file ends inside a box header", offset)
    size, kind = struct.unpack(">I4s", head)
    if size < 8:  # 0 (to the end) and 1 (64-bit size) are legal MP4, but we never write them
        raise FormatError("a box has an impossible size", offset)
    if offset + size > source.size:
        raise FormatError("the file ends inside a box", offset)
    return Box(kind, offset, offset + size)


def content(source: Bytes, box: Box, limit: int) -> bytes:
    """The bytes after a box's header; FormatError when there are more than `limit`."""
    count = box.end - box.offset - 8
    if count > limit:
        raise FormatError(f"a {_name(box.kind)} box is too large", box.offset)
    return source.at(box.offset + 8, count)


def parse_record(source: Bytes, box: Box) -> Record:
    """The record in a `uuid` box; FormatError when it is not one of ours."""
    data = content(source, box, MAX_RECORD)
    if box.kind != b"uuid" or len(data) < RECORD_HEAD - 8 or data[:16] != RECORD_UUID:
        raise FormatError("a record box is missing", box.offset)
    return Record(data[16:48], data[48:])


def parse_moof(source: Bytes, box: Box) -> Moof:
    """The table of a fragment as this project writes it; FormatError otherwise."""
    data = content(source, box, MAX_MOOF)
    try:
        return _moof(data)
    except (struct.error, KeyError, IndexError):
        raise FormatError("a fragment's table cannot be read", box.offset) from None


def _moof(data: bytes) -> Moof:
    boxes = children(data)
    track = children(boxes[b"traf"])
    run = track[b"trun"]
    flags, count, data_offset = struct.unpack_from(">IIi", run)
    if flags != 0x000701 or len(run) != 12 + 12 * count:
        raise KeyError(b"trun")
    table = struct.unpack_from(f">{3 * count}I", run, 12)
    keys = tuple(not flag & 0x1_0000 for flag in table[2::3])
    number = struct.unpack_from(">I", boxes[b"mfhd"], 4)[0]
    start = struct.unpack_from(">Q", track[b"tfdt"], 4)[0]
    return Moof(number, start, data_offset, table[0::3], table[1::3], keys)


def children(data: bytes) -> dict[bytes, bytes]:
    """Boxes inside a box by kind, the first of each; struct.error when they do not fill it."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise struct.error("a box reaches beyond its parent")
        found.setdefault(kind, data[at + 8 : at + size])
        at += size
    return found


def next_record(source: Bytes, start: int) -> Box | None:
    """The first whole record box that begins at or after `start`, however broken what lies before; else None."""
    at = start
    while at < source.size:
        found = source.at(at, _SEARCH)
        mark = found.find(_MARK)
        if mark < 0:
            at += max(1, len(found) - len(_MARK) + 1)
            continue
        box_start = at + mark - 4
        at += mark + 1
        try:
            box = box_at(source, box_start)
            parse_record(source, box)
        except FormatError:
            continue
        if box_start >= start:
            return box
    return None


def _name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalnum() and kind.isascii() else kind.hex()
