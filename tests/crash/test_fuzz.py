"""Changed, cut, forged and foreign files for all that reads one: no crash, no hang, words, bounded memory."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_qt.storage import fmp4, sidecar
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.fmp4 import NO_DIGEST
from blackbox_qt.storage.segment import SegmentName
from tests.storage.fakes import clip, record

from .restart import Restart

PROVE = bool(os.environ.get("BLACKBOX_PROVE"))
some = settings(
    max_examples=2000 if PROVE else 40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SECONDS = 5.0
"""For one file of some 100 KB, on a busy machine; it takes a hundredth of it."""
MEMORY = 24 << 20
NAME = SegmentName("front", 1, 1)
HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, "", "x" * 2000, "../../etc", "\x1b[2J\n", [], {}, [[]],
    [[0, 2**62]], [[0, 20_000]], [1] * 50_000, {"a": {"b": {}}}, {"camera": 2**62}, {str(i): 1 for i in range(5000)},
)  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    (path,) = record(tmp_path_factory.mktemp("good"), clip(), segment_s=60)
    return path.read_bytes()


# ---- what is done to a file


def changed(data: bytes, chance: random.Random) -> bytes:
    """A few of what disks, networks and people do to files."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(WAYS)(bytearray(data), chance)
        if not data:
            break
    return data


def flip(data: bytearray, chance: random.Random) -> bytes:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def zero_pages(data: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(data)) & ~511
    count = min(len(data) - at, chance.choice([512, 4096, 40_000]))
    data[at : at + count] = bytes(count)
    return bytes(data)


def old_pages(data: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(data)) & ~4095
    data[at : at + 4096] = chance.randbytes(len(data[at : at + 4096]))
    return bytes(data)


def torn(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(len(data) + 1)])


def moved(data: bytearray, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    piece, at = data[start : min(end, start + 30_000)], chance.randrange(len(data))
    return bytes(data[:at] + piece + data[at:])


def size_field(data: bytearray, chance: random.Random) -> bytes:
    """A box's size is what a parser trusts first."""
    kinds = [b"moof", b"mdat", b"uuid", b"traf", b"trun", b"mfra", b"moov", b"tfra"]
    found = [at for kind in kinds for at in _places(data, kind)]
    if found:
        struct.pack_into(">I", data, chance.choice(found) - 4, chance.choice([0, 1, 7, 8, 2**31, 2**32 - 1, 30]))
    return bytes(data)


def count_field(data: bytearray, chance: random.Random) -> bytes:
    """So are the counts in its tables."""
    found = _places(data, b"trun") + _places(data, b"tfra")
    if found:
        struct.pack_into(">I", data, chance.choice(found) + 8, chance.choice([0, 2**31, 2**32 - 1, 100_000]))
    return bytes(data)


WAYS: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    flip, flip, zero_pages, old_pages, torn, moved, size_field, count_field,
)  # fmt: skip


def _places(data: bytearray, kind: bytes) -> list[int]:
    found, at = [], data.find(kind)
    while at >= 4:
        found.append(at)
        at = data.find(kind, at + 1)
    return found


def forged(data: bytes, chance: random.Random) -> bytes:
    """A record says something else, and all hashes are right: whoever can compute SHA-256 can do this."""
    pieces = list(_records(data))
    victim = chance.randrange(len(pieces))
    out, previous = b"", NO_DIGEST
    for number, (before, body) in enumerate(pieces):
        if number == victim:
            body = copy.deepcopy(body)
            place = chance.choice([p for p in _within(body) if p[0] is not body or p[1] != "type"])
            place[0][place[1]] = chance.choice(HOSTILE)
        text = json.dumps(body).encode()
        digest = fmp4.digest(previous, [before], text)
        out += before + fmp4.record_box(digest, text)
        previous = digest
    return out + data[data.rfind(b"mfra") - 4 :]


