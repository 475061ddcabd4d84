"""What happens when the disk refuses. Step by step, no thread, no sleep."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.open_segment import OpenSegment
from blackbox_qt.storage.segment import SegmentName

from .fakes import SECOND, Bench, FaultDisk, dull
from .looks import frames_on_disk, look, times


@pytest.mark.parametrize("op", ["write", "datasync", "create", "rename", "sync_dir", "replace", "mkdir"])
@pytest.mark.parametrize("nth", [1, 2, 3, 7])
def test_one_io_error_anywhere_loses_no_frame(tmp_path: Path, op: str, nth: int) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk, segment_s=2)
    packets = dull(30 * 12)
    bench.feed(packets[:5])
    disk.fail(op, nth)
    bench.feed(packets[5:])
    bench.finish()
    assert frames_on_disk(bench) == times(packets)
    result = check_paths([tmp_path])
    assert result.ok, (result.chain, [report.damage for report in result.segments])
    assert result.frames == len(packets)
    assert bench.recording.status().lost == {}


@pytest.mark.parametrize("op", ["write", "datasync", "create", "rename", "sync_dir", "replace", "mkdir"])
def test_an_error_at_the_very_first_operation(tmp_path: Path, op: str) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    disk.fail(op, 1)
    packets = dull(90)
    bench.feed(packets)
    bench.finish()
    assert frames_on_disk(bench) == times(packets)


def test_a_failed_sync_abandons_the_file_and_starts_at_the_key_frame(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = dull(120)
    bench.feed(packets[:50])
    disk.fail("datasync")
    for packet in packets[50:60]:
        bench.feed([packet])
    status = bench.recording.status()
    assert (status.state, status.segment) == ("fault", "")
    assert status.words == f"Card error: Input/output error on {tmp_path}"
    bench.feed(packets[60:])
    assert bench.recording.status().state == "recording"
    bench.finish()
    first, second = (look(path) for path in bench.files())
    assert first.state == "torn"
    assert first.path.name.endswith(".part")
    assert second.times_ns[0] == packets[30].t_ns
    assert check_paths([tmp_path]).repeated == first.frames - 30


@pytest.mark.parametrize("op", ["rename", "replace"])
def test_a_final_name_that_is_refused_is_given_later(tmp_path: Path, op: str) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk, segment_s=0.9)
    packets = dull(300)
    bench.feed(packets[:20])
    last_part = {"rename": "front-000001-00001.mp4", "replace": "front-000001-00001.json.tmp"}[op]
    disk.refuse = lambda asked, path: asked == op and path.endswith(last_part)
    bench.feed(packets[20:45])
    status = bench.recording.status()
    assert (status.state, status.segments, bench.finished) == ("recording", 0, []), "the pictures are safe all the same"
    assert status.words == (
        f"Card error: Input/output error on {tmp_path}: front-000001-00001 is whole, but its final name is not safe"
    )
    assert status.lost == {}
    disk.refuse = lambda *_: False
    bench.feed(packets[45:])
    bench.finish()
    assert [done.name.seq for done in bench.finished] == list(range(1, 11))
    assert bench.recording.status().words == "Recording has ended"
    assert bench.parts() == []
    assert frames_on_disk(bench) == times(packets)
    assert bench.files()[0].with_suffix(".json").read_text().count("finished") == 1


def test_at_the_end_a_missing_name_is_said_and_all_is_durable(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    bench.feed(dull(45))
    disk.refuse = lambda op, path: op == "rename" and path.endswith(".mp4")
    began = bench.clock.now
    bench.finish()
    assert bench.clock.now - began <= 4 * SECOND
    assert bench.recording.all_durable
    assert "its final name is not safe" in bench.recording.status().words
    assert look(bench.parts()[0]).end_reason == "stopped"


def test_a_segment_that_was_taken_away_is_not_waited_for(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("was taken away before it had its final name")
    bench = Bench(tmp_path, segment_s=0.9)
    bench.feed(dull(20))
    bench.parts()[0].unlink()
    bench.feed(dull(90)[20:])
    bench.finish()
    assert [done.name.seq for done in bench.finished] == [2, 3]
    assert bench.recording.all_durable


def test_retries_slow_down_to_five_seconds_and_heal(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk, memory_s=100)
    disk.fail("create", times=6)
    waits = []
    packets = iter(dull(3000))
    bench.put(next(packets))
    while len(waits) < 6:
        wait = bench.recording.step()
        assert wait is not None
        waits.append(wait)
        bench.clock.advance(wait)
    assert waits == [0.5, 1, 2, 4, 5, 5]
    bench.recording.step()
    assert bench.recording.status().state == "recording"


def test_a_full_disk_says_so_and_heals_when_there_is_room(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = dull(300)
    disk.room = 6000
    bench.feed(packets[:100])
    status = bench.recording.status()
    assert (status.state, status.words) == ("fault", f"Disk full: free space on {tmp_path}")
    disk.room = None
    bench.feed(packets[100:])
    bench.finish()
    assert frames_on_disk(bench) == times(packets)
    assert check_paths([tmp_path]).ok


@pytest.mark.parametrize("op", ["write", "datasync", "replace", "rename", "sync_dir"])
def test_a_disk_that_takes_nothing_is_not_littered(tmp_path: Path, op: str) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = dull(600)
    bench.feed(packets[:45])
    before = sorted(tmp_path.rglob("*"))
    disk.fail("write")  # so that a new segment is needed
    disk.fail(op, times=10**6)
    bench.feed(packets[45:500])
    assert bench.recording.status().state == "fault"
    assert set(tmp_path.rglob("*")) <= set(before)
    disk.faults.clear()
    bench.clock.advance(5)
    bench.feed(packets[500:])
    bench.finish()
    assert check_paths([tmp_path]).ok
    assert [path.suffix for path in bench.files()] == [".part", ".mp4"]


def test_a_full_disk_that_refuses_to_delete_says_no_more_than_that_it_is_full(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    bench.feed(dull(45))
    disk.room = 0
    disk.fail("unlink", times=10**6)
    bench.feed(dull(300)[45:])
    assert bench.recording.status().words.startswith("Disk full")


def test_a_name_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    place = bench.store.place("front", "camera")
    segment = OpenSegment(bench.disk, place, dull(1)[0].stream, bench.clock)
    segment.path.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        segment.open("")
    segment.discard()
    assert segment.path.read_bytes() == b"somebody's"


def test_a_fault_that_lasts_keeps_the_newest_ten_seconds(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = dull(30 * 30)
    bench.feed(packets[:45])
    disk.fail("write", code=errno.EIO, times=10**6)
    bench.feed(packets[45:700])
    status = bench.recording.status()
    assert status.state == "fault"
    assert status.queue_s <= 10
    disk.faults.clear()
    bench.clock.advance(5)
    bench.feed(packets[700:])
    bench.finish()
    lost = bench.recording.status().lost["disk"]
    assert len(frames_on_disk(bench)) + lost == len(packets)
    assert 300 < lost < 400
    last = look(bench.files()[-1])
    assert last.lost == {"disk": lost}
    assert check_paths([tmp_path]).ok


def test_a_data_folder_that_was_removed_comes_back(tmp_path: Path, expected_alarms: list[str]) -> None:
    import shutil

    expected_alarms.append("was taken away before it had its final name")
    bench = Bench(tmp_path, segment_s=1)
    packets = dull(120)
    bench.feed(packets[:45])
    shutil.rmtree(tmp_path / "recordings" / "000001")
    bench.feed(packets[45:])
    bench.finish()
    assert bench.recording.status().state != "recording"
    assert frames_on_disk(bench) >= times(packets[60:])


@pytest.mark.parametrize("suffix", [".mp4", ".mp4.part"])
def test_a_card_changed_for_one_with_the_same_names_is_recorded_on_at_once(tmp_path: Path, suffix: str) -> None:
    bench = Bench(tmp_path / "data", segment_s=0.9)
    packets = dull(150)
    bench.feed(packets[:45])
    for seq in range(3, 60):
        (tmp_path / "data/recordings/000001" / f"front-000001-{seq:05d}{suffix}").touch()
    bench.feed(packets[45:])
    assert bench.recording.status().state == "recording"
    bench.finish()
    assert sum(path.stat().st_size == 0 for path in bench.files()) == 57, "none of the other card's is touched"
    names = [done.name for done in bench.finished]
    assert names == [SegmentName("front", boot, seq) for boot, seq in ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3))]
    assert {t for done in bench.finished for t in look(done.path).times_ns} == times(packets)
    assert bench.recording.status().lost == {}


def test_finish_gives_up_when_the_card_stays_broken(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    bench.feed(dull(38))
    disk.fail("write", times=10**6)
    began = bench.clock.now
    bench.finish()
    assert not bench.recording.all_durable
    assert bench.clock.now - began <= 4 * SECOND
