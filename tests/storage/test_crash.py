"""A power cut after every single disk operation: what was called durable is there, whole, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.segment import Store

from .fakes import Bench, LogDisk, dull


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[LogDisk, list[int]]:
    """A recording of two segments and, after every disk operation, how many frames had been called durable."""
    root = tmp_path_factory.mktemp("log")
    disk = LogDisk(root)
    bench = Bench(root, disk, segment_s=0.9)
    durable = [0] * (len(disk.log) + 1)
    for packet in dull(50):
        bench.feed([packet])
        known = bench.recording.status().frames_durable
        durable += [durable[-1]] * (len(disk.log) + 1 - len(durable))
        durable[-1] = known
    bench.finish()
    durable += [durable[-1]] * (len(disk.log) + 1 - len(durable))
    durable[-1] = bench.recording.status().frames_durable
    return disk, durable


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("unsynced", [0.0, 0.3, 0.9, 1.0])
def test_after_any_operation(history: tuple[LogDisk, list[int]], tmp_path: Path, unsynced: float, names: bool) -> None:
    disk, durable = history
    for ops in range(len(disk.log) + 1):
        after = tmp_path / str(ops)
        disk.crash(ops, after, unsynced=unsynced, names=names)
        result = check_paths([after])
        broken = [r.damage for r in result.segments if r.state == "damaged"]
        assert not broken, f"after operation {ops} {disk.log[ops - 1][:2]}"
        assert result.frames >= durable[ops]
        assert not [note for note in result.chain if note.bad]
        if ops % 7 == 0:
            reserved = Store(Disk(), after).place("front", "camera").name  # the next start finds a free name
            assert not any(r.name == reserved for r in result.segments)


def test_everything_is_durable_at_the_end(history: tuple[LogDisk, list[int]], tmp_path: Path) -> None:
    disk, _ = history
    disk.crash(len(disk.log), tmp_path / "end", unsynced=0.0, names=False)
    result = check_paths([tmp_path / "end"])
    assert [r.state for r in result.segments] == ["finished", "finished"]
    assert result.frames == 50
