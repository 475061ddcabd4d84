"""The library: files are the truth, the cache is expendable, and nobody waits for a look at the files."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.segments import FRAMES, IN_A_START, make
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage import library_cache, sidecar
from blackbox_qt.storage.disk import Disk, Found, StorageError
from blackbox_qt.storage.library import Change, Library, SegmentInfo
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Note

from .fakes import SECOND, START_NS, UTC_OFFSET_NS, Bench, FakeClock, clip, dull, record, steady

NAME = SegmentName("front", 1, 1)
LOCK = Lock("m1", "manual", "window")


class CountingDisk(Disk):
    """Counts the files that are opened; `meanwhile` is called before each."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.meanwhile: Callable[[Path], None] = lambda _: None

    def open_read(self, path: Path) -> int:
        self.opened.append(path.name)
        self.meanwhile(path)
        return super().open_read(path)


def library(data: Path, disk: Disk | None = None, *, load: bool = True) -> Library:
    found = Library(disk or Disk(), data / "recordings", FakeClock())
    if load:
        found.load()
    return found


def told(found: Library) -> tuple[SegmentInfo, ...]:
    """Everything known, comparable between libraries."""
    return found.segments()


def age(data: Path) -> None:
    """As if it had been recorded over an hour: file times far apart."""
    for number, path in enumerate(sorted((data / "recordings").rglob("*.*"))):
        os.utime(path, (1_600_000_000 + 30 * number,) * 2)


def test_what_the_files_say(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_s=0.9)
    bench.feed(clip(steady(50)))
    bench.finish()
    found = library(tmp_path)
    assert [s.name.seq for s in found.segments()] == [1, 2]
    first = found.segments()[0]
    assert first.path == bench.finished[0].path
    said = first.state, first.origin, first.machine_boot, first.end_reason
    assert said == ("finished", "camera", "fake-boot", "full")
    assert (first.first_t_ns, first.frames, first.bytes) == (START_NS, 31, first.path.stat().st_size)
    assert first.duration_s == pytest.approx(1.0)
    assert first.utc_ns(START_NS) == START_NS + UTC_OFFSET_NS
    assert first.dated and not first.locked and not first.trouble


def test_the_writer_tells_the_same_as_the_files(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_s=0.9)
    added = library(tmp_path)
    bench.feed(clip(steady(50), seqs=[*range(20), *range(23, 53)]))
    bench.finish()
    heard: list[Change] = []
    added.listeners.append(heard.append)
    for finished in bench.finished:
        added.add(finished)
    assert told(added) == told(library(tmp_path))
    assert [(change.what, change.segment.name.seq) for change in heard] == [("added", 1), ("added", 2)]


