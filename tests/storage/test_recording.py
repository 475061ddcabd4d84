"""What reaches the disk, when, and what happens when the disk refuses. Step by step, no thread, no sleep."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import av
import pytest

from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.open_segment import OpenSegment
from blackbox_qt.storage.report import SegmentReport
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.verify import verify

from .fakes import FRAME_NS, SECOND, START_NS, Bench, FaultDisk, clip, dull, record, steady


def look(path: Path) -> SegmentReport:
    return verify(FaultDisk(), path)


def frames_on_disk(bench: Bench) -> set[int]:
    return {t for path in bench.files() for t in look(path).times_ns}


def times(packets: list) -> set[int]:
    return {packet.t_ns for packet in packets}


def test_the_first_frame_is_on_the_disk_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(dull(1))
    assert look(bench.parts()[0]).frames == 1
    status = bench.recording.status()
    assert (status.state, status.frames_durable, status.queue_packets) == ("recording", 1, 0)


def test_nothing_is_older_than_a_fragment(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for packet in dull(100):
        bench.feed([packet])
        assert bench.recording.status().unsynced_age_s <= 0.25


def test_a_camera_that_dies_leaves_its_last_frames(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(dull(5))
    assert look(bench.parts()[0]).frames == 1
    wait = bench.recording.step()
    assert wait == pytest.approx(0.25)
    bench.clock.advance(0.24)
    bench.recording.step()
    assert look(bench.parts()[0]).frames == 1
    bench.clock.advance(0.011)
    assert bench.recording.step() is None, "all is written: nothing to wait for"
    assert look(bench.parts()[0]).frames == 5
    bench.clock.advance(3)
    assert bench.recording.status().state == "idle", "nothing is being saved, so nothing is claimed"


def test_a_segment_ends_at_the_first_key_frame_after_its_time_and_loses_nothing(tmp_path: Path) -> None:
    packets = dull(30 * 10)
    paths = record(tmp_path, packets, segment_s=3.5)
    reports = [look(path) for path in paths]
    assert [report.frames for report in reports] == [120, 120, 60]
    assert [report.end_reason for report in reports] == ["full", "full", "stopped"]
    assert [t for report in reports for t in report.times_ns] == [packet.t_ns for packet in packets]
    result = check_paths([tmp_path])
    assert result.ok
    assert result.chain == ()


def test_a_new_stream_begins_a_new_segment(tmp_path: Path) -> None:
    packets = dull(60)
    other = replace(packets[0].stream, origin="pattern", width=128)
    packets[30:] = [replace(packet, stream=other) for packet in packets[30:]]
    first, second = record(tmp_path, packets)
    assert (look(first).end_reason, look(first).frames) == ("stream-changed", 30)
    assert (look(second).origin, look(second).width, look(second).frames) == ("pattern", 128, 30)
    assert second.relative_to(tmp_path).parts[0] == "demo"


def test_sample_times_follow_the_sensor_without_drift(tmp_path: Path) -> None:
    moments = [
        *steady(40),
        *steady(40, 66_666_667, START_NS + 40 * FRAME_NS),
        *steady(20, start_ns=START_NS + 9 * SECOND),
    ]
    packets = [replace(packet, t_ns=t) for packet, t in zip(dull(100), moments, strict=True)]
    (path,) = record(tmp_path, packets)
    assert list(look(path).times_ns) == moments
    assert look(path).gaps[0].length_ns == moments[80] - moments[79]


@pytest.mark.parametrize("step", [0, -5 * FRAME_NS])
def test_times_that_stand_still_or_go_back_do_no_harm(tmp_path: Path, step: int) -> None:
    packets = dull(60)
    packets[20:] = [replace(packet, t_ns=packet.t_ns - FRAME_NS + step) for packet in packets[20:]]
    first, second = (look(path) for path in record(tmp_path, packets))
    assert (first.end_reason, first.frames, second.frames) == ("clock-changed", 30, 30)
    assert [*first.times_ns, *second.times_ns] == [packet.t_ns for packet in packets], "the record keeps the truth"
    assert first.ok
    result = check_paths([tmp_path])
    assert result.ok
    words = "the camera's clock went back by 0.167 s" if step else "two pictures at one time"
    assert any(words in line for line in lines(result))
    assert first.duration_s == pytest.approx(28 * FRAME_NS / SECOND)


def going_back(packets: list[Packet], at: int, by_ns: int) -> list[Packet]:
    """A camera that was restarted with another clock."""
    return [*packets[:at], *(replace(packet, t_ns=packet.t_ns - by_ns) for packet in packets[at:])]


def feed_live(bench: Bench, packets: list[Packet]) -> None:
    """Thirty a second, whatever their times say."""
    for packet in packets:
        bench.clock.now += FRAME_NS
        bench.recording.put(packet)
        bench.recording.step()


@pytest.mark.parametrize("at", [90, 100])
def test_a_clock_that_goes_back_loses_nothing_and_delays_nothing(tmp_path: Path, at: int) -> None:
    bench = Bench(tmp_path)
    packets = going_back(dull(600), at, 30 * SECOND)
    for packet in packets:
        feed_live(bench, [packet])
        assert bench.recording.status().unsynced_age_s <= 0.27
    bench.finish()
    assert [(done.reason, done.frames) for done in bench.finished] == [
        ("clock-changed", 90 if at == 90 else 120),
        ("stopped", 510 if at == 90 else 480),
    ]
    assert frames_on_disk(bench) == times(packets)
    assert bench.recording.status().lost == {}
    assert check_paths([tmp_path]).ok


def test_media_time_rises_while_the_clock_goes_back(tmp_path: Path) -> None:
    packets = going_back(clip(), 40, 30 * SECOND)
    for path in record(tmp_path, packets):
        with av.open(str(path)) as container:
            moments = [packet.dts for packet in container.demux(video=0) if packet.size]
        assert moments == sorted(set(moments))


def test_a_clock_that_stands_for_ever_makes_one_segment_a_second(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = [replace(packet, t_ns=START_NS) for packet in dull(300, key_every=1)]
    feed_live(bench, packets)
    bench.finish()
    assert sum(done.frames for done in bench.finished) == 300
    assert len(bench.finished) <= 11


def test_the_memory_is_bounded_while_the_clock_goes_back(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    packets = going_back([replace(p, t_ns=p.t_ns + 100 * SECOND) for p in dull(1800)], 45, 90 * SECOND)
    feed_live(bench, packets[:40])
    disk.fail("write", times=10**6)
    feed_live(bench, packets[40:])
    status = bench.recording.status()
    assert 0 < status.queue_s <= 10
    assert status.queue_packets <= 330
    assert status.queue_packets + status.frames_durable + status.lost["disk"] == 1800
    disk.faults.clear()
    bench.finish()
    assert bench.recording.all_durable
    assert bench.recording.status().frames_durable == 1800 - status.lost["disk"]


def test_lost_frames_are_told_by_cause(tmp_path: Path) -> None:
    packets = dull(60)
    packets[10] = replace(packets[10], lost={"camera": 2, "mailbox": 1})
    packets[10:] = [replace(packet, seq=packet.seq + 3) for packet in packets[10:]]
    (path,) = record(tmp_path, packets)
    report = look(path)
    assert (report.missing, report.lost) == (3, {"camera": 2, "mailbox": 1})
    assert report.gaps[0].frames == 3


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


def test_a_pause_closes_the_segment_and_ends_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = dull(30 * 10)
    bench.feed(packets[:40])
    bench.recording.pause(2)
    bench.recording.step()
    assert [finished.reason for finished in bench.finished] == ["paused"]
    assert bench.finished[0].frames == 40
    status = bench.recording.status()
    assert (status.state, status.segment) == ("paused", "")
    assert status.paused_until_ns == bench.clock.now + 2 * SECOND
    bench.feed(packets[40:])
    assert bench.recording.status().state == "recording"
    bench.finish()
    second = look(bench.finished[1].path)
    assert second.times_ns[0] == packets[120].t_ns, "the first key frame after the pause"
    assert second.lost == {"stopped": 80}
    assert bench.recording.status().lost == {"stopped": 80}


def test_a_pause_and_an_early_end_between_two_steps(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = dull(90)
    bench.feed(packets[:40])
    bench.recording.pause(60)
    bench.recording.resume()
    bench.feed(packets[40:])
    bench.finish()
    assert [(done.reason, done.frames) for done in bench.finished] == [("paused", 40), ("stopped", 30)]
    assert look(bench.finished[1].path).lost == {"stopped": 20}


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_pause_without_an_end_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match="pause"):
        Bench(tmp_path).recording.pause(seconds)


def test_finish_writes_what_waits(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(dull(38))
    bench.finish()
    assert bench.recording.all_durable
    assert look(bench.finished[0].path).frames == 38
    assert bench.parts() == []
    bench.put(dull(1)[0])
    assert bench.recording.status().lost == {"stopped": 1}


def test_finish_without_a_single_packet(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.finish()
    assert bench.recording.all_durable
    assert bench.files() == []


def test_finish_gives_up_when_the_card_stays_broken(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    bench.feed(dull(38))
    disk.fail("write", times=10**6)
    began = bench.clock.now
    bench.finish()
    assert not bench.recording.all_durable
    assert bench.clock.now - began <= 4 * SECOND


def test_a_sync_interval_saves_syncs(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk, sync_ms=1000)
    bench.feed(dull(301))
    assert 10 <= disk.counts["datasync"] <= 13
    assert bench.recording.status().state == "recording"
    bench.finish()
    assert look(bench.finished[0].path).frames == 301


@pytest.mark.parametrize(("sync_ms", "memory_s", "most_syncs"), [(10_000, 10, 14), (3000, 1, 200), (60_000, 10, 14)])
def test_a_sync_interval_beyond_the_memory_loses_nothing(
    tmp_path: Path, sync_ms: int, memory_s: float, most_syncs: int
) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk, sync_ms=sync_ms, memory_s=memory_s)
    packets = dull(1200)
    bench.feed(packets)
    assert bench.recording.status().lost == {}
    bench.finish()
    assert bench.recording.status().frames_durable == 1200
    assert disk.counts["datasync"] <= most_syncs


def test_a_camera_that_dies_is_synced_before_anything_is_late(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sync_ms=60_000)
    bench.feed(dull(70))
    for _ in range(4):
        wait = bench.recording.step()
        assert not bench.recording.status().late
        if wait is not None:
            bench.clock.advance(wait)
    assert bench.recording.status().frames_durable == 70


def test_a_stall_with_a_sync_interval_is_caught_up_without_loss(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sync_ms=10_000)
    packets = dull(600)
    bench.feed(packets[:30])
    for packet in packets[30:300]:  # the disk thread is held up for 9 s
        bench.put(packet)
    bench.feed(packets[300:])
    bench.finish()
    assert bench.recording.status().lost == {}
    assert frames_on_disk(bench) == times(packets)


@pytest.mark.parametrize(
    ("sync_ms", "memory_s", "limit_s"), [(0, 10, 2.0), (1000, 10, 3.0), (60_000, 10, 7.0), (5000, 4, 4.0)]
)
def test_late_is_one_limit_for_all_who_ask(tmp_path: Path, sync_ms: int, memory_s: float, limit_s: float) -> None:
    bench = Bench(tmp_path, sync_ms=sync_ms, memory_s=memory_s)
    packets = dull(2)
    bench.feed(packets[:1])
    bench.put(packets[1])
    bench.clock.now = START_NS + FRAME_NS + 5_000_000 + round(limit_s * SECOND)
    status = bench.recording.status()
    assert not status.late
    assert status.state != "fault"
    bench.clock.advance(0.001)
    status = bench.recording.status()
    assert (status.late, status.state) == (True, "fault")


def test_two_cameras_share_a_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    rear = replace(dull(1)[0].stream, camera="rear")
    place = bench.store.place("rear", "camera")
    assert place.name == SegmentName("rear", 1, 1)
    bench.feed(dull(30, info=rear))
    bench.finish()
    assert bench.finished[0].name == SegmentName("rear", 1, 2)
