"""What reaches the disk, and when. Step by step, no thread, no sleep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.segment import SegmentName

from .fakes import FRAME_NS, SECOND, START_NS, Bench, FaultDisk, dull, record, steady
from .looks import frames_on_disk, look, times


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


def test_lost_frames_are_told_by_cause(tmp_path: Path) -> None:
    packets = dull(60)
    packets[10] = replace(packets[10], lost={"camera": 2, "mailbox": 1})
    packets[10:] = [replace(packet, seq=packet.seq + 3) for packet in packets[10:]]
    (path,) = record(tmp_path, packets)
    report = look(path)
    assert (report.missing, report.lost) == (3, {"camera": 2, "mailbox": 1})
    assert report.gaps[0].frames == 3


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
