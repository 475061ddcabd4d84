"""Names that are never used twice, and folders that cannot be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk, StorageError, words_for
from blackbox_qt.storage.record import Link
from blackbox_qt.storage.segment import SegmentName, Store

from .fakes import FaultDisk


def start(data: Path, disk: Disk | None = None) -> Store:
    store = Store(disk or Disk(), data)
    store.check_writable()
    return store


def boots(data: Path) -> int:
    return start(data).place("front", "camera").name.boot


def test_every_start_has_a_number_and_every_camera_its_count(tmp_path: Path) -> None:
    store = start(tmp_path)
    names = [store.place(camera, "camera").name.stem for camera in ("front", "front", "rear")]
    assert names == ["front-000001-00001", "front-000001-00002", "rear-000001-00001"]
    assert boots(tmp_path) == 2


def test_what_is_not_from_a_camera_has_a_library_of_its_own(tmp_path: Path) -> None:
    store = start(tmp_path)
    assert store.place("front", "pattern").folder == tmp_path / "demo" / "000001"
    assert store.place("front", "file").folder == tmp_path / "demo" / "000001"
    assert store.place("front", "camera").folder == tmp_path / "recordings" / "000001"


@pytest.mark.parametrize("left", [None, b"", b"rubbish", b"2\n", b"-4", b"9" * 30, b"\xff\xfe"])
def test_a_lost_or_old_counter_goes_on_above_the_names_present(tmp_path: Path, left: bytes | None) -> None:
    for _ in range(4):
        boots(tmp_path)
    counter = tmp_path / "recordings" / "boots"
    counter.unlink() if left is None else counter.write_bytes(left)
    assert boots(tmp_path) == 5


def test_files_that_were_moved_up_count_too(tmp_path: Path) -> None:
    boots(tmp_path)
    (tmp_path / "recordings" / "front-000041-00001.mp4").touch()
    (tmp_path / "recordings" / "holiday-2026.mp4").touch()
    assert boots(tmp_path) == 42


def test_the_counter_is_durable_before_a_name_is_given_out(tmp_path: Path) -> None:
    disk = FaultDisk()
    store = start(tmp_path, disk)
    disk.fail("datasync")
    with pytest.raises(OSError):
        store.place("front", "camera")
    assert not (tmp_path / "recordings" / "000001").exists()
    assert store.place("front", "camera").name.boot == 1


@pytest.mark.parametrize("name", ["front-000001-00002", "a-b_c-000012-123456"])
def test_names_are_read_back(name: str) -> None:
    for suffix in ("", ".mp4", ".mp4.part"):
        parsed = SegmentName.parse(name + suffix)
        assert parsed is not None
        assert parsed.stem == name


@pytest.mark.parametrize("name", ["front.mp4", "front-1-2.mp4", "../x-000001-00001.mp4", "", "-000001-00001", "boots"])
def test_other_names_are_nobodys(name: str) -> None:
    assert SegmentName.parse(name) is None


@pytest.mark.parametrize("camera", ["", "a/b", "..", "front camera", "x" * 33, "-x", "é"])
def test_a_camera_name_that_is_no_file_name(camera: str) -> None:
    with pytest.raises(ValueError, match="camera's name"):
        SegmentName(camera, 1, 1)


def test_a_data_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    boots(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "recordings" / "boots").read_text() == "1\n"


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match=r"Cannot record to the data folder .*data: data folder is gone"):
        start(tmp_path / "data")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.ENOSPC, "disk full"),
        (errno.EIO, "card error"),
    ],
)
def test_a_data_folder_that_cannot_be_written(tmp_path: Path, code: int, words: str) -> None:
    disk = FaultDisk()
    disk.fail("replace", code=code)
    with pytest.raises(StorageError) as caught:
        start(tmp_path, disk)
    text = str(caught.value)
    assert words in text
    assert str(tmp_path) in text
    assert text.endswith(".")
    assert "\n" not in text


class CardDisk(FaultDisk):
    """A disk whose data folder can be on another file system than its parents."""

    card: int | None = 7

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data = data

    def device(self, path: Path) -> int:
        on_card = self.card is not None and (path == self.data or self.data in path.parents)
        return self.card if on_card and self.card is not None else 1


def test_a_card_that_was_pulled_is_not_replaced_by_the_system_disk(tmp_path: Path) -> None:
    disk = CardDisk(tmp_path)
    store = start(tmp_path, disk)
    store.place("front", "camera")
    disk.card = None
    with pytest.raises(OSError) as caught:
        store.place("front", "camera")
    assert words_for(caught.value, tmp_path) == f"Card missing: nothing is mounted at {tmp_path} any more"
    for device in (7, 8):  # it is back, or another one
        disk.card = device
        assert store.place("front", "camera").name.seq == device - 5


def test_a_data_folder_on_the_system_disk_misses_no_card(tmp_path: Path) -> None:
    disk = CardDisk(tmp_path)
    disk.card = None
    assert start(tmp_path, disk).place("front", "camera").name.seq == 1


def test_a_name_that_is_taken_begins_a_new_start_once(tmp_path: Path) -> None:
    store = start(tmp_path)
    front, rear = store.place("front", "camera"), store.place("rear", "camera")
    store.continue_from(front, Link("front-000001-00001", b"x" * 32))
    (tmp_path / "recordings" / "000008").mkdir()
    store.renew(front)
    again = store.place("front", "camera")
    assert again.name == SegmentName("front", 9, 1)
    assert again.link == Link()
    store.renew(rear)
    store.continue_from(rear, Link("rear-000001-00001", b"x" * 32))
    assert store.place("rear", "camera").name == SegmentName("rear", 9, 1)
    assert store.place("rear", "camera").link == Link()
    assert (tmp_path / "recordings" / "boots").read_text() == "9\n"


def test_a_folder_without_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="no permission"):
            start(tmp_path / "data")
    finally:
        tmp_path.chmod(0o700)