def _records(data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(bytes before a record, its body) of a good file."""
    at = since = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"uuid":
            yield data[since:at], json.loads(data[at + 56 : at + size])
            since = at + size
        at += size


def _within(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as (container, key)."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _within(value[key])


# ---- what reads it


class Reader:
    """A data folder with one file, and everything that reads it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "car"
        self.folder = self.data / "recordings" / f"{NAME.boot:06d}"

    def look(self, content: bytes, name: str) -> list[str]:
        """`check`, healing, the library, `check` again; what `check` said at the end."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / name).write_bytes(content)
        begin = time.monotonic()
        tracemalloc.start()
        try:
            said = lines(check_paths([self.data]))
            again = Restart(self.data)
            again.run()
            after = lines(check_paths([self.data]))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert time.monotonic() - begin < SECONDS
        assert peak < MEMORY + 4 * len(content), peak
        assert said and after and all(line.isprintable() and len(line) < 2000 for line in said + after)
        return after


@pytest.fixture
def reader(memory: Path) -> Reader:
    return Reader(memory)


@pytest.fixture(autouse=True)
def words(possible_alarms: list[str]) -> None:
    possible_alarms += ["bytes cut off are kept"]


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@some
@given(seed=seeds)
def test_an_unfinished_file_that_was_changed(reader: Reader, good: bytes, seed: int) -> None:
    """It is healed whatever is in it: what is finished then is sound, and no byte has vanished."""
    content = changed(good, random.Random(seed))
    reader.look(content, NAME.part)
    assert not (reader.folder / NAME.part).exists()
    found = check_paths([reader.data])
    assert all(report.ok and report.state == "finished" for report in found.segments)
    quarantine = reader.folder.parent / "quarantine"
    kept = [path.read_bytes() for path in quarantine.iterdir()] if quarantine.is_dir() else []
    final = reader.folder / NAME.final
    now = final.read_bytes() if final.exists() else b""
    same = next((i for i, (a, b) in enumerate(zip(content, now, strict=False)) if a != b), min(len(content), len(now)))
    assert same == len(content) or any(content.endswith(one) and len(one) >= len(content) - same for one in kept)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@some
@given(seed=seeds)
def test_a_finished_file_that_was_changed(reader: Reader, good: bytes, seed: int) -> None:
    """It is evidence: told, and never touched."""
    content = changed(good, random.Random(seed))
    said = reader.look(content, NAME.final)
    assert (reader.folder / NAME.final).read_bytes() == content
    assert content == good or "NOT all is as it was recorded" in said[-1] or "is not a recording" in said[0], said


@pytest.mark.prove
@pytest.mark.timeout(1200)
@some
@given(seed=seeds, name=st.sampled_from([NAME.part, NAME.final]))
def test_a_forged_record_whose_hashes_are_right(reader: Reader, good: bytes, seed: int, name: str) -> None:
    reader.look(forged(good, random.Random(seed)), name)


@pytest.mark.prove
@pytest.mark.timeout(600)
@some
@given(content=st.one_of(st.binary(max_size=300), st.sampled_from([b"[" * 200_000, b"{}", b"null", b"\xff" * 5000])))
def test_small_files_of_anything(reader: Reader, good: bytes, content: bytes) -> None:
    """Sidecar, counter, journals, marks: none of them keeps the program from its work."""
    shutil.rmtree(reader.data, ignore_errors=True)
    reader.folder.mkdir(parents=True)
    (reader.folder / NAME.final).write_bytes(good)
    for path in (NAME.sidecar, NAME.sidecar + ".tmp"):
        (reader.folder / path).write_bytes(content)
    for path in ("boots", "marks", "journal-000001.jsonl", "index", "cache"):
        (reader.folder.parent / path).write_bytes(content)
    again = Restart(reader.data)
    again.run()
    assert again.journal.entries() is not None
    assert sidecar.read(Disk(), reader.folder, NAME).segment == NAME.stem
    info = again.library.get(NAME)
    assert info and info.frames == 90 and not info.locked


def test_the_forger_forges_and_the_hashes_are_right(good: bytes, reader: Reader) -> None:
    """Else the tests above would look at broken hashes only."""
    reader.folder.mkdir(parents=True)
    words = set()
    for seed in range(40):
        (reader.folder / NAME.final).write_bytes(forged(good, random.Random(seed)))
        words |= {bad.words for report in check_paths([reader.data]).segments for bad in report.damage}
    assert "the bytes do not match their hash" not in words
    assert len(words) > 3
