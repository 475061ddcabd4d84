"""Changed, cut, missing, swapped and hostile files, and the sentences about them."""

from __future__ import annotations

import os
import random
import shutil
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_qt.storage import fmp4
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.report import SegmentReport
from blackbox_qt.storage.verify import verify

from .fakes import SECOND, Bench, FaultDisk, clip, dull, record


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    (path,) = record(tmp_path_factory.mktemp("good"), clip(), segment_s=60)
    return path.read_bytes()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four segments of one drive."""
    root = tmp_path_factory.mktemp("library")
    record(root, dull(120), segment_s=0.9)
    return root


def look(folder: Path, data: bytes, name: str = "front-000001-00001.mp4") -> SegmentReport:
    path = folder / name
    path.write_bytes(data)
    return verify(Disk(), path)


def ends_of_fragments(data: bytes) -> list[int]:
    """Offsets behind every whole fragment's record."""
    ends, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        at += size
        if kind == b"uuid":
            ends.append(at)
    return ends


def test_a_good_file_says_all(tmp_path: Path, good: bytes) -> None:
    report = look(tmp_path, good)
    assert (report.state, report.frames, report.key_frames, report.missing) == ("finished", 90, 3, 0)
    assert report.name is not None
    assert (report.name.stem, report.origin, report.device) == ("front-000001-00001", "camera", "a test")
    assert report.duration_s == pytest.approx(89 / 30, abs=1e-6)
    text = "\n".join(lines(check_paths([tmp_path])))
    assert "finished (stopped); 90 frames, 3 key" in text
    assert "UTC (40.000 s after start)" in text
    assert "clock by ntp, within 5.0 ms" in text
    assert text.endswith("All is as it was recorded.")


