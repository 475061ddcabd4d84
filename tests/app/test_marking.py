"""MARK keeps what lies around a press, on all cameras, whatever happens to the card, the clock and the program."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.app import mark_words
from blackbox_qt.app.mark_requests import ANSWER_S, MarkError
from blackbox_qt.app.mark_room import MarkRoom
from blackbox_qt.core.clock import NS
from blackbox_qt.storage.retention import Verdict
from blackbox_qt.storage.sidecar import NOTHING, Lock
from tests.app.mark_bench import MarkBench
from tests.storage.fakes import FaultDisk


@pytest.fixture
def bench(tmp_path: Path) -> MarkBench:
    """Now is second 1000 since the machine's start; the library is loaded."""
    bench = MarkBench(tmp_path)
    bench.load()
    return bench


def minutes(bench: MarkBench, *cameras: str, first: int = 880, last: int = 1180) -> None:
    """Segments of a minute each, from second `first` to `last`."""
    for camera in cameras or ("front", "rear"):
        for second in range(first, last, 60):
            bench.segment(camera, second, second + 59.9)


def test_all_cameras_are_kept_from_before_to_after_across_the_borders(bench: MarkBench) -> None:
    minutes(bench)
    mark = bench.mark("window")
    assert (mark.state, mark.words) == ("asked", "Saved: 30 s before to 60 s after")
    assert (mark.from_ns, mark.until_ns) == (970 * NS, 1060 * NS)
    bench.drive()
    assert bench.locked() == {f"{c}-000001-0000{n}": {mark.id} for c in ("front", "rear") for n in (2, 3, 4)}
    lock = bench.library.segments(mark=mark.id)[0].sidecar.locks[0]
    assert lock == Lock(mark.id, "manual", "window", "", "", 1000 * NS, bench.clock.anchor().utc_ns)


def test_a_segment_that_ends_at_the_first_moment_is_kept_and_one_before_is_not(bench: MarkBench) -> None:
    before = bench.segment("front", 900, 969.9)
    touching = bench.segment("front", 969.95, 970)
    at_the_end = bench.segment("front", 1060, 1100)
    after = bench.segment("front", 1060.1, 1100)
    bench.mark()
    bench.drive()
    assert set(bench.locked()) == {touching.stem, at_the_end.stem}
    assert not {before.stem, after.stem} & set(bench.locked())


def test_what_is_not_written_yet_is_kept_when_it_is(bench: MarkBench) -> None:
    bench.segment("front", 900, 959)
    open_one = bench.open("front", 960, 999)
    mark = bench.mark()
    bench.drive()
    assert bench.locked() == {}
    bench.clock.advance(20)
    name = bench.finish(open_one)
    bench.drive()
    assert bench.locked() == {name.stem: {mark.id}}
    later = bench.segment("front", 1020, 1079)
    bench.clock.advance(60)
    assert bench.known(mark.id).state == "asked"
    bench.drive()
    assert bench.locked() == {name.stem: {mark.id}, later.stem: {mark.id}}


def test_a_mark_is_settled_when_every_camera_is_past_it_and_not_before(bench: MarkBench) -> None:
    mark = bench.mark()
    bench.segment("front", 960, 1070)
    bench.clock.advance(3600)
    bench.drive()
    assert bench.known(mark.id).state == "asked", "rear may still hold its minute in memory"
    bench.segment("rear", 960, 1060)
    bench.drive()
    assert bench.known(mark.id).state == "applied"
    assert len(bench.locked()) == 2


def test_repeated_presses_extend_one_event(bench: MarkBench) -> None:
    first = bench.mark("window", reason="crash", note="red car")
    bench.clock.advance(50)
    second = bench.mark("button", reason="crash", note="ABC 123")
    assert second.id == first.id and second.words == "Saved: 60 s more from now"
    assert (second.from_ns, second.until_ns) == (970 * NS, 1110 * NS)
    assert (second.reason, second.note) == ("crash", "red car · ABC 123")
    assert bench.marking.status().count == 1
    bench.clock.advance(60.1)
    third = bench.mark("window")
    assert third.id != first.id and bench.marking.status().count == 2


def test_a_note_that_came_later_is_in_every_lock(bench: MarkBench) -> None:
    minutes(bench, last=1000)
    mark = bench.mark()
    bench.drive()
    bench.clock.advance(5)
    bench.mark(note="ABC 123")
    bench.drive()
    locks = [lock for s in bench.library.segments(mark=mark.id) for lock in s.sidecar.locks]
    assert len(locks) == 2 and {lock.note for lock in locks} == {"ABC 123"}


