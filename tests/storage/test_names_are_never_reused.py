"""A name is never given twice, whatever of a library is lost or damaged, as long as anything tells of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal import Deletion, Journal
from blackbox_qt.storage.segment import SegmentName, Store

from .fakes import FakeClock, FaultDisk, dull, record


def name(data: Path, origin: str = "camera", camera: str = "front") -> SegmentName:
    store = Store(Disk(), data)
    store.check_writable()
    return store.place(camera, origin).name


def recorded(data: Path, starts: int) -> Path:
    """So many starts of the library, the last one with a deleted segment in its journal."""
    for _ in range(starts):
        record(data, dull(30))
    root = data / "recordings"
    Journal(Disk(), root, FakeClock()).begin(Deletion(f"front-{starts:06d}-00001", "a test", "me"))
    return root


def lose(root: Path, counter: bytes | None, folders: bool = True) -> None:
    """What a dying card or a person with a file manager does."""
    for path in root.iterdir():
        if path.is_dir() and folders:
            shutil.rmtree(path)
    (root / "boots").unlink() if counter is None else (root / "boots").write_bytes(counter)


@pytest.mark.parametrize("counter", [None, b"", b"2\n", b"\x00\x00", b"999999999\n", b"99999999999\n"])
def test_counter_and_folders_are_lost_and_the_journal_remains(tmp_path: Path, counter: bytes | None) -> None:
    lose(recorded(tmp_path, 4), counter)
    assert name(tmp_path) == SegmentName("front", 5, 1)


@pytest.mark.parametrize("counter", [None, b"1\n", b"3\n"])
def test_the_counter_is_too_small_and_the_folders_are_there(tmp_path: Path, counter: bytes | None) -> None:
    root = recorded(tmp_path, 4)
    lose(root, counter, folders=False)
    for journal in root.glob("journal-*"):
        journal.unlink()
    assert name(tmp_path) == SegmentName("front", 5, 1)


@pytest.mark.parametrize(
    "where", ["marks", "cache.bin", "quarantine/000001-rear-000041-00007.tail", "deep/rear-000041-00007.mp4"]
)
def test_anything_that_tells_of_a_name_is_heard(tmp_path: Path, where: str) -> None:
    path = recorded(tmp_path, 2) / where
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'{"x":"rear-000041-00007"}\xff\x00')
    lose(path.parents[len(Path(where).parts) - 1], None, folders=False)
    assert name(tmp_path).boot == 42


def test_numbers_that_are_not_names_are_not(tmp_path: Path) -> None:
    root = recorded(tmp_path, 2)
    words = ("2026-11-20 -1790000000000000000-00001", "a-999999999-00001", "0c1f5e2a-123456-abcd", "front-000041-0000")
    (root / "marks").write_text(" ".join(words))
    assert name(tmp_path).boot == 3


def test_a_camera_whose_name_looks_like_numbers(tmp_path: Path) -> None:
    root = recorded(tmp_path, 2)
    (root / "marks").write_text("cam-000003-000041-00007")
    assert name(tmp_path).boot == 42


def test_two_libraries_count_for_themselves(tmp_path: Path) -> None:
    recorded(tmp_path, 4)
    assert name(tmp_path, "pattern") == SegmentName("front", 1, 1)
    lose(tmp_path / "demo", b"7\n")
    assert name(tmp_path, "pattern") == SegmentName("front", 8, 1)
    assert name(tmp_path) == SegmentName("front", 5, 1)


def test_a_file_that_cannot_be_read_keeps_nobody_from_recording(tmp_path: Path) -> None:
    root = recorded(tmp_path, 2)
    disk = FaultDisk()
    read = disk.read_small
    disk.read_small = lambda path, limit=0: read(path, limit) if path.name == "boots" else _broken()  # type: ignore[method-assign]
    store = Store(disk, tmp_path)
    store.check_writable()
    assert store.place("front", "camera").name.boot == 3
    assert (root / "000003").is_dir()


def _broken() -> bytes:
    raise OSError(5, "Input/output error")