def test_an_open_one_is_listed_as_far_as_it_has_come(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(clip(steady(40)))
    (found,) = library(tmp_path).segments()
    assert (found.state, found.path, found.first_t_ns) == ("open", bench.parts()[0], START_NS)
    assert found.last_t_ns is not None and found.last_t_ns > START_NS + SECOND
    assert library(tmp_path).segments(open_too=False) == ()


def test_find_by_camera_trip_mark_and_time(tmp_path: Path) -> None:
    make(tmp_path / "recordings", 2 * IN_A_START + 6)
    found = library(tmp_path)
    assert len(found.segments()) == 2 * IN_A_START + 6
    assert {s.name.camera for s in found.segments(camera="rear")} == {"rear"}
    assert [trip.number for trip in found.trips()] == [1, 2, 3]
    assert found.trips()[0].cameras == ("front", "rear")
    assert [s.name.boot for s in found.segments(trip=3)] == [3] * 6
    assert found.segments(trip=9) == ()
    minute = found.segments(machine_boot="00000001-generated", from_t_ns=140 * SECOND, to_t_ns=200 * SECOND)
    assert [s.name.stem for s in minute] == [f"{c}-000002-{n:05d}" for n in (3, 4) for c in ("front", "rear")]
    found.lock(minute[0].name, LOCK)
    assert [s.name for s in found.segments(mark="m1")] == [minute[0].name]
    at = found.segments(trip=3)[0].utc_ns(20 * SECOND)
    assert at is not None
    seen = found.segments(since_utc_ns=at + 60 * SECOND, until_utc_ns=at + 60 * SECOND, camera="front")
    assert {s.name.seq for s in seen} == {2}, "all trips began at the same UTC"
    newest = found.newest("rear")
    assert newest and newest.name == SegmentName("rear", 3, 3)
    assert found.newest("left") is None


def test_a_better_date_counts_for_finding(tmp_path: Path) -> None:
    record(tmp_path, clip()[:30])
    found = library(tmp_path)
    told_later = Dating(START_NS + UTC_OFFSET_NS + 3600 * SECOND, START_NS, "gps", 100, "gps")
    found.date(NAME, told_later)
    (segment,) = found.segments(since_utc_ns=UTC_OFFSET_NS + START_NS + 3000 * SECOND)
    assert segment.dating == told_later
    assert library(tmp_path).segments()[0].sidecar.dates == (told_later,)


def test_a_program_that_is_started_twice_on_one_trip(tmp_path: Path) -> None:
    record(tmp_path, clip(steady(20)))
    record(tmp_path, clip(steady(20, start_ns=90 * SECOND)))
    (trip,) = library(tmp_path).trips()
    assert (trip.number, trip.starts, len(trip.segments)) == (1, {1, 2}, 2)
    assert trip.duration_s == pytest.approx(50.6, abs=0.1)


# ---- changes


def test_lock_unlock_note(tmp_path: Path) -> None:
    record(tmp_path, clip()[:30])
    found = library(tmp_path)
    heard: list[Change] = []
    found.listeners.append(heard.append)
    found.lock(NAME, LOCK)
    found.lock(NAME, Lock("m2", "automatic", "g"))
    found.note(NAME, Note("a truck", "web"))
    found.unlock(NAME, "m1")
    (segment,) = found.segments()
    assert [lock.mark for lock in segment.sidecar.locks] == ["m2"] and segment.locked
    assert told(library(tmp_path)) == told(found)
    assert [change.what for change in heard] == ["changed"] * 4


def test_one_that_is_being_written_can_be_locked_and_stays_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = library(tmp_path)
    bench.feed(clip()[:40])
    found.lock(NAME, LOCK)
    bench.finish()
    found.add(bench.finished[0])
    assert found.segments()[0].locked


def test_a_lock_between_the_writers_last_word_and_its_coming_is_not_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = library(tmp_path)
    bench.feed(clip()[:40])
    bench.finish()
    found.lock(NAME, LOCK)  # the Writer has finished; the library has not heard of it
    found.add(bench.finished[0])
    assert found.segments()[0].locked


def test_what_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    found = library(tmp_path)
    with pytest.raises(StorageError, match="There is no segment front-000001-00001"):
        found.lock(NAME, LOCK)
    assert list(tmp_path.rglob("*")) == []


def test_remove(tmp_path: Path) -> None:
    record(tmp_path, clip(steady(70)), segment_s=0.9)
    found = library(tmp_path)
    heard: list[Change] = []
    found.listeners.append(heard.append)
    size = found.segments()[0].bytes
    assert found.remove(NAME, "oldest", "janitor") == size
    assert [s.name.seq for s in found.segments()] == [2, 3]
    assert told(library(tmp_path)) == told(found)
    assert not list(tmp_path.rglob("front-000001-00001*"))
    assert [change.what for change in heard] == ["removed"]
    with pytest.raises(StorageError, match="cannot be removed"):
        found.remove(NAME, "oldest", "janitor")


def test_a_locked_one_is_removed_only_on_purpose(tmp_path: Path) -> None:
    record(tmp_path, clip()[:30])
    found = library(tmp_path)
    library(tmp_path).lock(NAME, LOCK)  # somebody else: this library has not heard of it
    with pytest.raises(StorageError, match="it is kept for a mark"):
        found.remove(NAME, "oldest", "janitor")
    assert found.remove(NAME, "erased", "user", locked_too=True) > 0


def test_a_listener_that_fails_stops_nobody(tmp_path: Path, expected_alarms: list[str]) -> None:
    bench = Bench(tmp_path)
    found = library(tmp_path)
    heard: list[Change] = []
    found.listeners += [lambda _: 1 // 0, heard.append]  # type: ignore[list-item,func-returns-value]
    expected_alarms.append("front-000001-00001: added was not taken note of: ZeroDivisionError")
    bench.feed(clip()[:30])
    bench.finish()
    found.add(bench.finished[0])
    assert len(heard) == 1


def test_a_cut_between_name_and_sidecar_is_settled(tmp_path: Path) -> None:
    record(tmp_path, clip()[:30])
    sidecar.change(Disk(), tmp_path / "recordings" / "000001", NAME, lambda b: replace(b, state="open"))
    found = library(tmp_path)
    found.settle(ours=(1,))
    assert found.segments()[0].sidecar.state == "open", "a Writer may be about to say so"
    found.settle(ours=())
    assert found.segments()[0].sidecar.state == "finished"
    assert told(library(tmp_path)) == told(found)


def test_files_without_sidecars_get_none(tmp_path: Path) -> None:
    (path,) = record(tmp_path, clip()[:30])
    path.with_name(NAME.sidecar).unlink()
    found = library(tmp_path)
    found.settle(ours=())
    assert not path.with_name(NAME.sidecar).exists()
    assert found.segments()[0].state == "finished"


# ---- the cache


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """40 segments with locks, dates and losses, and their cache."""
    make(tmp_path / "recordings", 40)
    found = library(tmp_path)
    found.lock(NAME, LOCK)
    found.date(NAME, Dating(5, 6, "phone", None, "phone"))
    age(tmp_path)
    found.load()
    found.save()
    return tmp_path


def test_what_is_in_the_cache_is_not_read_again(cached: Path) -> None:
    disk = CountingDisk()
    found = library(cached, disk)
    assert told(found) == told(_without_cache(cached))
    assert len(found.segments()) == 40
    fresh = {name for name in disk.opened if name != library_cache.FILE}
    assert len(fresh) <= 2, "only the newest, which may have changed within a step of the clock, are looked at"


def _without_cache(data: Path) -> Library:
    (data / "recordings" / library_cache.FILE).unlink(missing_ok=True)
    return library(data)


def test_it_is_not_needed(cached: Path) -> None:
    with_cache = told(library(cached))
    assert told(_without_cache(cached)) == with_cache
    assert with_cache[0].locked and with_cache[0].sidecar.dates


def test_torn_anywhere_it_is_made_again(cached: Path) -> None:
    path = cached / "recordings" / library_cache.FILE
    data, expected = path.read_bytes(), told(library(cached))
    for cut in [*range(60), *range(60, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:cut])
        assert library_cache.read(Disk(), path.parent) == {}
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.write_bytes(flipped)
    assert told(library(cached)) == expected


@pytest.mark.parametrize("body", [
    b"[]", b"3", b"{", b'["000001"]', b'["000001",3]', b'["000001",[["front-000001-00001"]]]',
    b'["000001",[[1,2,3,4]]]',
])  # fmt: skip
def test_nonsense_in_it_is_harmless(cached: Path, body: bytes) -> None:
    expected = told(library(cached))
    line = b"blackbox-qt library cache %d %d %08x\n" % (library_cache.VERSION, len(body), zlib.crc32(body))
    (cached / "recordings" / library_cache.FILE).write_bytes(line + body)
    assert told(library(cached)) == expected


def test_another_versions_is_not_used(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_cache, "VERSION", library_cache.VERSION + 1)
    assert library_cache.read(Disk(), cached / "recordings") == {}


def test_nonsense_in_one_row_costs_only_a_look(cached: Path) -> None:
    expected = told(library(cached))
    path = cached / "recordings" / library_cache.FILE
    (line,) = path.read_bytes().splitlines()[1:]
    folder, rows = json.loads(line)
    rows[3][5:] = ["?"]
    body = json.dumps([folder, rows]).encode()
    path.write_bytes(library_cache._headline(body) + b"\n" + body)
    assert told(library(cached)) == expected


def test_a_sidecar_that_changed_is_read_again(cached: Path) -> None:
    other = SegmentName("rear", 1, 4)
    sidecar.change(Disk(), cached / "recordings" / "000001", other, lambda b: b.with_lock(LOCK))
    assert library(cached).get(other).locked  # type: ignore[union-attr]


def test_a_file_that_changed_came_or_went_is_noticed(cached: Path) -> None:
    folder = cached / "recordings" / "000001"
    (folder / "rear-000001-00004.mp4").unlink()
    (folder / "rear-000001-00005.mp4").write_bytes(b"something else")
    shutil.copy(folder / "front-000001-00003.mp4", folder / "left-000001-00001.mp4")
    found = library(cached)
    assert found.get(SegmentName("rear", 1, 4)) is None
    changed, came = found.get(SegmentName("rear", 1, 5)), found.get(SegmentName("left", 1, 1))
    assert changed and changed.trouble == "its head record cannot be found" and changed.bytes == 14
    assert came and came.frames == FRAMES
    assert told(found) == told(_without_cache(cached))


def test_one_that_changed_within_a_step_of_the_clock_is_read_again(cached: Path) -> None:
    """FAT counts two seconds at a time: same size, same time, another content."""
    folder = cached / "recordings" / "000001"
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.suffix == ".mp4"
    beside = newest.with_suffix(".json")
    times = newest.stat().st_mtime_ns
    os.utime(beside, ns=(times, times))
    found = library(cached)
    found.save()
    beside.write_bytes(beside.read_bytes().replace(b'"finished"', b'"open"    '))
    os.utime(beside, ns=(times, times))
    name = SegmentName.parse(newest.name)
    assert name
    assert library(cached).get(name).sidecar.state == "open"  # type: ignore[union-attr]


def test_what_came_since_is_saved_too(cached: Path) -> None:
    found = library(cached)
    bench = Bench(cached)
    bench.feed(dull(30))
    bench.finish()
    found.add(bench.finished[0])
    found.lock(SegmentName("rear", 1, 2), LOCK)
    found.save()
    assert told(library(cached)) == told(found) == told(_without_cache(cached))


def test_its_lines_are_short(tmp_path: Path) -> None:
    """While one is parsed no other thread of the program runs: a frame must not wait for ten thousand segments."""
    make(tmp_path / "recordings", 3 * IN_A_START)
    found = library(tmp_path)
    found.save()
    lines = (tmp_path / "recordings" / library_cache.FILE).read_bytes().splitlines()
    assert len(lines) > 4 and max(map(len, lines)) < 50_000


def test_nothing_new_is_not_written_again(cached: Path) -> None:
    path = cached / "recordings" / library_cache.FILE
    found = library(cached)
    found.save()
    before = path.stat().st_mtime_ns, path.stat().st_ino
    found.save()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_the_cache_is_not_written_by_looking(cached: Path) -> None:
    path = cached / "recordings" / library_cache.FILE
    path.unlink()
    library(cached)
    assert not path.exists()


# ---- nobody waits


def test_questions_and_the_writer_do_not_wait_for_a_load(tmp_path: Path) -> None:
    make(tmp_path / "recordings", 6)
    disk, inside, go_on = CountingDisk(), threading.Event(), threading.Event()
    found = library(tmp_path, disk, load=False)

    def stall(path: Path) -> None:
        if path.suffix == ".mp4" and not go_on.is_set():
            inside.set()
            assert go_on.wait(20)

    disk.meanwhile = stall
    worker = Worker("load", found.load)
    worker.start()
    assert inside.wait(10)
    bench = Bench(tmp_path)  # the same library, another disk
    bench.feed(clip()[:30])
    bench.finish()
    found.add(bench.finished[0])
    found.lock(bench.finished[0].name, LOCK)
    assert [s.locked for s in found.segments()] == [True]
    assert not found.loaded.is_set()
    go_on.set()
    assert worker.join(10) and worker.error is None
    assert len(found.segments()) == 7
    assert found.get(bench.finished[0].name).locked  # type: ignore[union-attr]


def test_what_changes_during_a_load_is_right_after_it(tmp_path: Path) -> None:
    """One that is removed, and one that is locked, just after their files were looked at and before that is known."""
    make(tmp_path / "recordings", 6)
    disk = CountingDisk()
    found = library(tmp_path, disk)
    victims = [SegmentName("front", 1, 2), SegmentName("rear", 1, 2)]
    done: list[str] = []

    def interfere(path: Path) -> None:
        if len(disk.opened) == 10 and not done:
            done.append(path.name)
            found.remove(victims[0], "oldest", "janitor")
            found.lock(victims[1], LOCK)

    disk.opened.clear()
    disk.meanwhile = interfere
    found.load()
    assert done
    assert victims[0] not in [s.name for s in found.segments()]
    assert found.get(victims[1]).locked  # type: ignore[union-attr]


def test_a_load_ends_when_it_is_told_to(tmp_path: Path) -> None:
    make(tmp_path / "recordings", 6)
    found = library(tmp_path, load=False)
    rests: list[int] = []
    found.load(lambda: rests.append(1), lambda: len(rests) >= 3)
    assert len(rests) == 3 and not found.loaded.is_set()
    found.load()
    assert len(found.segments()) == 6 and found.loaded.is_set()


# ---- what may be on a card


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    make(tmp_path / "recordings", IN_A_START + 6)

    class Bad(Disk):
        def look(self, path: Path) -> tuple[Found, ...]:
            if path.name == "000002":
                raise OSError(5, "Input/output error")
            return super().look(path)

    found = library(tmp_path, Bad(), load=False)
    with pytest.raises(OSError, match="Input/output"):
        found.load()
    assert len(found.segments()) == IN_A_START


def test_files_moved_up_and_things_that_are_none_of_ours(tmp_path: Path) -> None:
    (path,) = record(tmp_path, clip()[:30])
    root = tmp_path / "recordings"
    path.rename(root / path.name)
    path.with_name(NAME.sidecar).rename(root / NAME.sidecar)
    (root / "000009" / "front-000009-00001.mp4").mkdir(parents=True)
    (root / "holiday.mp4").write_bytes(b"x")
    (root / "quarantine").mkdir()
    shutil.copy(root / path.name, root / "quarantine" / "front-000001-00002.mp4")
    (found,) = library(tmp_path).segments()
    assert found.path == root / path.name and found.sidecar.state == "finished"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"uuid" * 3000, os.urandom(20_000)])