def test_the_whole_trip_is_kept_also_what_comes_later_and_by_the_next_program(bench: MarkBench) -> None:
    minutes(bench, first=100, last=220)
    mark = bench.mark(whole_trip=True)
    assert mark.words == "Saved: the whole trip"
    bench.drive()
    assert len(bench.locked()) == 4
    bench.clock.advance(7200)
    bench.segment("front", 8000, 8060)
    bench.drive()
    assert len(bench.locked()) == 5
    again = bench.again()
    again.segment("front", 8300, 8360)
    again.drive()
    assert len(again.locked()) == 6 and again.known(mark.id).state == "asked"
    assert again.marking.status().whole_trip
    tomorrow = bench.again(boot="another-start", at=50)
    tomorrow.segment("front", 40, 49)
    tomorrow.drive()
    assert len(tomorrow.locked()) == 6 and tomorrow.known(mark.id).state == "applied"


def test_a_press_within_a_kept_trip_is_an_event_of_its_own(bench: MarkBench) -> None:
    minutes(bench, "front")
    trip = bench.mark(whole_trip=True)
    event = bench.mark()
    assert event.id != trip.id
    bench.drive()
    bench.undo(trip.id)
    bench.drive()
    assert set(bench.locked()) == {"front-000001-00002", "front-000001-00003", "front-000001-00004"}


def test_an_automatic_event_does_not_swallow_a_person_s(bench: MarkBench) -> None:
    bump = bench.mark("g-sensor", kind="automatic")
    assert bench.mark("window").id != bump.id
    assert bench.mark("g-sensor", kind="automatic").id == bump.id


def test_an_undo_leaves_older_locks_alone(bench: MarkBench) -> None:
    minutes(bench, "front")
    older = bench.mark()
    bench.drive()
    bench.clock.advance(61)
    newer = bench.mark()
    bench.drive()
    both = {s for s, marks in bench.locked().items() if marks == {older.id, newer.id}}
    assert both == {"front-000001-00003", "front-000001-00004"}
    assert bench.undo(newer.id).undone
    bench.drive()
    assert bench.locked() == {f"front-000001-0000{n}": {older.id} for n in (2, 3, 4)}
    assert bench.known(newer.id).settled and bench.marking.status().count == 1


def test_an_undo_while_it_runs_ends_it_and_the_next_press_is_a_new_one(bench: MarkBench) -> None:
    mark = bench.mark()
    assert bench.undo(mark.id).words == mark_words.UNDONE
    bench.undo(mark.id)  # again is harmless
    bench.segment("front", 990, 1010)
    bench.drive()
    assert bench.locked() == {} and bench.marking.status().running == ""
    assert bench.mark().id != mark.id


def test_a_mark_that_is_not_there_cannot_be_undone(bench: MarkBench) -> None:
    with pytest.raises(MarkError, match="There is no mark m00000000"):
        bench.undo("m00000000")


def test_a_refused_mark_comes_back_with_words_and_nothing_is_kept(bench: MarkBench) -> None:
    minutes(bench)
    bench.refusal = "No room: marks have their share"
    refused = bench.mark()
    assert (refused.state, refused.words) == ("refused", bench.refusal)
    bench.drive()
    assert bench.locked() == {} and bench.marking.marks() == ()
    assert not (bench.root / "marks").exists()


def test_an_extension_that_is_refused_leaves_the_event_as_it_was(bench: MarkBench) -> None:
    mark = bench.mark()
    bench.clock.advance(30)
    bench.refusal = "No room"
    assert bench.mark().state == "refused"
    assert bench.known(mark.id).until_ns == 1060 * NS


def test_what_the_retention_took_back_is_not_locked_again(bench: MarkBench) -> None:
    name = bench.segment("front", 960, 999)
    bump = bench.mark("g-sensor", kind="automatic")
    bench.drive()
    bench.library.unlock(name, bump.id)
    bench.drive()
    assert bench.locked() == {}


def test_a_segment_that_was_deleted_holds_nothing_up(bench: MarkBench) -> None:
    bench.segment("front", 960, 970)
    there = bench.segment("front", 971, 999)
    (bench.root / "000001" / "front-000001-00001.mp4").unlink()
    mark = bench.mark()
    bench.drive()
    assert bench.locked() == {there.stem: {mark.id}}


def test_a_wall_clock_that_jumps_changes_nothing(bench: MarkBench) -> None:
    minutes(bench, "front")
    bench.clock.utc_offset_ns = -2_000_000_000 * NS
    mark = bench.mark()
    bench.clock.utc_offset_ns = 4_000_000_000 * NS
    bench.clock.advance(30)
    assert bench.mark().id == mark.id
    bench.drive()
    assert set(bench.locked()) == {f"front-000001-0000{n}" for n in (2, 3, 4)}


def test_a_time_that_nobody_vouches_for_is_not_written_down(bench: MarkBench) -> None:
    bench.clock.source = "unsynced"
    assert bench.mark().utc_ns is None


