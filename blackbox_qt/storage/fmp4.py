"""Our fragmented MP4, written: opening boxes, fragments, record boxes, index at the end. Bytes out, no files.

Source: ISO/IEC 14496-12 (box layouts) and 14496-15 section 5 (H.264 in MP4). `docs/FORMAT.md` describes the whole.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blackbox_qt.core.packet import StreamInfo

TIMESCALE = 1_000_000  # ticks per second: a microsecond, so that 30000/1001 and a rate change need no rounding rules
RECORD_UUID = bytes.fromhex("f6e28f36758f4f07a1b5980f9b3dd07f")
NO_DIGEST = bytes(32)
TRACK = 1

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _NON_SYNC = 0x0200_0000, 0x0101_0000  # sample_depends_on 2 (none) / 1 and sample_is_non_sync_sample
_NCLX = {"bt709": (1, 1, 1), "bt601": (6, 6, 6), "bt2020": (9, 14, 9)}  # primaries, transfer, matrix: ITU-T H.273
_MAX_U32 = 0xFFFF_FFFF


class IndexEntry(NamedTuple):
    """Where a key frame's fragment begins.

    Threads: immutable, any.
    """

    start_us: int  # decode time in the segment, µs
    offset: int  # of its moof box in the file, bytes


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def init_segment(info: StreamInfo) -> bytes:
    """`ftyp` + `moov` for one H.264 track without samples; ValueError for a size or a matrix MP4 cannot hold."""
    if not (0 < info.width < 65536 and 0 < info.height < 65536):
        raise ValueError(f"a picture of {info.width}x{info.height} does not fit MP4's 16-bit sizes")
    header = struct.pack(">IIIIIHH", 0, 0, TIMESCALE, 0, 0x10000, 0x100, 0)
    mvhd = _full(b"mvhd", 0, 0, header, bytes(8), _MATRIX, bytes(24), struct.pack(">I", TRACK + 1))
    trex = _full(b"trex", 0, 0, struct.pack(">5I", TRACK, 1, 0, 0, 0))
    ftyp = box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5iso6mp41avc1")
    return ftyp + box(b"moov", mvhd, _trak(info), box(b"mvex", trex))


def _trak(info: StreamInfo) -> bytes:
    size = struct.pack(">II", info.width << 16, info.height << 16)
    tkhd = _full(b"tkhd", 0, 3, struct.pack(">5I", 0, 0, TRACK, 0, 0), bytes(16), _MATRIX, size)
    mdhd = _full(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, TIMESCALE, 0, 0x55C4, 0))  # language "und"
    hdlr = _full(b"hdlr", 0, 0, bytes(4), b"vide", bytes(12), b"Blackbox Qt\0")
    dinf = box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    minf = box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), dinf, _stbl(info))
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf))


def _stbl(info: StreamInfo) -> bytes:
    """The sample table: one format, and no samples (they are in the fragments)."""
    stsd = _full(b"stsd", 0, 0, struct.pack(">I", 1), _avc1(info))
    empty = [_full(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc")]
    return box(b"stbl", stsd, *empty, _full(b"stsz", 0, 0, bytes(8)), _full(b"stco", 0, 0, bytes(4)))


def _avc1(info: StreamInfo) -> bytes:
    if info.matrix not in _NCLX:
        raise ValueError(f"unknown YUV matrix {info.matrix!r}: one of {', '.join(_NCLX)}")
    head = bytes(6) + struct.pack(">H", 1) + bytes(16)
    picture = struct.pack(">HHIIIH", info.width, info.height, 0x480000, 0x480000, 0, 1) + bytes(32)
    colr = box(b"colr", b"nclx", struct.pack(">3HB", *_NCLX[info.matrix], info.full_range << 7))
    return box(b"avc1", head, picture, struct.pack(">Hh", 24, -1), box(b"avcC", info.avcc), colr)


def fragment_head(
    number: int, start_us: int, sizes: Sequence[int], durations_us: Sequence[int], keys: Sequence[bool]
) -> bytes:
    """`moof` and the first 8 bytes of the `mdat` that the samples themselves must follow.

    number: counts from 1; start_us: decode time in the segment; sizes in bytes.
    """
    table: list[int] = []
    for duration, size, key in zip(durations_us, sizes, keys, strict=True):
        table += (min(duration, _MAX_U32), size, _SYNC if key else _NON_SYNC)
    mfhd = _full(b"mfhd", 0, 0, struct.pack(">I", number))
    tfhd = _full(b"tfhd", 0, 0x020000, struct.pack(">I", TRACK))  # default-base-is-moof
    tfdt = _full(b"tfdt", 1, 0, struct.pack(">Q", start_us))
    trun_bytes = 20 + 4 * len(table)
    moof_bytes = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + trun_bytes
    run = struct.pack(f">Ii{len(table)}I", len(sizes), moof_bytes + 8, *table)
    trun = _full(b"trun", 0, 0x000701, run)  # data offset; per sample: duration, size, flags
    moof = box(b"moof", mfhd, box(b"traf", tfhd, tfdt, trun))
    return moof + struct.pack(">I4s", 8 + sum(sizes), b"mdat")


def digest(previous: bytes, parts: Iterable[bytes], body: bytes) -> bytes:
    """The hash rule: SHA-256(previous digest || bytes since the previous record box || JSON body)."""
    sha = hashlib.sha256(previous)
    for part in parts:
        sha.update(part)
    sha.update(body)
    return sha.digest()


def record_box(hashed: bytes, body: bytes) -> bytes:
    """Our `uuid` box: 16 bytes that name it, 32 bytes of digest, UTF-8 JSON."""
    return box(b"uuid", RECORD_UUID, hashed, body)


def index(entries: Sequence[IndexEntry]) -> bytes:
    """`mfra`: where the key frames are, for players that look for it at the end of the file."""
    table = b"".join(struct.pack(">QQBBB", entry.start_us, entry.offset, 1, 1, 1) for entry in entries)
    tfra = _full(b"tfra", 1, 0, struct.pack(">III", TRACK, 0, len(entries)), table)
    return box(b"mfra", tfra, _full(b"mfro", 0, 0, struct.pack(">I", 8 + len(tfra) + 16)))
