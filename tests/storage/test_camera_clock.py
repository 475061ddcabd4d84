"""A camera's clock that stands still or goes back: nothing is lost, nothing waits, memory is bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines

from .fakes import FRAME_NS, SECOND, START_NS, Bench, FaultDisk, clip, dull, record
from .looks import feed_live, frames_on_disk, going_back, look, times


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