def test_a_file_that_is_no_recording_is_listed_with_words(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "recordings" / "000001"
    folder.mkdir(parents=True)
    (folder / NAME.final).write_bytes(content)
    (folder / SegmentName("front", 1, 2).part).write_bytes(content)
    one, two = library(tmp_path).segments()
    assert one.trouble and two.trouble and one.bytes == len(content)


def test_a_file_cut_at_any_place_has_an_answer(tmp_path: Path) -> None:
    (path,) = record(tmp_path, dull(12), fragment_ms=100)
    data = path.read_bytes()
    part = path.with_name(NAME.part)
    path.unlink()
    for size in range(0, len(data), 7):
        part.write_bytes(data[:size])
        (found,) = library(tmp_path).segments()
        assert found.state == "open" and (found.trouble or found.origin == "camera")


def test_of_two_of_one_name_the_finished_one_counts(tmp_path: Path) -> None:
    (path,) = record(tmp_path, clip()[:30])
    shutil.copy(path, path.with_name(NAME.part))
    (found,) = library(tmp_path).segments()
    assert found.state == "finished"


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_ten_thousand(tmp_path: Path) -> None:
    make(tmp_path / "recordings", 10_000 if os.environ.get("BLACKBOX_PROVE") else 1200)
    age(tmp_path)
    count = len(library(tmp_path).segments())
    found = library(tmp_path)
    found.save()
    disk = CountingDisk()
    again = library(tmp_path, disk)
    assert told(again) == told(found) and len(told(again)) == count >= 1200
    assert len(disk.opened) <= 4