@settings(max_examples=120, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_byte_is_named(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, where: float, bit: int
) -> None:
    at = int(where * len(good))
    data = bytearray(good)
    data[at] ^= 1 << bit
    report = look(_scratch(tmp_path_factory), bytes(data))
    assert report.state == "damaged"
    assert any(damage.offset <= at < damage.end for damage in report.damage), (at, report.damage)


def test_every_byte_of_every_table_and_record_is_covered(tmp_path: Path) -> None:
    (path,) = record(tmp_path / "one", dull(9, key_every=6))
    data = path.read_bytes()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x41
        report = look(tmp_path, bytes(changed))
        assert report.state == "damaged", at
        assert any(damage.offset <= at < damage.end for damage in report.damage), (at, report.damage)


def test_what_lies_behind_damage_is_still_read(tmp_path: Path, good: bytes) -> None:
    data = bytearray(good)
    middle = ends_of_fragments(good)[6]
    data[middle : middle + 4] = b"\xff\xff\xff\xff"  # the size of a moof
    report = look(tmp_path, bytes(data))
    assert len(report.damage) == 1
    assert 75 < report.frames < 90
    assert report.end_reason == "stopped"


@settings(max_examples=120, deadline=None)
@given(where=st.floats(0, 1))
def test_cut_anywhere_all_whole_fragments_are_read(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, where: float
) -> None:
    cut = int(where * (len(good) - 1))
    whole = [end for end in ends_of_fragments(good) if end <= cut]
    report = look(_scratch(tmp_path_factory), good[:cut], "front-000001-00001.mp4.part")
    assert report.state == "torn"
    assert report.fragments == min(max(0, len(whole) - 1), len(ends_of_fragments(good)) - 2)
    assert report.torn_bytes == cut - (whole[-1] if whole else 0)
    assert report.ok


def test_a_finished_file_that_was_cut_is_damaged(tmp_path: Path, good: bytes) -> None:
    for cut in (*ends_of_fragments(good), len(good) - 1, len(good) // 2):
        report = look(tmp_path, good[:cut])
        assert report.state == "damaged", cut
    assert look(tmp_path, good + b"x").state == "damaged"


def test_pages_that_came_back_as_zeros_are_a_torn_tail(tmp_path: Path, good: bytes) -> None:
    ends = ends_of_fragments(good)
    data = good[: ends[8]] + bytes(ends[9] - ends[8]) + bytes(5000)
    report = look(tmp_path, data, "front-000001-00001.mp4.part")
    assert (report.state, report.fragments) == ("torn", 8)
    assert report.torn_bytes == len(data) - ends[8]


_scratch_folder: list[Path] = []


def _scratch(factory: pytest.TempPathFactory) -> Path:
    """One folder for all of hypothesis's examples."""
    if not _scratch_folder:
        _scratch_folder.append(factory.mktemp("scratch"))
    return _scratch_folder[0]


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    report = look(_scratch(tmp_path_factory), data, "random.mp4")
    assert report.state in ("unreadable", "damaged")
    assert report.damage[0].words


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_good_file_under_a_hail_of_changes(tmp_path_factory: pytest.TempPathFactory, good: bytes, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(good)
    for _ in range(rng.randrange(1, 30)):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at : at + 4] = rng.randbytes(4)
            case 1:
                del data[at : at + rng.randrange(1, 3000)]
            case _:
                data[at:at] = data[at // 2 : at // 2 + rng.randrange(2000)]
        if not data:
            return
    folder = _scratch(tmp_path_factory)
    report = look(folder, bytes(data))
    assert report.state != "finished" or bytes(data) == good
    assert lines(check_paths([folder / "front-000001-00001.mp4"]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"Dear diary,\ntoday it rained.\n" * 50, "is not a recording of this program"),
        (struct.pack(">I4s", 0xFFFFFFFF, b"ftyp") + bytes(50), "is not a recording of this program"),
        (struct.pack(">I4sQ", 1, b"ftyp", 2**63) + bytes(50), "is not a recording of this program"),
        (fmp4.box(b"ftyp", b"isom") * 3000, "is not a recording of this program"),
        (b"[" * 100_000, "is not a recording of this program"),
    ],
)
def test_files_of_others(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(data)
    result = check_paths([path])
    assert not result.ok
    assert lines(result)[0] == f"{path}: {words}"


def body_of(text: bytes) -> bytes:
    """A file whose only fault is what its head record says."""
    init = fmp4.init_segment(dull(1)[0].stream)
    return init + fmp4.record_box(fmp4.digest(fmp4.NO_DIGEST, [init], text), text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[" * 50_000,
        b'{"type":"head","format":2}',
        b'{"type":"head","format":1,"camera":"../../x","boot":1,"seq":1}',
        b'{"type":"head","format":1,"camera":"x","boot":' + b"9" * 4000 + b',"seq":1}',
        b'{"type":"head","format":1,"camera":"x","boot":1e400,"seq":NaN}',
        b'{"type":"fragment"}',
    ],
)
def test_hostile_records(tmp_path: Path, text: bytes) -> None:
    report = look(tmp_path, body_of(text), "x.mp4")
    assert report.state in ("damaged", "unreadable")
    assert report.frames == 0


def test_terminals_do_not_obey_files(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb\n.mp4"
    path.write_bytes(b"")
    assert all(line.isprintable() for line in lines(check_paths([path])))


def test_a_huge_hostile_file_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.write(struct.pack(">I4s", 2**31, b"ftyp"))
        file.truncate(300 << 20)
    tracemalloc.start()
    assert verify(Disk(), path).state == "unreadable"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "not an ordinary file"), ("missing", "No such file")):
        (report,) = check_paths([tmp_path / name]).segments
        assert report.state == "unreadable"
        assert words in report.damage[0].words
    (tmp_path / "empty").mkdir()
    assert lines(check_paths([tmp_path / "empty"])) == ["There is no recording here."]


def segments(library: Path, to: Path) -> list[Path]:
    shutil.copytree(library, to, dirs_exist_ok=True)
    return sorted(to.rglob("*.mp4"))


def chain_words(folder: Path) -> list[str]:
    return [note.words for note in check_paths([folder]).chain if note.bad]


def test_a_whole_library(library: Path) -> None:
    result = check_paths([library])
    assert result.ok
    assert (len(result.segments), result.frames, result.chain) == (4, 120, ())


def notes(folder: Path) -> list[str]:
    return [note.words for note in check_paths([folder]).chain]


def test_a_gap_between_two_segments_is_told_and_counted(tmp_path: Path) -> None:
    packets = dull(90)
    later = [replace(p, seq=p.seq + 7, t_ns=p.t_ns + 3 * SECOND) for p in packets[60:]]
    record(tmp_path, [*packets[:60], *later], segment_s=1.5)
    result = check_paths([tmp_path])
    assert result.ok
    assert notes(tmp_path) == ["gap of 3.033 s, 7 frames, since front-000001-00001 ended (full)"]
    assert (result.gaps, result.missing) == (1, 7)
    assert lines(result)[-1] == (
        "2 files, 90 frames, 2.9 s; 1 gap, 7 frame numbers missing; lost: 7 without a recorded cause. "
        "All is as it was recorded."
    )


def test_numbers_missing_between_two_segments_are_a_gap_too(tmp_path: Path) -> None:
    record(tmp_path, [replace(p, seq=p.seq + (p.seq >= 60)) for p in dull(90)], segment_s=1.5)
    assert notes(tmp_path) == ["gap of 0.033 s, 1 frames, since front-000001-00001 ended (full)"]


@pytest.mark.parametrize("later_s", [0, 3])
def test_numbers_of_a_camera_that_was_started_anew_do_not_compare(tmp_path: Path, later_s: int) -> None:
    """An outage is a hole in time, whatever number the driver begins with."""
    packets = dull(90)
    anew = replace(packets[0].stream)
    later = [replace(p, seq=p.seq + 500, t_ns=p.t_ns + later_s * SECOND, stream=anew) for p in packets[60:]]
    record(tmp_path, [*packets[:60], *later])
    result = check_paths([tmp_path])
    assert result.ok and result.missing == 0
    told = ["gap of 3.033 s, since front-000001-00001 ended (stream-changed)"] if later_s else []
    assert notes(tmp_path) == told and result.gaps == len(told)


def test_a_clock_that_went_back_between_two_segments_is_told(tmp_path: Path) -> None:
    record(tmp_path, [replace(p, t_ns=p.t_ns - SECOND * (p.seq >= 60)) for p in dull(90)])
    assert notes(tmp_path) == [
        "the camera's clock went back by 0.967 s, since front-000001-00001 ended (clock-changed)"
    ]


def test_frames_written_twice_are_no_gap(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = dull(120)
    bench.feed(packets[:50])
    disk.fail("datasync")
    bench.feed(packets[50:])
    bench.finish()
    result = check_paths([tmp_path])
    assert result.repeated > 0
    assert (result.chain, result.gaps) == ((), 0)


def test_a_missing_segment_is_named(library: Path, tmp_path: Path) -> None:
    segments(library, tmp_path)[1].unlink()
    assert chain_words(tmp_path) == ["continues front-000001-00002, which is not here"]


def test_the_oldest_may_be_gone(library: Path, tmp_path: Path) -> None:
    segments(library, tmp_path)[0].unlink()
    result = check_paths([tmp_path])
    assert result.ok
    assert [note.words for note in result.chain] == ["continues front-000001-00001, which is not here"]


def test_swapped_segments_are_named(library: Path, tmp_path: Path) -> None:
    first, second = segments(library, tmp_path)[1:3]
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    assert chain_words(tmp_path) == [
        "is called front-000001-00003 but was recorded as front-000001-00002",
        "is called front-000001-00002 but was recorded as front-000001-00003",
    ]


def test_a_replaced_segment_is_named(library: Path, tmp_path: Path) -> None:
    paths = segments(library, tmp_path / "a")
    record(tmp_path / "b", dull(121)[1:], segment_s=0.9)
    other = sorted((tmp_path / "b").rglob("*00002.mp4"))[0]
    shutil.copy(other, paths[1])
    assert len(chain_words(tmp_path / "a")) == 2


def test_the_same_segment_twice(library: Path, tmp_path: Path) -> None:
    path = segments(library, tmp_path)[2]
    shutil.copy(path, path.with_name("copy.mp4"))
    assert chain_words(tmp_path) == ["is a second file of the same name"]


def test_two_starts_are_two_chains(tmp_path: Path) -> None:
    for _ in range(2):
        record(tmp_path, dull(60), segment_s=0.9)
    result = check_paths([tmp_path])
    assert result.ok
    assert len(result.segments) == 4


def test_checking_changes_nothing(library: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in library.rglob("*")}
    check_paths([library])
    assert {path: path.stat().st_mtime_ns for path in library.rglob("*")} == before


def test_an_unfinished_recording_is_read_while_it_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(dull(45))
    result = check_paths([tmp_path])
    assert result.ok
    assert "not finished; 44 frames" in lines(result)[0]
