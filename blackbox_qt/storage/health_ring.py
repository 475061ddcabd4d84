"""The black box's own black box: a file of a fixed size that holds the last hours of how it was.

Records of RECORD bytes: magic, length, sequence number, CRC-32 of number and text, then the text (one JSON object),
then zeros. Record n lies at (n mod slots). A record that a power cut tore fails its checksum and is left out; no
other is touched, for each is written in place and nothing else is. There is no head: what is there says itself.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackbox_qt.storage.disk import Disk, temporary

log = logging.getLogger(__name__)

NAME = "health"
RECORD = 1024
_HEAD = struct.Struct(">4sHxxQI")  # magic, bytes of text, number, checksum
_MAGIC = b"bbHR"
_ROOM = RECORD - _HEAD.size
_MANY = 1 << 18

Body = Mapping[str, Any]


def packed(number: int, body: Body) -> bytes:
    """One record. What does not fit is cut from its longest text, so that a record is never left out.

    Threads: any.
    """
    text = _encode(body)
    while len(text) > _ROOM:
        longest = max((key for key in body if isinstance(body[key], str)), key=lambda key: len(body[key]), default=None)
        if longest is None or not body[longest]:
            raise ValueError(f"a record of {len(text)} bytes has no room in {_ROOM}")
        body = {**body, longest: body[longest][: max(0, len(body[longest]) - (len(text) - _ROOM) - 1)]}
        text = _encode(body)
    checksum = zlib.crc32(number.to_bytes(8, "big") + text)
    return (_HEAD.pack(_MAGIC, len(text), number, checksum) + text).ljust(RECORD, b"\0")


def _encode(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def unpacked(data: bytes) -> tuple[int, Body] | None:
    """(number, what it says); None when it is none, or torn.

    Threads: any.
    """
    if len(data) < RECORD:
        return None
    magic, length, number, checksum = _HEAD.unpack_from(data)
    text = data[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or length > _ROOM or zlib.crc32(number.to_bytes(8, "big") + text) != checksum:
        return None
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return (number, body) if isinstance(body, dict) else None


def read(disk: Disk, path: Path) -> list[Body]:
    """What the file tells, the oldest first; torn records are left out. OSError when it cannot be read.

    Threads: any; blocks on the disk.
    """
    return [body for _, body in _records(disk, path)]


def _records(disk: Disk, path: Path) -> list[tuple[int, Body]]:
    found, at = [], 0
    fd = disk.open_read(path)
    try:
        while data := disk.read_at(fd, _MANY, at):
            at += len(data)
            cut = (data[start : start + RECORD] for start in range(0, len(data), RECORD))
            found += [record for piece in cut if (record := unpacked(piece)) is not None]
    finally:
        disk.close(fd)
    return sorted(found, key=lambda record: record[0])


class HealthRing:
    """Writes records round and round.

    Each `note` writes RECORD bytes in place and syncs them: one page of the disk, whatever the file's size. At one in
    5 s that is 17,280 pages of 4 KB a day (71 MB) of a box that never sleeps.

    Threads: one; every method blocks on the disk and raises OSError.
    """

    def __init__(self, disk: Disk, path: Path, slots: int) -> None:
        self.path = path
        self.slots = max(1, slots)
        self._disk = disk
        self._fd: int | None = None
        self._next = 0

    def open(self) -> None:
        """Find the end of what is there; make the file, in its full size, if there is none of that size."""
        records = _records(self._disk, self.path) if self._disk.exists(self.path) else []
        self._next = records[-1][0] + 1 if records else 0
        if self._size() != self.slots * RECORD:
            self._make([(number, body) for number, body in records[-self.slots :]])
        self._fd = self._disk.update(self.path)

    def _size(self) -> int:
        if not self._disk.exists(self.path):
            return -1
        fd = self._disk.open_read(self.path)
        try:
            return self._disk.size(fd)
        finally:
            self._disk.close(fd)

    def _make(self, records: list[tuple[int, Body]]) -> None:
        """A file of the right size with these in their places; the old one stays until it is whole.

        Its empty places take no room yet, so that making it costs nothing.
        """
        for folder in reversed([self.path.parent, *self.path.parent.parents]):
            if not self._disk.is_dir(folder):
                self._disk.mkdir(folder)
        new = temporary(self.path)
        fd = self._disk.replace(new)
        try:
            self._disk.cut(fd, self.slots * RECORD)
            for number, body in records:
                self._disk.write_at(fd, packed(number, body), number % self.slots * RECORD)
            self._disk.datasync(fd)
        finally:
            self._disk.close(fd)
        self._disk.rename(new, self.path)
        self._disk.sync_dir(self.path.parent)

    def note(self, body: Body) -> None:
        """Durable on return."""
        if self._fd is None:
            self.open()
        assert self._fd is not None
        number = self._next
        self._disk.write_at(self._fd, packed(number, body), number % self.slots * RECORD)
        self._disk.datasync(self._fd)
        self._next = number + 1

    def close(self) -> None:
        """After an error too: what comes then opens it anew. Twice is harmless."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)
