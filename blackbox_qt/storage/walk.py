"""Walks a segment record by record and verifies the hash chain; goes on behind damage. Constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from blackbox_qt.storage import fmp4, record_read
from blackbox_qt.storage.fmp4_read import (
    MAX_INIT,
    Box,
    Bytes,
    FormatError,
    Moof,
    Record,
    box_at,
    content,
    next_record,
    parse_moof,
    parse_record,
)
from blackbox_qt.storage.record import Body

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes from the end of one record to the end of the next, verified (`words` is empty) or not.

    Threads: immutable, any.
    """

    kind: str  # head | fragment | end | signature | index | broken
    offset: int
    end: int
    words: str = ""  # what is wrong
    body: Body | None = None
    digest: bytes = b""
    moof: Moof | None = None


class Walk:
    """Pieces of a file in order; between them no byte is left out.

    Threads: one owner.
    """

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._previous: tuple[bytes, ...] = ()  # what the next record may build on
        self._ended = self._signed = False

    def __iter__(self) -> Iterator[Piece]:
        at = 0
        while at < self._source.size:
            piece = self._piece(at)
            yield piece
            at = piece.end

    def _piece(self, at: int) -> Piece:
        try:
            return self._whole(at)
        except FormatError as error:
            return self._broken(at, str(error))

    def _whole(self, at: int) -> Piece:
        """A piece whose boxes are in order, or FormatError."""
        source = self._source
        first = box_at(source, at)
        if self._ended:
            if first.kind == b"uuid" and not self._signed:
                return self._verify("signature", at, first, None)
            if first.kind != b"mfra" or first.end != source.size:
                raise FormatError("there is something after the end record", at)
            return Piece("index", at, first.end)
        if at == 0:
            return self._opening(first)
        if first.kind == b"moof":
            return self._fragment(first)
        return self._verify("end", at, first, None)

    def _opening(self, first: Box) -> Piece:
        moov = box_at(self._source, first.end) if first.kind == b"ftyp" else first
        if moov.kind != b"moov":
            raise FormatError("it does not begin like a recording", 0)
        content(self._source, first, MAX_INIT), content(self._source, moov, MAX_INIT)
        return self._verify("head", 0, box_at(self._source, moov.end), None)

    def _fragment(self, first: Box) -> Piece:
        moof = parse_moof(self._source, first)
        data = box_at(self._source, first.end)
        fits = sum(moof.sizes) == data.end - data.offset - 8 and moof.data_offset == first.end - first.offset + 8
        if data.kind != b"mdat" or not fits:
            raise FormatError("a fragment's table does not match its data", first.offset)
        return self._verify("fragment", first.offset, box_at(self._source, data.end), moof)

    def _verify(self, kind: str, start: int, box: Box, moof: Moof | None) -> Piece:
        record = parse_record(self._source, box)
        try:
            body = record_read.decode(record.body)
            if kind == "head":
                self._previous = (record_read.head(body).previous.digest,)
        except ValueError as error:
            self._previous = (record.digest,)
            return Piece(kind, start, box.end, str(error))
        words = "" if body.get("type") == kind else "a record of another kind than expected"
        if not words and not self._proves(start, box, record):
            words = "the bytes do not match their hash"
        self._ended = self._ended or (not words and kind == "end")
        self._signed = kind == "signature"
        return Piece(kind, start, box.end, words, body, record.digest, moof)

    def _proves(self, start: int, box: Box, record: Record) -> bool:
        """Whether the record's hash is that of the bytes before it.

        After damage two answers are possible for the record before: the hash it carries (its bytes were changed) and
        the hash it should carry (the hash itself was changed).
        """
        hashes = [hashlib.sha256(previous) for previous in self._previous]
        for at in range(start, box.offset, _CHUNK):
            chunk = self._source.at(at, min(_CHUNK, box.offset - at))
            for sha in hashes:
                sha.update(chunk)
        for sha in hashes:
            sha.update(record.body)
        computed = [sha.digest() for sha in hashes]
        good = record.digest in computed
        self._previous = (record.digest,) if good else (record.digest, computed[0])
        return good

    def _broken(self, at: int, words: str) -> Piece:
        """From `at` to the end of the next record box that can be found, or of the file."""
        if self._ended:
            return Piece("broken", at, self._source.size, words)
        box = next_record(self._source, at)
        if box is None:
            return Piece("broken", at, self._source.size, words)
        record = parse_record(self._source, box)
        self._previous = (record.digest,)
        try:
            body = record_read.decode(record.body)
        except ValueError:
            return Piece("broken", at, box.end, words)
        self._ended = body.get("type") == "end"
        return Piece("broken", at, box.end, words, body if body.get("type") == "head" else None, record.digest)


def index_matches(source: Bytes, piece: Piece, entries: list[fmp4.IndexEntry]) -> bool:
    """Whether the index at the end is the one the fragments ask for."""
    expected = fmp4.index(entries)
    return piece.end - piece.offset == len(expected) and source.at(piece.offset, len(expected)) == expected
