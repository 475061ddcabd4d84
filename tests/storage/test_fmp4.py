"""Bytes: what is written is what is read, and hostile bytes are refused in words."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.storage import fmp4
from blackbox_qt.storage.fmp4_read import (
    Box,
    FormatError,
    box_at,
    children,
    next_record,
    parse_moof,
    parse_record,
)

from .fakes import dull


class Memory:
    """Bytes to look at."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def at(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]


samples = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 2**32 - 1), st.booleans()), min_size=1, max_size=20
)


@given(samples, st.integers(1, 2**32 - 1), st.integers(0, 2**63))
def test_a_fragment_is_read_back(table: list[tuple[bytes, int, bool]], number: int, start: int) -> None:
    data, durations, keys = zip(*table, strict=True)
    head = fmp4.fragment_head(number, start, [len(d) for d in data], durations, keys)
    source = Memory(b"before" + head + b"".join(data))
    moof = parse_moof(source, box_at(source, 6))
    assert (moof.number, moof.start_us) == (number, start)
    assert (moof.durations_us, moof.keys) == (durations, keys)
    at = 6 + moof.data_offset
    for size, expected in zip(moof.sizes, data, strict=True):
        assert source.at(at, size) == expected
        at += size
    assert at == source.size
    assert box_at(source, 6 + moof.data_offset - 8) == Box(b"mdat", 6 + moof.data_offset - 8, source.size)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_a_record_box_is_read_back(digest: bytes, body: bytes) -> None:
    source = Memory(fmp4.record_box(digest, body))
    record = parse_record(source, box_at(source, 0))
    assert (record.digest, record.body) == (digest, body)


@given(st.binary(max_size=200), st.integers(0, 210))
def test_random_bytes_are_refused(data: bytes, offset: int) -> None:
    source = Memory(data)
    with contextlib.suppress(FormatError):
        box = box_at(source, offset)
        assert box.end <= source.size
        for parse in (parse_moof, parse_record):
            with contextlib.suppress(FormatError):
                parse(source, box)


@given(st.binary(max_size=100), st.binary(max_size=60))
def test_a_record_is_found_behind_anything(noise: bytes, body: bytes) -> None:
    record = fmp4.record_box(bytes(32), body)
    source = Memory(noise + record + noise)
    assert next_record(source, 0) == Box(b"uuid", len(noise), len(noise) + len(record))
    assert next_record(source, len(noise) + 1) is None


def test_a_record_is_found_across_the_search_window() -> None:
    for shift in range(-40, 5):
        noise = bytes((1 << 20) + shift)
        source = Memory(noise + fmp4.record_box(bytes(32), b"{}"))
        found = next_record(source, 0)
        assert found is not None
        assert found.offset == len(noise)


@pytest.mark.parametrize("size", [0, 1, 7, 0xFFFFFFFF])
def test_impossible_box_sizes(size: int) -> None:
    with pytest.raises(FormatError):
        box_at(Memory(struct.pack(">I4s", size, b"mdat") + bytes(100)), 0)


def test_the_hash_rule() -> None:
    import hashlib

    expected = hashlib.sha256(bytes(32) + b"abc" + b"{}").digest()
    assert fmp4.digest(fmp4.NO_DIGEST, [b"a", b"bc"], b"{}") == expected


def test_the_index_names_its_own_length_at_the_end() -> None:
    index = fmp4.index([fmp4.IndexEntry(0, 700), fmp4.IndexEntry(1_000_000, 2**40)])
    assert struct.unpack(">I", index[-4:])[0] == len(index)
    assert set(children(index[8:])) == {b"tfra", b"mfro"}


def test_what_mp4_cannot_hold_is_said() -> None:
    info = dull(1)[0].stream
    with pytest.raises(ValueError, match="16-bit"):
        fmp4.init_segment(replace(info, width=70000))
    with pytest.raises(ValueError, match="bt709"):
        fmp4.init_segment(replace(info, matrix="rgb"))


@pytest.mark.parametrize(("matrix", "full", "expected"), [("bt601", True, b"\0\6\x80"), ("bt709", False, b"\0\1\0")])
def test_colours_are_said(matrix: str, full: bool, expected: bytes) -> None:
    init = fmp4.init_segment(replace(dull(1)[0].stream, matrix=matrix, full_range=full))
    at = init.index(b"colrnclx")
    assert init[at + 12 : at + 15] == expected
