"""The quarantine: a bound on bytes and on files, the oldest goes first with a word about it, nothing twice."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.quarantine import Quarantine
from tests.crash.disk import RecordingDisk

from .fakes import FaultDisk


def keep(quarantine: Quarantine, folder: Path, data: bytes, label: str = "x.part", start: int = 0) -> str:
    path = folder / "source"
    path.write_bytes(data)
    return quarantine.keep(path, start, label)


def names(quarantine: Quarantine) -> list[str]:
    return [kept.file for kept in quarantine.kept()]


def test_what_is_kept_is_there_to_the_byte(tmp_path: Path) -> None:
    quarantine = Quarantine(Disk(), tmp_path)
    assert quarantine.kept() == []
    data = bytes(range(256)) * 3000
    name = keep(quarantine, tmp_path, data, start=1000)
    assert (quarantine.folder / name).read_bytes() == data[1000:]


def test_the_oldest_goes_first_when_there_are_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    quarantine = Quarantine(Disk(), tmp_path, most_files=3)
    with caplog.at_level(logging.INFO):
        for number in range(5):
            keep(quarantine, tmp_path, b"%d" % number)
    assert names(quarantine) == ["000003-x.part", "000004-x.part", "000005-x.part"]
    assert "000001-x.part (1 bytes) was removed from quarantine to make room" in caplog.text


def test_the_oldest_goes_first_when_they_are_too_large(tmp_path: Path) -> None:
    quarantine = Quarantine(Disk(), tmp_path, most_bytes=100)
    for number in range(6):
        keep(quarantine, tmp_path, bytes([number]) * 40)
    assert names(quarantine) == ["000005-x.part", "000006-x.part"]
    assert sum(kept.bytes for kept in quarantine.kept()) <= 100


def test_of_one_that_is_too_large_the_beginning_is_kept(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("only the first 100 of 250 bytes cut off are kept")
    quarantine = Quarantine(Disk(), tmp_path, most_bytes=100)
    name = keep(quarantine, tmp_path, b"a" * 50 + b"b" * 200)
    assert (quarantine.folder / name).read_bytes() == b"a" * 50 + b"b" * 50


def test_the_same_again_makes_no_second_copy_and_something_else_does(tmp_path: Path) -> None:
    quarantine = Quarantine(Disk(), tmp_path)
    first = keep(quarantine, tmp_path, b"one")
    assert keep(quarantine, tmp_path, b"one") == first
    assert keep(quarantine, tmp_path, b"two") != first
    assert keep(quarantine, tmp_path, b"one", "y.part") != first
    assert len(quarantine.kept()) == 3


def test_a_copy_that_failed_half_way_is_not_taken_for_one(tmp_path: Path) -> None:
    disk = FaultDisk()
    quarantine = Quarantine(disk, tmp_path)
    disk.fail("datasync")
    with pytest.raises(OSError):
        keep(quarantine, tmp_path, b"half")
    assert quarantine.kept() == []
    name = keep(quarantine, tmp_path, b"whole")
    assert (quarantine.folder / name).read_bytes() == b"whole"
    assert [path.name for path in quarantine.folder.iterdir()] == [name]


def test_a_large_one_is_synced_piece_by_piece(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)
    keep(Quarantine(disk, tmp_path), tmp_path, bytes(9 << 20))
    under_way = most = 0
    for op in disk.log:
        under_way = 0 if op.kind == "sync" else under_way + len(op.data) if op.kind == "write" else under_way
        most = max(most, under_way)
    assert 0 < most <= 4 << 20


def test_dropping_by_name(tmp_path: Path) -> None:
    quarantine = Quarantine(Disk(), tmp_path)
    for label in ("front-000001-00001.mp4.part-from-7", "front-000002-00001.mp4.part-from-7"):
        keep(quarantine, tmp_path, label.encode(), label)
    assert quarantine.drop(lambda label: "-000001-" in label, "with its trip") == 1
    assert names(quarantine) == ["000002-front-000002-00001.mp4.part-from-7"]
    assert keep(quarantine, tmp_path, b"x", "z").startswith("000003-"), "numbers go on"


def test_check_does_not_take_it_for_recordings(tmp_path: Path) -> None:
    keep(Quarantine(Disk(), tmp_path), tmp_path, b"x", "front-000001-00001.mp4.part-from-0")
    assert check_paths([tmp_path]).segments == ()
