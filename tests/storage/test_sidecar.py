"""Sidecars: whole at any moment, nothing decided is lost, whoever writes at the same time."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.core.worker import Worker
from blackbox_qt.storage import sidecar
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Note, Sidecar

from .fakes import Bench, FaultDisk, LogDisk, clip

NAME = SegmentName("front", 1, 1)
LOCK = Lock("m1", "manual", "window", "a truck", "red", 5, None)
FULL = Sidecar(
    NAME.stem,
    "finished",
    "power-loss",
    (Dating(2**60, 7, "ntp", 3, "time"), Dating(8, 9, "phone", None)),
    (LOCK, Lock("m2", "automatic", "g")),
    (Note("한글 \u2028 text", "web", 4),),
    {"later": [1, {"x": None}]},
)


def finish(beside: Sidecar) -> Sidecar:
    return replace(beside, state="finished")


def test_all_of_it_is_read_again(tmp_path: Path) -> None:
    written = sidecar.change(Disk(), tmp_path, NAME, lambda _: FULL)
    assert written == FULL
    assert sidecar.read(Disk(), tmp_path, NAME) == FULL


def test_without_a_file_it_is_empty(tmp_path: Path) -> None:
    assert sidecar.read(Disk(), tmp_path, NAME) == Sidecar(NAME.stem)
    assert list(tmp_path.iterdir()) == []


def test_one_made_by_the_first_version_is_read(tmp_path: Path) -> None:
    body = {"format": 1, "segment": NAME.stem, "state": "finished", "dates": [], "locks": [], "notes": []}
    (tmp_path / NAME.sidecar).write_text(json.dumps(body, indent=1))
    assert sidecar.read(Disk(), tmp_path, NAME) == Sidecar(NAME.stem, "finished")


def test_it_is_replaced_whole(tmp_path: Path) -> None:
    sidecar.change(Disk(), tmp_path, NAME, lambda beside: beside.with_lock(LOCK))
    disk = FaultDisk()
    disk.fail("datasync")
    with pytest.raises(OSError):
        sidecar.change(disk, tmp_path, NAME, finish)
    assert sidecar.read(Disk(), tmp_path, NAME).state == "open"
    assert sidecar.read(Disk(), tmp_path, NAME).locks == (LOCK,)


@pytest.mark.parametrize("names", [True, False])
def test_after_a_crash_the_old_one_or_the_new_one_is_there(tmp_path: Path, names: bool) -> None:
    disk = LogDisk(tmp_path / "live")
    (tmp_path / "live").mkdir()
    sidecar.change(disk, tmp_path / "live", NAME, lambda beside: beside.with_lock(LOCK))
    begun = len(disk.log)
    sidecar.change(disk, tmp_path / "live", NAME, finish)
    for ops in range(begun, len(disk.log) + 1):
        for unsynced in (0.0, 0.3, 1.0):
            target = tmp_path / f"{ops}-{unsynced}"
            disk.crash(ops, target, unsynced=unsynced, names=names)
            found = sidecar.read(Disk(), target, NAME)
            assert found.locks == (LOCK,)
            assert found.state == "finished" or ops < len(disk.log)


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 300, b"[]", b'{"format": 2}', b'{"format":1,"locks":[3]}'])
def test_a_torn_one_is_kept_aside(tmp_path: Path, content: bytes, expected_alarms: list[str]) -> None:
    path = tmp_path / NAME.sidecar
    for _ in range(2):
        path.write_bytes(content)
        assert sidecar.read(Disk(), tmp_path, NAME).state == "open"
        assert path.read_bytes() == content, "reading has changed it"
        assert sidecar.change(Disk(), tmp_path, NAME, finish) == Sidecar(NAME.stem, "finished")
    assert sorted(p.name for p in tmp_path.iterdir()) == [NAME.sidecar, NAME.sidecar + ".torn", NAME.sidecar + ".torn2"]
    assert (tmp_path / (NAME.sidecar + ".torn")).read_bytes() == content
    expected_alarms += ["is kept as front-000001-00001.json.torn", "is kept as front-000001-00001.json.torn2"]


def test_every_cut_of_a_good_one_is_torn_or_empty(tmp_path: Path) -> None:
    data = sidecar.encode(FULL)
    for cut in range(len(data) - 2):
        with pytest.raises(ValueError, match="cannot be understood"):
            sidecar.decode(data[:cut], NAME)


def test_a_prepared_one_counts_where_the_one_in_place_is_gone(tmp_path: Path) -> None:
    prepared = tmp_path / (NAME.sidecar + ".tmp")
    prepared.write_bytes(sidecar.encode(Sidecar(NAME.stem).with_lock(LOCK)))
    assert sidecar.read(Disk(), tmp_path, NAME).locks == (LOCK,)
    disk = FaultDisk()
    disk.fail("write")  # the next one is prepared where it was
    with pytest.raises(OSError):
        sidecar.change(disk, tmp_path, NAME, finish)
    assert sidecar.read(Disk(), tmp_path, NAME).locks == (LOCK,)
    assert sidecar.change(Disk(), tmp_path, NAME, finish).locks == (LOCK,)


def test_a_prepared_one_beside_a_whole_one_does_not_count(tmp_path: Path) -> None:
    sidecar.change(Disk(), tmp_path, NAME, finish)
    (tmp_path / (NAME.sidecar + ".tmp")).write_bytes(sidecar.encode(FULL))
    assert sidecar.read(Disk(), tmp_path, NAME).locks == ()


def test_a_change_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    disk = LogDisk(tmp_path)
    sidecar.change(disk, tmp_path, NAME, lambda beside: beside.with_lock(LOCK))
    done = len(disk.log)
    sidecar.change(disk, tmp_path, NAME, lambda beside: beside.with_lock(LOCK))
    assert len(disk.log) == done


def test_what_was_decided_while_it_was_open_outlives_its_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(clip()[:40])
    folder = tmp_path / "recordings" / "000001"
    sidecar.change(bench.disk, folder, NAME, lambda beside: beside.with_lock(LOCK).with_note(Note("n", "me")))
    bench.finish()
    beside = sidecar.read(bench.disk, folder, NAME)
    assert (beside.state, beside.locks, beside.notes) == ("finished", (LOCK,), (Note("n", "me"),))
    assert bench.finished[0].sidecar == beside


def test_changes_at_the_same_time_all_count(tmp_path: Path) -> None:
    """Two threads, each between the other's reading and writing if it could be."""
    disk = Disk()
    both = threading.Barrier(2)

    def drive(kind: str) -> None:
        both.wait()
        for number in range(20):
            sidecar.change(disk, tmp_path, NAME, lambda b, n=number: b.with_lock(Lock(f"{kind}{n}", "manual", kind)))

    workers = [Worker(f"mark-{kind}", lambda kind=kind: drive(kind)) for kind in ("a", "b")]
    for worker in workers:
        worker.start()
    assert all(worker.join(30) and worker.error is None for worker in workers)
    assert len(sidecar.read(disk, tmp_path, NAME).locks) == 40
    assert not sidecar._turns


def test_one_that_waits_for_the_disk_does_not_hold_up_another(tmp_path: Path) -> None:
    slow = FaultDisk()
    slow.gate.clear()

    def change() -> None:
        sidecar.change(slow, tmp_path, NAME, finish)

    worker = Worker("slow", change)
    worker.start()
    assert slow.stalled.wait(10)
    other = SegmentName("front", 1, 2)
    assert sidecar.change(Disk(), tmp_path, other, finish).state == "finished"  # else the test's time runs out
    slow.gate.set()
    assert worker.join(10)


def test_the_later_of_two_is_known(tmp_path: Path) -> None:
    first = sidecar.read(Disk(), tmp_path, NAME)
    second = sidecar.change(Disk(), tmp_path, NAME, finish)
    third = sidecar.change(Disk(), tmp_path, NAME, finish)
    assert first.revision < second.revision < third.revision
