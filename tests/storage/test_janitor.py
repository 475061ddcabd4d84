"""The janitor at work on a small card: the ring turns, and the Writer never stands still for long."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.storage import retention
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.journal_lines import Deletion

from .cards_full import SMALL, Drive


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    return Drive(tmp_path / "data")


def test_the_ring_turns_and_the_journal_tells_of_every_one(drive: Drive) -> None:
    for _ in range(120):
        drive.go(1)
        drive.janitor.step()
        assert drive.disk.free >= 500_000
    assert drive.recording.status().lost == {} and drive.janitor.status.deleted > 60
    there = drive.names()
    gone = [e.deletion for e in drive.deletions.journal.entries() if e.state == "done"]
    assert [d.what for d in gone] + there == [f"front-000001-{n:05d}" for n in range(1, len(gone) + len(there) + 1)]
    assert {(d.why, d.who) for d in gone} == {(retention.OLDEST, "janitor")} and min(d.bytes for d in gone) > 50_000
    assert drive.files() >= {f"{name}.mp4" for name in there} and f"{gone[-1].what}.json" not in drive.files()
    drive.end()
    assert check_paths([drive.library.root]).ok


def test_nothing_is_deleted_while_there_is_room(drive: Drive) -> None:
    drive.go(30)
    drive.janitor.step()
    assert len(drive.names()) == 29 and drive.janitor.status.words == ""
    assert drive.janitor.status.kept_s["front"] == pytest.approx(29 * 7 / 8)


def test_hysteresis_clears_up_to_the_high_watermark_and_rests_until_the_low_one(drive: Drive) -> None:
    drive.go(52)
    assert drive.disk.free < 500_000 + 500_000
    drive.janitor.step()
    assert 1_000_000 <= drive.disk.free < 1_100_000  # high: a quarter of 4 MB
    before = drive.names()
    drive.go(5)
    drive.janitor.step()
    assert set(before) <= set(drive.names()), "above the low watermark it rests"


def test_a_disk_that_fills_faster_wakes_it_and_recording_goes_on_by_itself(drive: Drive) -> None:
    woken: list[bool] = []
    drive.janitor.wake = lambda: woken.append(True)
    drive.store.when_full = drive.janitor.full
    drive.go(80)
    assert drive.recording.status().state == "fault" and "Disk full" in drive.recording.status().words
    assert woken, "the Writer told nobody"
    for _ in range(30):
        drive.janitor.step()
        drive.go(1)
    assert drive.recording.status().state == "recording" and drive.recording.status().lost == {}
    drive.end()
    result = check_paths([drive.library.root])
    assert (
        not any(report.damage for report in result.segments) and drive.frames == drive.recording.status().frames_durable
    )


def test_a_card_that_is_full_before_there_is_a_journal_is_freed_and_told_of_after(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    expected_alarms.append("the journal of deletions finds no room; ")
    drive = Drive(tmp_path / "data", ready=False)
    drive.go(80)
    assert drive.recording.status().state == "fault" and drive.deletions.journal.entries() == ()
    drive.janitor.step()
    told = [entry.deletion.what for entry in drive.deletions.journal.entries()]
    assert told[:3] == [f"front-000001-{number:05d}" for number in (1, 2, 3)] and len(told) > 10


def test_a_writer_that_was_refused_is_believed_more_than_the_measure(drive: Drive) -> None:
    drive.go(40)
    drive.disk.told = 990_000  # between low and high
    drive.janitor.step()
    before = len(drive.names())
    drive.janitor.full()
    drive.janitor.step()
    assert len(drive.names()) < before


def test_a_disk_that_says_full_although_it_is_not_costs_no_footage(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append("The disk says it is full although 3 MB are free")
    drive.go(10)
    drive.disk.told = 3_000_000
    before = drive.names()
    for _ in range(5):
        drive.janitor.full()
        drive.janitor.step()
    assert drive.names() == before


def test_locked_footage_stays_while_the_ring_turns_around_it(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append("Marks keep 0 MB of the 0 MB they may: soon no more can be kept")  # the reserve is a minute
    drive.go(10)
    kept = {drive.lock(seq).stem for seq in (2, 5)}
    for _ in range(100):
        drive.go(1)
        drive.janitor.step()
    assert kept <= set(drive.names()) and drive.janitor.status.locked_bytes > 100_000


def test_an_automatic_lock_yields_loudly(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append(f" was deleted: {retention.OVER_SHARE}")
    drive.go(45)
    for seq in range(1, 41):
        drive.lock(seq, "automatic")
    for _ in range(10):
        drive.go(1)
        drive.janitor.step()
    assert "front-000001-00001" not in drive.names()


def test_one_that_the_disk_does_not_let_go_is_passed_over(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append("front-000001-00001 stays: ")
    drive.go(52)
    drive.disk.refuse = lambda op, path: op == "unlink" and path.endswith("00001.mp4")
    drive.janitor.step()
    assert drive.disk.free >= 1_000_000 and drive.names()[0] == "front-000001-00001"


def test_a_disk_that_lets_nothing_go_is_left_alone_for_now(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append("stays: ")
    drive.go(52)
    drive.disk.refuse = lambda op, path: op == "unlink" and path.endswith(".mp4")
    with pytest.raises(OSError, match="Input/output"):
        drive.janitor.step()
    assert drive.disk.counts["unlink"] < 10


def test_without_a_card_nothing_is_deleted(drive: Drive) -> None:
    drive.go(52)
    drive.janitor._present = lambda: False
    drive.janitor.step()
    assert len(drive.names()) > 40 and drive.disk.counts["space"] == 0


def test_what_is_not_known_yet_is_not_touched(drive: Drive) -> None:
    drive.go(52)
    drive.library.loaded.clear()
    drive.janitor.step()
    assert len(drive.names()) > 40


def test_a_card_that_fills_although_nothing_may_go_is_said(drive: Drive, expected_alarms: list[str]) -> None:
    expected_alarms.append(retention.FULL)
    drive.go(20)
    for seq in range(1, 20):
        drive.lock(seq)
    drive.disk.used += 2_300_000  # somebody else's
    drive.janitor.step()
    assert drive.janitor.status.stuck and drive.janitor.status.words == retention.FULL and len(drive.names()) == 19


def test_switched_off_it_deletes_nothing_and_still_counts(tmp_path: Path) -> None:
    drive = Drive(tmp_path / "data", config=SMALL.model_copy(update={"enabled": False}))
    drive.go(52)
    drive.janitor.step()
    assert len(drive.names()) > 40 and drive.janitor.status.kept_s["front"] > 40


def test_a_deletion_that_a_crash_interrupted_is_completed(drive: Drive) -> None:
    drive.go(10)
    journal = drive.deletions.journal
    drive.lock(3)
    for seq in (1, 2, 3):
        journal.begin(Deletion(f"front-000001-{seq:05d}", retention.OLDEST, "janitor", 60_000))
    (drive.library.root / "000001/front-000001-00001.mp4").unlink()
    again = Drive(drive.store.data)
    again.deletions.complete()
    assert again.names()[0] == "front-000001-00003"
    assert not {"front-000001-00001.json", "front-000001-00002.mp4", "front-000001-00002.json"} & again.files()
    assert [entry.state for entry in again.deletions.journal.entries()] == ["done", "done", "kept"]


def test_marks_are_asked_about_without_asking_the_disk(drive: Drive) -> None:
    assert drive.janitor.may_lock(10**12, "manual").allowed, "nothing is known yet"
    drive.go(30)
    drive.janitor.step()
    asked = drive.disk.counts["space"]
    assert drive.janitor.may_lock(100_000, "manual").allowed is False, "the reserve is a minute, 3.6 MB of 4"
    assert drive.disk.counts["space"] == asked


def test_the_oldest_is_dated_where_its_time_is_vouched_for(drive: Drive) -> None:
    drive.go(5)
    drive.janitor.step()
    first = drive.library.segments()[0]
    assert first.first_t_ns is not None
    assert drive.janitor.status.oldest_utc_ns == first.utc_ns(first.first_t_ns)
