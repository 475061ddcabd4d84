"""The journal of marks: what is confirmed is in it, whatever a power cut leaves of its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.marks import Mark, MarkJournal, decode, encode
from tests.storage.fakes import FaultDisk

FIRST = Mark("m1", "asked", "manual", "window", "crash", "Straße 한국 “x”\n", "boot", 5, 3, 9, 1_790_000_000)
TRIP = Mark("m2", "asked", "automatic", "g-sensor", "", "", "boot", 6, 0, None)


def journal(folder: Path, disk: Disk | None = None) -> MarkJournal:
    return MarkJournal(disk or Disk(), folder)


def test_the_last_line_of_a_mark_holds_and_marks_are_in_the_order_of_their_first(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([FIRST, TRIP])
    longer = replace(FIRST, state="extended", until_ns=20)
    made.append([longer])
    assert list(journal(tmp_path).load().values()) == [longer, TRIP]


def test_without_a_journal_there_are_no_marks(tmp_path: Path) -> None:
    assert journal(tmp_path).load() == {}


def test_every_beginning_of_the_file_holds_what_was_whole_in_it_and_can_be_written_on(tmp_path: Path) -> None:
    made = journal(tmp_path)
    ends = []
    for mark in (FIRST, TRIP):
        made.append([mark])
        ends.append(made.path.stat().st_size)
    whole = made.path.read_bytes()
    for size in range(len(whole) + 1):
        made.path.write_bytes(whole[:size])
        expected = ["m1", "m2"][: sum(size >= end - 1 for end in ends)]
        assert list(made.load()) == expected
        made.append([replace(TRIP, id="m3")])
        assert list(made.load()) == [*expected, "m3"]


@pytest.mark.parametrize(
    "tail", [b"\0" * 700, b"\xff\n\x81" * 99, b'00000000 {"id":"m9"}\n', b"[" * 99_999 + b"\n", b"\n\n"]
)
def test_rubbish_behind_it_is_passed_over(tmp_path: Path, tail: bytes, possible_alarms: list[str]) -> None:
    possible_alarms.append("cannot be read; the others hold")
    made = journal(tmp_path)
    made.append([FIRST])
    with made.path.open("ab") as file:
        file.write(tail)
    made.append([TRIP])
    assert list(made.load().values()) == [FIRST, TRIP]


def test_a_line_in_which_a_bit_flipped_is_said_and_not_believed(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("1 lines of")
    made = journal(tmp_path)
    made.append([FIRST, TRIP])
    data = bytearray(made.path.read_bytes())
    data[60] ^= 1
    made.path.write_bytes(data)
    assert list(made.load().values()) == [TRIP]


@pytest.mark.parametrize("change", [{"until_ns": 1.5}, {"asked_ns": None}, {"state": "waiting"}, {"id": 7}])
def test_a_line_that_is_no_mark_is_not_believed(change: dict[str, object]) -> None:
    assert decode(encode(replace(FIRST, **change))) == ({}, 1)  # type: ignore[arg-type]


def test_what_a_later_version_adds_is_left_out() -> None:
    line = encode(FIRST)
    assert b'"words"' not in line
    import zlib

    text = line.strip().partition(b" ")[2].replace(b'{"id"', b'{"speed":7,"id"')
    assert decode(b"%08x %s\n" % (zlib.crc32(text), text)) == ({"m1": FIRST}, 0)


def test_nothing_is_confirmed_before_the_sync_and_a_failed_one_is_not_trusted(tmp_path: Path) -> None:
    disk = FaultDisk()  # fails a test that syncs a descriptor again whose sync has failed
    made = journal(tmp_path, disk)
    disk.fail("datasync")
    with pytest.raises(OSError):
        made.append([FIRST])
    made.append([FIRST])
    assert disk.counts["datasync"] == 2 and disk.counts["append"] == 2
    assert list(made.load()) == ["m1"]


def test_the_name_of_a_new_journal_is_made_durable_too(tmp_path: Path) -> None:
    disk = FaultDisk()
    made = journal(tmp_path, disk)
    made.append([FIRST])
    made.append([TRIP])
    assert disk.counts["sync_dir"] == 1


def test_a_long_one_is_written_anew_with_what_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_qt.storage.marks._ENOUGH_BYTES", 2000)
    made = journal(tmp_path)
    for until in range(10, 30):
        made.append([replace(FIRST, state="extended", until_ns=until)])
    made.append([replace(TRIP, state="undone", undone=True)])
    made.append([replace(TRIP, id="m3", state="applied", undone=True)])
    found = made.load()
    assert len(found) == 3 and made.path.stat().st_size < 1000
    assert list(made.load()) == ["m1", "m2"], "of the third nothing is left anywhere"
    assert made.load()["m1"].until_ns == 29