def test_another_start_of_the_machine_has_the_same_times_and_is_not_meant(bench: MarkBench) -> None:
    minutes(bench, "front")
    mark = bench.mark()
    bench.drive()
    kept = set(bench.locked())
    tomorrow = bench.again(boot="another-start", at=1010)
    tomorrow.segment("front", 960, 1009)
    tomorrow.drive()
    assert set(tomorrow.locked()) == kept
    assert tomorrow.mark().id != mark.id, "an event of another start of the machine is not under way"


def test_the_event_goes_on_when_only_the_program_was_restarted(bench: MarkBench) -> None:
    mark = bench.mark()
    bench.clock.advance(20)
    again = bench.again()
    assert again.mark().id == mark.id
    assert again.marking.status().running == mark.id


# ---- the card


def test_a_stalled_card_is_said_after_two_seconds_and_the_mark_is_saved_when_it_answers(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    expected_alarms.append("a mark waits for the card: Card error")
    disk = FaultDisk()
    bench = MarkBench(tmp_path, disk)
    bench.load()
    disk.fail("datasync", times=3)
    asked = bench.marking.ask("window")
    early = bench.marking.status()
    assert (early.waiting, early.words, early.left_s, early.running) == (1, "", 60.0, asked.mark.id)
    bench.marking.work()
    answer = asked.answer(0)
    assert (answer.state, answer.words) == ("waiting", mark_words.WAITING)
    bench.clock.advance(ANSWER_S)
    assert bench.marking.status().words == mark_words.WAITING
    assert [mark.state for mark in bench.marking.marks()] == ["waiting"]
    assert bench.marking.status().count == 0
    for _ in range(3):
        bench.marking.work()
        bench.clock.advance(5)
    bench.marking.work()
    saved = asked.answer(0)
    assert (saved.id, saved.state, saved.from_ns) == (asked.mark.id, "asked", 970 * NS), (
        "the press counts, not the card"
    )
    status = bench.marking.status()
    assert (status.waiting, status.words, status.count) == (0, "", 1)
    assert set(bench.again().marking.marks()) == set()  # not read yet
    later = bench.again()
    later.drive()
    assert [mark.id for mark in later.marking.marks()] == [saved.id], "what failed before is there once"


def test_presses_while_the_card_stalls_are_one_event_too(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("a mark waits for the card")
    disk = FaultDisk()
    bench = MarkBench(tmp_path, disk)
    disk.fail("append", code=errno.EROFS)
    first = bench.marking.ask("window")
    bench.marking.work()
    bench.clock.advance(40)
    second = bench.marking.ask("page", note="ABC 123")
    assert second.mark.id == first.mark.id
    bench.marking.work()
    assert second.answer(0).until_ns == 1100 * NS and first.answer(0).until_ns == 1060 * NS
    assert bench.known(first.mark.id).note == "ABC 123"


def test_a_lock_that_the_disk_refuses_is_tried_again_and_holds_up_no_other(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = MarkBench(tmp_path, disk)
    bench.load()
    minutes(bench, "front", last=1000)
    first = bench.mark()
    other = bench.mark("g-sensor", kind="automatic")
    disk.fail("rename")
    with pytest.raises(OSError):
        bench.drive()
    assert bench.locked() == {"front-000001-00002": {other.id}}
    bench.drive()
    assert bench.locked() == {"front-000001-00002": {first.id, other.id}}


def test_a_card_that_was_pulled_leaves_no_folder_and_none_is_made(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("a mark waits for the card: Data folder is gone")
    bench = MarkBench(tmp_path)
    bench.root.rmdir()
    assert bench.mark().state == "waiting"
    assert not bench.root.exists()


def test_a_mark_made_while_the_card_is_missing_is_kept_in_the_ring_and_holds_when_the_card_is_back(
    bench: MarkBench,
) -> None:
    old = bench.mark()
    bench.card, bench.in_ring = False, True
    bench.ring.mkdir()
    bench.drive()
    bench.clock.advance(100)
    mark = bench.mark(note="ABC 123")
    assert mark.state == "asked" and b"ABC 123" in (bench.ring / "marks").read_bytes()
    bench.drive()
    assert bench.known(mark.id).state == "asked" and bench.known(old.id).state == "asked"
    power_cut = bench.again(boot="another-start", at=50)
    power_cut.in_ring = True
    power_cut.drive()
    assert power_cut.known(mark.id).state == "asked", "what it covers has not come home yet"
    home = power_cut.segment("front", 1080, 1139)
    power_cut.library._known[home] = replace(power_cut.library._known[home], machine_boot="hand-boot")
    power_cut.library._sorted = None
    power_cut.drive()
    assert power_cut.locked()[home.stem] == {mark.id}
    power_cut.in_ring = False
    power_cut.drive()
    assert power_cut.known(mark.id).settled and power_cut.known(old.id).settled
    last = power_cut.again()
    last.drive()
    assert last.known(mark.id).settled, "what the card's journal tells is newer than what the ring's does"


def test_without_card_and_ring_a_mark_waits(bench: MarkBench, expected_alarms: list[str]) -> None:
    expected_alarms.append("a mark waits for the card: Card missing")
    bench.card = False
    asked = bench.marking.ask("window")
    bench.marking.work()
    assert not asked.saved.done()
    bench.card = True
    bench.clock.advance(1)
    assert bench.answer(asked).state == "asked"


def test_the_marks_of_a_card_that_is_put_in_again_are_read_again(bench: MarkBench) -> None:
    bench.drive()
    bench.card = False
    bench.drive()
    other = MarkBench(bench.root.parent, at=700).mark("elsewhere")
    bench.card = True
    bench.drive()
    assert [mark.id for mark in bench.marking.marks()] == [other.id]


def test_a_trip_is_kept_as_long_as_there_is_room_and_no_further(bench: MarkBench, expected_alarms: list[str]) -> None:
    expected_alarms.append("the trip is not kept any further: No room")
    minutes(bench, "front", first=880, last=940)
    trip = bench.mark(whole_trip=True)
    bench.drive()
    bench.refusal = "No room"
    bench.segment("front", 1001, 1060)
    bench.drive()
    assert set(bench.locked()) == {"front-000001-00001"} and bench.marking.status().refused == "No room"
    bench.refusal = ""
    bench.drive()
    assert len(bench.locked()) == 2 and bench.marking.status().refused == ""
    assert bench.known(trip.id).state == "asked"


def test_what_a_mark_would_keep_is_reckoned_with_what_comes(bench: MarkBench) -> None:
    asked: list[tuple[int, str]] = []

    def may_lock(count: int, kind: str) -> Verdict:
        asked.append((count, kind))
        return Verdict(count < 10_000, "No room")

    first = bench.segment("front", 940, 999)
    room = MarkRoom(bench.clock, lambda: (bench.library,), lambda: {"front": 10.0, "rear": 1.0}, may_lock, 60)
    size = (bench.root / "000001" / (first.final)).stat().st_size
    mark = bench.mark()
    # both since the program's start, second 1000, to second 1060 and up to a segment more
    assert room.bytes_more(mark) == size + 10 * (60 + 60) + (60 + 60)
    assert room.refusal(mark) == "" and asked[-1] == (room.bytes_more(mark), "manual")
    bench.drive()
    assert room.bytes_more(mark) == 10 * (60 + 60) + (60 + 60), "what is locked already is not counted again"
    assert room.refusal(replace(mark, until_ns=9000 * NS)) == "No room"
    trip = bench.mark(whole_trip=True)
    segment = bench.library.segments()[0]
    assert room.refusal_of(mark, segment) == room.refusal_of(trip, segment) == ""
    later = replace(segment, sidecar=NOTHING, first_t_ns=2000 * NS, bytes=20_000)
    assert room.refusal_of(trip, later) == "No room" and room.refusal_of(mark, later) == ""


def test_a_journal_that_cannot_be_read_does_not_hold_up_a_press(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = MarkBench(tmp_path, disk)
    bench.mark()
    again = bench.again(disk=disk)
    (again.root / "marks").rename(again.root / "aside")
    (again.root / "marks").mkdir()
    with pytest.raises(OSError):
        again.drive()
    (again.root / "marks").rmdir()
    assert again.mark().state in ("asked", "extended")


def test_marks_of_a_lost_journal_are_known_from_the_sidecars_and_can_be_undone(bench: MarkBench) -> None:
    minutes(bench, "front")
    mark = bench.mark("window", note="ABC 123")
    bench.drive()
    (bench.root / "marks").unlink()
    again = bench.again()
    again.drive()
    (known,) = again.marking.marks()
    assert (known.id, known.note, known.asked_ns, known.state) == (mark.id, "ABC 123", 1000 * NS, "applied")
    again.undo(mark.id)
    again.drive()
    assert again.locked() == {}


def test_a_trip_that_is_forgotten_leaves_nothing_of_its_marks(bench: MarkBench) -> None:
    bench.mark(note="ABC 123")
    tomorrow = bench.again(boot="another-start", at=50)
    kept = tomorrow.mark()
    tomorrow.marking.store.forget(lambda mark: mark.machine_boot == "hand-boot")
    assert b"ABC 123" not in (bench.root / "marks").read_bytes()
    assert tomorrow.marking.marks() == (tomorrow.known(kept.id),)
    last = bench.again()
    last.drive()
    assert [mark.id for mark in last.marking.marks()] == [kept.id]
