"""Every way a car's clock can go wrong, recorded by the recording code, healed, and listed: order, durations, dates."""

from __future__ import annotations

import errno
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.app.timekeeping import TimeError
from blackbox_qt.commands.list import lines as listed_lines
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.local_time import local_words
from blackbox_qt.core.trust import uncertainty_at
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.library import SegmentInfo
from blackbox_qt.storage.times import NAME
from tests.app.drives import DAY, NOON, Machine, Program, pictures, recorded


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def shown(segment: SegmentInfo) -> str:
    """When its first picture was taken, as a list says it."""
    dating, first = segment.dating, segment.first_t_ns
    assert dating and first is not None
    return local_words(segment.utc_ns(first), "Asia/Seoul", dating.source, uncertainty_at(dating, first))


def check_in_order(program: Program, seconds: float) -> None:
    """Names rise with the boot clock, and every picture is there once."""
    segments = program.segments()
    names = [segment.name for segment in segments]
    assert names == sorted(names) and len(set(names)) == len(names)
    times = [(s.first_t_ns or 0, s.last_t_ns or 0) for s in segments]
    assert times == sorted(times) and all(b[0] > a[1] for a, b in itertools.pairwise(times))
    assert sum(s.frames for s in segments) == round(seconds * 10)
    assert sum(s.duration_s + 0.1 for s in segments) == pytest.approx(seconds)


def check_true(program: Program, source: str, within_s: float) -> None:
    for segment in program.segments():
        assert segment.dating and segment.dating.source == source, segment.name
        first = segment.first_t_ns
        utc = segment.utc_ns(first) if first is not None else None
        assert utc is not None and abs(utc - program.machine.true_utc(first)) <= within_s * NS


def test_a_clock_at_1970_and_nobody_who_knows_better(machine: Machine) -> None:
    program = recorded(machine, 10)
    check_in_order(program, 10)
    assert [shown(segment) for segment in program.segments()] == ["time unknown"] * 4
    assert program.time.status().words == "time unknown" and not (machine.data / NAME).exists()


def test_a_phone_comes_and_what_was_recorded_before_is_dated_without_a_new_name(machine: Machine) -> None:
    program = Program(machine)
    program.drive(10)
    before = pictures(machine.data)
    program.time.hear(machine.phone(), "10.42.0.7")
    program.time.step()
    assert {
        name: hash_ for name, hash_ in pictures(machine.data).items() if not name.endswith(".part")
    }.items() <= before.items()
    program.drive(5)
    program.end()
    check_in_order(program, 15)
    check_true(program, "phone", 0)
    assert shown(program.segments()[0]) == "2026-11-20 12:00:00 KST · phone ±2 s", (
        "the crystal may be off by a millisecond"
    )
    dates = [segment.sidecar.dates for segment in program.segments()]
    assert [len(one) for one in dates] == [1, 1, 1, 0, 0], "later records say it themselves"
    assert dates[0][0].by == "10.42.0.7"


def test_a_network_comes_in_the_middle_of_a_segment(machine: Machine) -> None:
    program = Program(machine)
    program.drive(7)
    machine.connect()
    program.drive(8)
    program.end()
    check_in_order(program, 15)
    check_true(program, "ntp", 0)
    assert shown(program.segments()[0]).startswith("2026-11-20 12:00:00 KST · NTP ±1")


@pytest.mark.parametrize("by", [DAY, -DAY, 365 * DAY, -56 * 365 * DAY])
def test_the_wall_clock_is_set_wrong_after_a_network_had_it_right(machine: Machine, by: int) -> None:
    program = Program(machine)
    machine.connect()
    program.drive(4)
    machine.set_wall(machine.true_utc() + by)
    program.drive(10)
    program.end()
    check_in_order(program, 14)
    check_true(program, "ntp", 0)
    assert program.time.status().conflict == "", "nobody vouches for the wall clock"


