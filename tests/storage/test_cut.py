"""A segment is cut on demand: finished, and another one begun, without a frame lost."""

from __future__ import annotations

from pathlib import Path

from blackbox_qt.storage.check import check_paths

from .fakes import Bench, dull
from .looks import frames_on_disk, look, times


def test_it_is_cut_at_the_next_key_frame_and_nothing_is_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = dull(120)
    bench.feed(packets[:40])
    bench.recording.cut()
    bench.feed(packets[40:])
    bench.finish()
    first, second = (look(done.path) for done in bench.finished)
    assert (first.frames, first.end_reason, second.times_ns[0]) == (60, "cut", packets[60].t_ns)
    assert frames_on_disk(bench) == times(packets) and bench.recording.status().lost == {}
    assert check_paths([tmp_path]).ok


def test_a_camera_that_gives_nothing_any_more_is_cut_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = dull(90)
    bench.feed(packets[:40])
    bench.recording.cut()
    wait = bench.recording.step()
    assert wait is not None and 0 < wait <= 1 and bench.finished == []
    for _ in range(3):
        bench.clock.advance(wait or 0)
        wait = bench.recording.step()
    assert [done.reason for done in bench.finished] == ["cut"] and wait is None
    bench.feed(packets[60:])
    bench.finish()
    assert frames_on_disk(bench) == times([*packets[:40], *packets[60:]]), "nothing of the first file is in the second"
    assert look(bench.finished[1].path).times_ns[0] == packets[60].t_ns


def test_where_nothing_is_open_there_is_nothing_to_cut(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.recording.cut()
    assert bench.recording.step() is None
    bench.feed(dull(60))
    bench.finish()
    assert len(bench.finished) == 1


def test_a_pause_takes_a_cut_with_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    packets = dull(120)
    bench.feed(packets[:40])
    bench.recording.cut()
    bench.recording.pause(1)
    bench.recording.step()
    bench.clock.advance(1.1)
    bench.feed(packets[90:])
    bench.finish()
    assert [done.reason for done in bench.finished] == ["paused", "stopped"]
