"""Who said what time it was: what is durable survives, what is torn harms nothing, it does not grow for ever."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.times import MOST_BYTES, TimesFile, Witness

from .fakes import SECOND, FaultDisk, LogDisk

ONE = Witness("boot-a", 5 * SECOND, 1_790_000_000 * SECOND, "phone", SECOND, "10.42.0.7, ☎")
OTHER = Witness("boot-a", 6 * SECOND, 1_790_086_400 * SECOND, "phone", None, "")


def test_what_was_added_is_read_back_in_order(tmp_path: Path) -> None:
    times = TimesFile(Disk(), tmp_path)
    assert times.load() == () and not times.exists
    times.add([ONE])
    times.add([OTHER, replace(ONE, machine_boot="boot-b")])
    assert TimesFile(Disk(), tmp_path).load() == (ONE, OTHER, replace(ONE, machine_boot="boot-b"))


@pytest.mark.parametrize("cut", range(1, 30, 7))
def test_a_torn_line_is_passed_over_and_spoils_no_other(tmp_path: Path, cut: int) -> None:
    times = TimesFile(Disk(), tmp_path)
    times.add([ONE])
    times.add([OTHER])
    times.path.write_bytes(times.path.read_bytes()[:-cut])
    times.add([ONE])
    assert times.load() == (*((ONE, OTHER) if cut == 1 else (ONE,)), ONE)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_changed_bytes_lose_lines_and_invent_none(changes: list[tuple[int, int]]) -> None:
    from blackbox_qt.storage.times import _line, _parsed

    data = bytearray(_line(ONE) + _line(OTHER))
    for at, value in changes:
        data[at % len(data)] = value
    assert set(_parsed(bytes(data))) <= {ONE, OTHER}


def test_after_every_power_cut_all_that_was_durable_is_there(tmp_path: Path) -> None:
    """A line counts once `add` has returned."""
    (tmp_path / "data").mkdir()
    disk = LogDisk(tmp_path / "data")
    times, added = TimesFile(disk, tmp_path / "data"), {}
    for count in range(1, 4):
        times.add([replace(ONE, boot_ns=count)])
        added[len(disk.log)] = count
    for ops in range(len(disk.log) + 1):
        for number, part in enumerate((0, 0.4, 1)):
            target = tmp_path / f"{ops}-{number}"
            disk.crash(ops, target, unsynced=part, names=False)
            found = TimesFile(Disk(), target).load()
            durable = max((count for at, count in added.items() if at <= ops), default=0)
            assert [one.boot_ns for one in found][:durable] == list(range(1, durable + 1))
            assert set(found) <= {replace(ONE, boot_ns=count) for count in range(1, 4)}


def test_it_is_bounded_and_the_newest_start_is_kept_whole(tmp_path: Path) -> None:
    times = TimesFile(Disk(), tmp_path)
    for boot in range(60):
        times.add([replace(ONE, machine_boot=f"boot-{boot}", boot_ns=count) for count in range(48)])
        assert times.path.stat().st_size <= MOST_BYTES
    kept = times.load()
    assert sum(one.machine_boot == "boot-59" for one in kept) == 48
    boots = list(dict.fromkeys(one.machine_boot for one in kept))
    assert 5 < len(boots) < 60 and boots == [f"boot-{n}" for n in range(60 - len(boots), 60)]


def test_one_trip_or_all_of_it_can_be_forgotten(tmp_path: Path) -> None:
    times = TimesFile(Disk(), tmp_path)
    times.forget()
    times.add([ONE, replace(ONE, machine_boot="boot-b")])
    times.forget("boot-a")
    assert times.load() == (replace(ONE, machine_boot="boot-b"),)
    assert b"boot-a" not in times.path.read_bytes()
    times.forget()
    assert not times.exists and times.load() == ()


def test_an_error_of_the_disk_is_the_callers(tmp_path: Path) -> None:
    disk = FaultDisk()
    disk.fail("datasync", code=errno.EIO)
    with pytest.raises(OSError):
        TimesFile(disk, tmp_path).add([ONE])