def test_a_network_that_is_lost_stays_with_growing_doubt(machine: Machine) -> None:
    program = Program(machine)
    machine.connect()
    program.drive(2)
    machine.network = False
    doubts = []
    for _ in range(3):
        doubts.append(program.time.anchor())
        machine.now += 10_000 * NS
    assert [round(one.uncertainty_ns / 1e9, 2) for one in doubts if one.uncertainty_ns] == [0.01, 1.01, 2.01]
    assert {one.source for one in doubts} == {"ntp"}
    assert all(one.utc_ns == machine.true_utc(one.boot_ns) for one in doubts)
    program.crash()


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_a_network_that_corrects_itself_is_believed_and_nothing_is_overwritten(machine: Machine, by: int) -> None:
    program = Program(machine)
    machine.connect()
    machine.wall_ns += by  # the server was wrong
    program.drive(6)
    first = program.segments()[0]
    assert first.anchor
    machine.connect()
    program.drive(6)
    program.end()
    check_in_order(program, 12)
    check_true(program, "ntp", 0)
    assert program.segments()[0].anchor == first.anchor and len(program.segments()[0].sidecar.dates) == 1
    assert [one.utc_ns - machine.true_utc(one.boot_ns) for one in program.time.mine] == [by, 0]


def test_a_network_that_cannot_make_up_its_mind_is_said_once(machine: Machine, expected_alarms: list[str]) -> None:
    expected_alarms.append("this machine's clock jumps: The box has heard too many different times")
    program = Program(machine)
    machine.connect()
    program.drive(2)
    for step in range(60):
        machine.wall_ns += DAY if step % 2 else -DAY
        program.time.step()
    machine.connect()
    program.time.step()
    program.drive(2)
    program.end()
    assert len(program.time.mine) == 48 and program.time.anchor().utc_ns == machine.true_utc()
    check_in_order(program, 4)


def test_a_leap_second_is_no_contradiction(machine: Machine) -> None:
    program = Program(machine)
    machine.connect()
    program.drive(4)
    machine.wall_ns -= NS  # 23:59:60
    program.drive(8)
    program.end()
    check_in_order(program, 12)
    check_true(program, "ntp", 1)
    assert len(program.time.mine) == 1 and not any(s.sidecar.dates for s in program.segments())


@pytest.fixture
def zone_put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_another_zone_changes_what_is_shown_and_nothing_else(
    machine: Machine, zone_put_back: pytest.MonkeyPatch
) -> None:
    machine.connect()
    program = Program(machine, zone="")
    zone_put_back.setenv("TZ", "Asia/Seoul")
    program.drive(4)
    assert program.time.status().words.startswith("2026-11-20 12:00:04 KST") and program.time.status().offset_s == 32400
    zone_put_back.setenv("TZ", "America/New_York")
    program.drive(4)
    assert (
        program.time.status().words.startswith("2026-11-19 22:00:08 EST") and program.time.status().offset_s == -18000
    )
    program.end()
    check_in_order(program, 8)
    check_true(program, "ntp", 0)
    assert len(program.time.mine) == 1


def test_the_rtc_counts_when_nothing_better_is_there(machine: Machine) -> None:
    machine.wall_ns = machine.truth_ns + 20 * NS
    machine.rtc = Anchor(machine.now, machine.now + machine.wall_ns, "rtc", 60 * NS)
    program = Program(machine)
    program.drive(4)
    program.time.hear(machine.phone(), "a phone")
    program.drive(4)
    program.end()
    check_in_order(program, 8)
    check_true(program, "rtc", 20)
    assert program.time.status().conflict == "", "both doubts cover it"


def test_a_clock_that_a_network_vouches_for_in_1970_is_not_believed(machine: Machine) -> None:
    machine.network = True
    program = recorded(machine, 4)
    assert [shown(segment) for segment in program.segments()] == ["time unknown", "time unknown"]
    assert program.time.anchor().source == "unsynced"


# ---- contradictions


