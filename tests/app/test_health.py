"""What the box notes, and what the notes tell afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from blackbox_qt.app import Status
from blackbox_qt.app.fault_status import BoardStatus, CardStatus
from blackbox_qt.app.health import HealthKeeper
from blackbox_qt.app.health_words import NS, Happening, Hole, happenings, holes, moment, why
from blackbox_qt.commands.health import lines
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.health_ring import read
from tests.fakes import HandClock
from tests.storage.fakes import FaultDisk
from tests.ui.helpers import WELL, camera_status


class Notes:
    """A keeper that is driven by hand."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.clock = HandClock()
        self.now: Status = WELL
        self.path = folder / "health"
        self.keeper = HealthKeeper(disk or Disk(), folder, 5, 0.1, lambda: self.now, self.clock)

    def after(self, seconds: float, **changes: Any) -> None:
        self.clock.advance(seconds)
        self.now = replace(self.now, **changes)
        self.keeper.note()

    def read(self) -> list[Any]:
        return read(Disk(), self.path)

    def close(self) -> None:
        self.keeper.note(last=True)
        self.keeper._ring.close()


def test_one_in_five_seconds_and_one_at_every_turn(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    for _ in range(11):
        notes.after(1)
    assert len(notes.read()) == 3
    notes.after(1, card=CardStatus("missing", ring_s=600))
    assert len(notes.read()) == 4 and notes.read()[-1]["words"].startswith("CARD MISSING")
    notes.after(1)
    assert len(notes.read()) == 4
    notes.close()
    assert [note["last"] for note in notes.read()][-2:] == [False, True]


def test_a_disk_that_refuses_is_said_once_and_tried_again(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("health cannot be noted: Card error: Input/output error")
    disk = FaultDisk()
    notes = Notes(tmp_path, disk)
    disk.fail("datasync", times=3)
    for _ in range(100):
        notes.after(1)
    assert notes.keeper.words == "" and len(notes.read()) > 1
    notes.close()


def note(at_s: float, *, boot: str = "b", program: int = 1, last: bool = False, **more: Any) -> dict[str, Any]:
    times = {"boot_ns": int(at_s * NS), "utc_ns": int((1_790_000_000 + at_s) * NS), "source": "ntp"}
    body = {**times, "machine_boot": boot,
            "program": program, "last": last, "recording": "recording", "words": "", "free_mb": 1000, "card": "fine",
            "celsius": 50.0, "undervoltage": False, "throttled": False, "shed": 0, "viewers": 0,
            "cameras": {"front": {"fps": 30.0, "state": "live", "rec": "recording", "lost": {}}}}  # fmt: skip
    return {**body, **more}


def front(**more: Any) -> dict[str, Any]:
    return {"cameras": {"front": {"fps": 30.0, "state": "live", "rec": "recording", "lost": {}, **more}}}


def test_a_quiet_trip_has_nothing_to_tell() -> None:
    assert happenings([note(t) for t in range(0, 100, 5)], 5) == []


def test_what_lasts_is_one_thing() -> None:
    told = happenings([note(0), note(5, undervoltage=True), note(10, undervoltage=True), note(15), note(20)], 5)
    assert told == [Happening("b", 0, 10 * NS, "", "the supply's voltage was too low")]


def test_every_kind_of_trouble_has_words() -> None:
    bad = note(5, celsius=85.0, throttled=True, shed=3, words="FRONT NOT RECORDING Disk full", **front(
        rec="fault", state="fault", lost={"camera": 3, "mailbox": 2, "disk": 1, "shed": 9}))  # fmt: skip
    told = {one.words for one in happenings([note(0), bad], 5)}
    assert told == {
        "FRONT NOT RECORDING Disk full", "the processor was slowed down", "the board was hot (80 °C or more)",
        "something was given up to keep recording", "no pictures from the camera", "not recording",
        "frames lost: the camera lost them", "frames lost: the encoder was late", "frames lost: the card was late",
        "frames lost: given up to keep recording",
    }  # fmt: skip


def test_the_program_that_was_not_there_is_told() -> None:
    (killed,) = happenings([note(0), note(30, program=2)], 5)
    (ended,) = happenings([note(0, last=True), note(30, program=2)], 5)
    (hung,) = happenings([note(0), note(60)], 5)
    assert "without a word" in killed.words and "was ended" in ended.words and "hung" in hung.words
    assert happenings([note(0), note(1, boot="other", program=2)], 5) == [], "the box was off"


def test_a_hole_in_the_video_is_explained_by_what_was_noted_then() -> None:
    segments = [
        ("b", "front", 0, 60 * NS),
        ("b", "front", 75 * NS, 90 * NS),
        ("b", "rear", 0, 90 * NS),
        ("", "x", 0, 1),
    ]
    (hole,) = holes(segments)
    assert hole == Hole("b", "front", 60 * NS, 75 * NS)
    notes = [note(55), note(60), note(65, words="CARD BROKEN", **front(rec="fault")), note(76), note(200)]
    assert why(hole, happenings(notes, 60)) == ["CARD BROKEN", "not recording"]
    assert why(replace(hole, from_ns=150 * NS, to_ns=160 * NS), happenings(notes, 60)) == []
    assert why(replace(hole, machine_boot="c"), happenings(notes, 60)) == []


def test_the_time_of_day_comes_from_a_note_whose_clock_could_be_trusted() -> None:
    notes = [note(0, source="unsynced", utc_ns=5), note(100)]
    assert moment("b", 0, notes) == 1_790_000_000 * NS
    assert moment("c", 0, notes) is None


def test_it_is_told_in_words() -> None:
    notes = [note(0), note(5, words="CARD MISSING recording on the system's disk"), note(10)]
    hole = Hole("b", "front", 4 * NS, 6 * NS)
    told = list(lines(notes, happenings(notes, 5), [hole], "UTC"))
    assert told[0].startswith("3 notes, from 2026-09-21 ") and "UTC to 2026" in told[0]
    assert told[1] == "Last: recording; front 30 fps, 1.0 GB free, card fine, 50 °C"
    assert told[2] == "Missing video:" and "2.0 s of front: CARD MISSING" in told[3]
    unexplained = list(lines(notes, [], [hole], "UTC"))
    assert "not explained by these notes" in unexplained[3]
    unknown = list(lines([note(0, source="unsynced")], [], [], "UTC"))
    assert "time unknown" in unknown[0]


def test_the_board_is_noted(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.now = replace(notes.now, board=BoardStatus(71.5, True, False), cameras=(camera_status("rear"),))
    notes.after(0)
    (one,) = notes.read()
    assert (one["celsius"], one["undervoltage"], list(one["cameras"])) == (71.5, True, ["rear"])
    notes.close()
