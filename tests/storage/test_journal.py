"""The journal of deletions: told before the file goes, whatever the disk or the power does."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import pytest

from blackbox_qt.storage import journal as module
from blackbox_qt.storage.journal import FILE_BYTES, Journal
from blackbox_qt.storage.journal_lines import Deletion
from tests.crash.disk import RecordingDisk
from tests.crash.model import CORNERS, World

from .fakes import UTC_OFFSET_NS, FakeClock, FaultDisk

GONE = Deletion("front-000001-00001", "the oldest makes room", "janitor", 4_000)


class Book:
    """A journal on a disk that does what it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = FaultDisk()
        self.clock = FakeClock()
        self.journal = Journal(self.disk, root, self.clock)

    def states(self) -> list[tuple[str, str]]:
        return [(entry.deletion.what, entry.state) for entry in self.journal.entries()]

    def fill(self, bytes_left: int) -> None:
        """Take the disk's last bytes but so many."""
        self.disk.room = bytes_left


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "recordings")


def test_it_is_told_before_it_goes_and_confirmed_after(book: Book) -> None:
    seen: list[list[tuple[str, str]]] = []
    book.journal.carry_out(GONE, lambda: seen.append(book.states()))
    assert seen == [[(GONE.what, "begun")]]
    (entry,) = book.journal.entries()
    assert entry.state == "done" and entry.deletion == GONE
    assert (entry.boot_ns, entry.utc_ns) == (book.clock.now, book.clock.now + UTC_OFFSET_NS)
    assert (entry.source, entry.machine_boot) == ("ntp", book.clock.machine_boot)


@pytest.mark.parametrize("variant", [*CORNERS, "1", "2", "3"])
def test_after_a_power_cut_whatever_is_gone_is_told_of(tmp_path: Path, variant: str) -> None:
    root, names = tmp_path / "disk", [f"front-000001-{number:05d}" for number in range(1, 6)]
    root.mkdir()
    for name in names:
        (root / name).touch()
    disk = RecordingDisk(root)
    journal = Journal(disk, root, FakeClock())
    for name in names:
        journal.make_ready()
        journal.carry_out(Deletion(name, "", "janitor"), partial(disk.unlink, root / name))
    world = World()
    for number, op in enumerate(disk.log):
        world.apply(op)
        left = tmp_path / str(number)
        left.mkdir()
        world.crash(variant, f"{variant} {number}", left)
        told = {entry.deletion.what for entry in Journal(FaultDisk(), left, FakeClock()).entries()}
        assert number < disk.begin or told >= {name for name in names if not (left / name).exists()}


def test_what_cannot_be_deleted_stays_to_be_done(book: Book) -> None:
    def refuse() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input"):
        book.journal.carry_out(GONE, refuse)
    assert [entry.deletion for entry in book.journal.pending()] == [GONE]
    book.journal.kept(book.journal.pending()[0].number, "it is marked now")
    assert book.states() == [(GONE.what, "kept")] and book.journal.pending() == ()


def test_a_journal_that_cannot_be_written_keeps_what_was_to_go(book: Book) -> None:
    book.journal.begin(GONE)
    book.disk.fail("write_at", code=errno.EROFS)
    with pytest.raises(OSError, match="Read-only"):
        book.journal.carry_out(GONE, lambda: pytest.fail("it was deleted without a line that tells of it"))


def test_on_a_full_disk_the_line_finds_room(book: Book) -> None:
    book.journal.begin(GONE)
    book.fill(0)
    for number in range(50):
        book.journal.carry_out(Deletion(f"front-000001-{number:05d}", "", "janitor"), lambda: None)
    assert len(book.journal.entries()) == 51 and len(book.journal.pending()) == 1


def test_where_even_the_journal_has_no_room_room_comes_first(book: Book, expected_alarms: list[str]) -> None:
    expected_alarms.append("the journal of deletions finds no room; front-000001-00001 is deleted first")
    book.fill(0)

    def free() -> None:
        assert book.states() == []
        book.fill(10**6)

    book.journal.carry_out(GONE, free)
    assert book.states() == [(GONE.what, "done")]


@pytest.mark.parametrize("torn", [b'{"n":2,"op":"del', b'\x00\xff{"n":2}', b"[1]", b'{"op":"delete"}', b'{"n":"2"}'])
def test_a_torn_line_is_passed_over_and_spoils_no_other(book: Book, torn: bytes) -> None:
    book.journal.begin(GONE)
    file = book.root / "journal-000001.jsonl"
    text = file.read_bytes().rstrip(b"\n")
    file.write_bytes((text + b"\n" + torn).ljust(FILE_BYTES, b"\n"))
    book.journal.carry_out(Deletion("rear-000001-00001", "", "janitor"), lambda: None)
    assert book.states() == [(GONE.what, "begun"), ("rear-000001-00001", "done")]
    file.write_bytes(file.read_bytes().rstrip(b"\n")[:-5])  # cut short as well: a card that lost the file's end
    book.journal.begin(GONE)
    assert [state for _, state in book.states()] == ["begun", "begun", "begun"]


def test_it_is_bounded_and_the_newest_is_kept(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    for number in range(100):
        book.journal.make_ready()
        book.journal.carry_out(Deletion(f"front-000001-{number:05d}", "", "janitor"), lambda: None)
    files = sorted(book.root.glob("journal-*"))
    assert len(files) <= module.FILES + 2 and {file.stat().st_size for file in files} == {1000}
    kept = book.journal.entries()
    assert 15 < len(kept) < 40
    assert [e.deletion.what[-5:] for e in kept] == [f"{n:05d}" for n in range(100 - len(kept), 100)]
    assert len({entry.number for entry in kept}) == len(kept)


def test_the_next_file_is_there_before_the_disk_is_full(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 2000)
    while len(list(book.root.glob("journal-*"))) < 2:
        book.journal.begin(GONE)
        book.journal.make_ready()
    book.fill(0)
    before = len(book.journal.entries())
    for _ in range(10):
        book.journal.begin(GONE)
    assert len(book.journal.entries()) == before + 10


def test_what_is_forgotten_leaves_no_line(book: Book) -> None:
    book.journal.carry_out(GONE, lambda: None)
    book.journal.carry_out(Deletion("rear-000001-00001", "", "janitor"), lambda: None)
    book.journal.forget(GONE.what.__eq__)
    assert book.states() == [("rear-000001-00001", "done")]
    assert GONE.what.encode() not in b"".join(file.read_bytes() for file in book.root.iterdir())
    number = book.journal.begin(Deletion("everything", "erased", "page"))
    book.journal.forget(lambda _: True, but=number)
    assert book.states() == [("everything", "begun")]


def test_a_library_without_a_folder_has_nothing_to_tell(tmp_path: Path) -> None:
    journal = Journal(FaultDisk(), tmp_path / "nowhere", FakeClock())
    assert journal.entries() == journal.pending() == ()
    journal.forget(lambda _: True)
    assert not (tmp_path / "nowhere").exists()