def test_two_phones_a_day_apart_are_both_kept_and_the_conflict_is_shown(
    machine: Machine, expected_alarms: list[str]
) -> None:
    expected_alarms.append("Time in doubt")
    program = Program(machine)
    program.drive(7)
    program.time.hear(machine.phone(DAY), "10.42.0.7")
    said = program.time.hear(machine.phone(within_ns=NS // 2), "10.42.0.8")
    assert said == "The box knows the time: 2026-11-20 12:00:07 KST · phone ±1 s."
    said = program.time.hear(machine.phone(DAY), "10.42.0.7")
    assert said.startswith("It is kept, and contradicts what is believed more: 2026-11-20 12:00:07 KST")
    program.drive(7)
    program.end()
    check_in_order(program, 14)
    check_true(program, "phone", 0)
    words = (
        "Time in doubt: 2026-11-20 12:00:07 KST · phone ±1 s (10.42.0.8); "
        "2026-11-21 12:00:07 KST · phone ±1 s (10.42.0.7), 24 h later than that"
    )
    assert program.time.status().conflict == words
    assert [[date.by for date in segment.sidecar.dates] for segment in program.segments()] == [
        ["10.42.0.7", "10.42.0.8"], ["10.42.0.7", "10.42.0.8"], ["10.42.0.7"], ["10.42.0.7"], ["10.42.0.7"]
    ]  # fmt: skip
    again = Program(machine)
    again.keep_house()
    assert again.time.status().conflict == words, "also after a new start of the program"
    again.crash()
    told = [line for line in lines(check_paths([machine.data])) if "Time in doubt" in line]
    assert len(told) == 5 and all("(10.42.0.7)" in line for line in told), "and `check` says it of every file"
    assert told[0].strip() == words.replace("12:00:07 KST", "03:00:07 UTC")
    listed = [*listed_lines(again.library.root, again.library.trips(), "Asia/Seoul")]
    assert [line for line in listed if "in doubt" in line] == [f"  {words}"], "and `list` of the trip"
    assert listed[2].startswith("Trip 1: 2026-11-20 12:00:00 KST · phone ±1 s, 13.9 s, front")


def test_what_is_nonsense_or_too_much_is_refused(machine: Machine, expected_alarms: list[str]) -> None:
    expected_alarms.append("Time in doubt")
    program = Program(machine)
    for utc in (0, 7 * NS, NOON - 365 * DAY, 5_000_000_000 * NS, -5, 1 << 70):
        with pytest.raises(TimeError, match="no time of this century after 2025"):
            program.time.hear(Anchor(machine.now, utc, "phone", NS), "a phone")
    for days in range(48):
        program.time.hear(machine.phone(days * DAY), "a phone")
    with pytest.raises(TimeError, match="too many different times"):
        program.time.hear(machine.phone(48 * DAY), "a phone")
    assert len(program.time.mine) == 48
    machine.connect()
    program.time.step()
    assert [one.source for one in program.time.mine[46:]] == ["phone", "phone", "ntp"], "it is trusted more"
    program.crash()


# ---- starts


def test_an_earlier_start_of_the_program_in_the_same_start_of_the_machine(machine: Machine) -> None:
    first = Program(machine)
    first.drive(7)
    first.crash()
    second = Program(machine)
    second.drive(4)
    second.time.hear(machine.phone(), "a phone")
    second.keep_house()
    second.end()
    second.keep_house()
    check_true(second, "phone", 0)
    assert [(s.name.boot, s.name.seq, s.end_reason) for s in second.segments()] == [
        (1, 1, "full"), (1, 2, "full"), (1, 3, "power-loss"), (2, 1, "full"), (2, 2, "stopped"),
    ]  # fmt: skip
    assert len(second.library.trips()) == 1


def test_what_a_start_of_the_program_heard_the_next_one_knows(machine: Machine) -> None:
    first = Program(machine)
    first.drive(1)
    first.time.hear(machine.phone(), "a phone")
    first.time.step()
    first.crash()
    machine.now += 500 * NS
    second = Program(machine)
    second.drive(4)
    second.end()
    second.keep_house()
    check_true(second, "phone", 0)


def test_a_start_of_the_machine_whose_time_nobody_told_stays_unknown(machine: Machine) -> None:
    recorded(machine, 4)
    machine.reboot()
    machine.connect()
    program = recorded(machine, 4)
    program.keep_house()
    assert [shown(segment)[:12] for segment in program.segments()] == [
        "time unknown",
        "time unknown",
        "2026-11-20 1",
        "2026-11-20 1",
    ]
    names = [segment.name for segment in program.segments()]
    assert names == sorted(names) and len({segment.machine_boot for segment in program.segments()}) == 2


def test_a_power_cut_after_somebody_told_and_before_anything_was_dated(
    machine: Machine, expected_alarms: list[str]
) -> None:
    expected_alarms.append("a recording cannot be dated now")
    program = Program(machine)
    program.drive(7)
    program.time.hear(machine.phone(), "a phone")
    machine.disk.refuse = lambda op, path: op == "replace" and path.endswith(".json.tmp")
    program.time.step()
    machine.disk.refuse = lambda *_: False
    program.crash()
    machine.reboot()
    truth = machine.true_utc
    later = Program(machine)
    later.keep_house()
    assert [shown(segment)[:25] for segment in later.segments()] == [
        "2026-11-20 12:00:00 KST ·", "2026-11-20 12:00:03 KST ·", "2026-11-20 12:00:06 KST ·",
    ]  # fmt: skip
    assert truth() > NOON
    later.crash()


def test_the_file_is_lost_and_the_records_tell(machine: Machine) -> None:
    program = Program(machine)
    program.drive(4)
    program.time.hear(machine.phone(), "a phone")
    program.drive(4)
    program.end()
    for path in machine.data.rglob("*.json"):
        path.unlink()
    (machine.data / NAME).unlink()
    machine.reboot()
    later = Program(machine)
    later.keep_house()
    assert [shown(segment)[:25] for segment in later.segments()] == [
        "2026-11-20 12:00:00 KST ·", "2026-11-20 12:00:03 KST ·", "2026-11-20 12:00:06 KST ·",
    ]  # fmt: skip
    assert later.segments()[0].sidecar.dates[0].by.startswith("recorded in front-000001-0000")
    later.crash()


def test_a_card_that_does_not_take_it_is_tried_again(machine: Machine, expected_alarms: list[str]) -> None:
    expected_alarms += ["what is known of the time cannot be kept: No space left", "a recording cannot be dated now"]
    program = recorded(machine, 4)
    program.time.hear(machine.phone(), "a phone")
    machine.disk.fail("write", code=errno.ENOSPC, times=10)
    for _ in range(3):
        program.time.step()
    machine.disk.faults.clear()
    program.time.step()
    check_true(program, "phone", 0)
    again = Program(machine)
    again.keep_house()
    assert len(again.time.mine) == 1
    again.crash()


def test_another_card_is_told_too_but_not_the_place_where_none_is(machine: Machine, tmp_path: Path) -> None:
    program = recorded(machine, 4)
    program.time.hear(machine.phone(), "a phone")
    program.time.step()
    (machine.data / NAME).rename(tmp_path / "in the drawer")
    (machine.data / "recordings").rename(tmp_path / "in the drawer too")
    program.time.step()
    assert not (machine.data / NAME).exists()
    (machine.data / "recordings").mkdir()
    program.time.step()
    assert (machine.data / NAME).exists()


class Nameless(Machine):
    """A kernel without a boot id."""

    @property
    def machine_boot(self) -> str:
        return ""


def test_machines_without_a_boot_id_are_not_mixed_up(tmp_path: Path) -> None:
    """Nothing tells one start from another: what is heard counts while the program runs."""
    machine = Nameless(tmp_path)
    program = recorded(machine, 4)
    program.time.hear(machine.phone(), "a phone")
    program.time.step()
    assert program.time.anchor().source == "phone" and not (machine.data / NAME).exists()
    assert not any(segment.sidecar.dates for segment in program.segments())


def test_many_dates_are_not_more_truth(machine: Machine, expected_alarms: list[str]) -> None:
    expected_alarms.append("Time in doubt")
    program = recorded(machine, 4)
    for days in range(30):
        program.time.hear(machine.phone(days * DAY), "a phone")
    program.time.step()
    assert {len(segment.sidecar.dates) for segment in program.segments()} == {16}
    machine.connect()
    program.time.step()
    check_true(program, "ntp", 0)
    assert replace(program.segments()[0].sidecar.dates[0], by="") == replace(
        program.segments()[1].sidecar.dates[0], by=""
    )
