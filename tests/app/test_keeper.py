"""The janitor: begins after the first fragments, does its jobs in order, and one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.app.keeper import SETTLE_S, Keeper
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.library_cache import FILE
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock
from tests.app.test_app import Box
from tests.fakes import HandClock
from tests.storage.fakes import FaultDisk
from tests.storage.test_healing import torn

Until = Callable[[Callable[[], object]], None]


class Bench:
    """A Keeper without its thread, and what its jobs did."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.keeper = Keeper(lambda: True, self.clock)
        self.did: list[str] = []
        self.failing: dict[str, Exception] = {}

    def job(self, name: str) -> Callable[[], None]:
        def do() -> None:
            self.did.append(name)
            if name in self.failing:
                raise self.failing[name]

        return do

    def step(self) -> list[str]:
        """What was done in one step."""
        self.did.clear()
        self.keeper.step()
        return list(self.did)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_first_things_first_and_once_the_others_in_their_rhythm(bench: Bench) -> None:
    bench.keeper.every(10, bench.job("dates"))
    bench.keeper.first("healing", bench.job("heal"))
    bench.keeper.first("reading", bench.job("read"))
    bench.keeper.every(1, bench.job("space"))
    assert bench.step() == ["heal", "read", "dates", "space"]
    assert bench.step() == []
    bench.clock.advance(1)
    assert bench.step() == ["space"]
    bench.clock.advance(9)
    assert bench.step() == ["dates", "space"]


def test_it_says_when_the_next_one_is_due(bench: Bench) -> None:
    assert bench.keeper.step() is None
    bench.keeper.every(10, bench.job("dates"))
    assert bench.keeper.step() == pytest.approx(10)
    bench.clock.advance(4)
    assert bench.keeper.step() == pytest.approx(6)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_rhythm_must_be_one(bench: Bench, seconds: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        bench.keeper.every(seconds, bench.job("x"))


def test_one_that_fails_is_told_and_stops_no_other(bench: Bench, expected_alarms: list[str]) -> None:
    expected_alarms += ["dates: ZeroDivisionError: no luck", "healing: Card error"]
    bench.failing = {"dates": ZeroDivisionError("no luck"), "heal": StorageError("Card error")}
    bench.keeper.first("healing", bench.job("heal"))
    bench.keeper.every(1, bench.job("dates"), "dates")
    bench.keeper.every(1, bench.job("space"), "space")
    assert bench.step() == ["heal", "dates", "space"]
    assert bench.keeper.troubles == (
        "healing: Card error",
        "dates: ZeroDivisionError: no luck (test_keeper.py:38)",
    )
    bench.clock.advance(1)
    assert bench.step() == ["dates", "space"], "told once, tried again"
    bench.failing.clear()
    bench.clock.advance(9)
    assert bench.step() == ["heal", "dates", "space"]
    assert bench.keeper.troubles == ()
    bench.clock.advance(600)
    assert "heal" not in bench.step()


def test_what_fails_at_first_is_tried_ever_more_seldom(bench: Bench, expected_alarms: list[str]) -> None:
    expected_alarms.append("healing: Card error")
    bench.failing["heal"] = StorageError("Card error")
    bench.keeper.first("healing", bench.job("heal"))
    waits = [bench.keeper.step() for _ in range(9) if bench.clock.advance(600) is None]
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_it_can_be_woken(bench: Bench) -> None:
    bench.keeper.every(3600, bench.job("marks"))
    bench.step()
    assert bench.step() == []
    bench.keeper.wake()
    assert bench.step() == ["marks"]
    assert bench.step() == []


def test_woken_while_it_works_it_works_once_more(bench: Bench) -> None:
    did: list[int] = []

    def job() -> None:
        did.append(1)
        if len(did) == 1:
            bench.keeper.wake()

    bench.keeper.every(3600, job)
    for _ in range(4):
        bench.keeper.step()
    assert len(did) == 2


@pytest.fixture
def thread() -> Iterator[tuple[Keeper, threading.Event, HandClock]]:
    settled, clock = threading.Event(), HandClock()
    keeper = Keeper(settled.is_set, clock)
    keeper.start()
    yield keeper, settled, clock
    keeper.ask_to_stop()
    assert keeper.join(5)


def test_it_waits_for_the_first_fragments(thread: tuple[Keeper, threading.Event, HandClock], until: Until) -> None:
    keeper, settled, _ = thread
    done = threading.Event()
    keeper.first("healing", done.set)
    assert not done.wait(0.3)
    settled.set()
    until(done.is_set)


def test_a_camera_that_hangs_does_not_hold_it_up_for_ever(
    thread: tuple[Keeper, threading.Event, HandClock], until: Until
) -> None:
    keeper, _, clock = thread
    done = threading.Event()
    keeper.first("healing", done.set)
    clock.advance(SETTLE_S + 1)
    until(done.is_set)


def test_what_is_given_later_is_done_too(thread: tuple[Keeper, threading.Event, HandClock], until: Until) -> None:
    keeper, settled, _ = thread
    settled.set()
    until(keeper.settled.is_set)
    done, again = threading.Event(), threading.Event()
    keeper.every(1, done.set)
    until(done.is_set)
    keeper.first("reading", again.set)
    until(again.is_set)


def test_it_ends_between_two_jobs(bench: Bench) -> None:
    bench.keeper.first("one", bench.keeper.ask_to_stop)
    bench.keeper.first("two", bench.job("two"))
    assert bench.step() == []
    assert bench.keeper.stopping


def test_rests_are_taken_after_work_and_end_with_it(bench: Bench) -> None:
    bench.keeper.rest()
    worked = bench.keeper._worked_ns
    bench.keeper.rest()
    assert bench.keeper._worked_ns == worked, "no rest without work"
    bench.clock.advance(0.006)
    bench.keeper.rest()
    assert bench.keeper._worked_ns == bench.clock.boot_ns()


# ---- in the App


def test_the_last_start_is_healed_while_this_one_records(tmp_path: Path, until: Until) -> None:
    part = torn(tmp_path / "data")
    box = Box(tmp_path / "data", until)
    with box.app:
        until(box.sources["front"].running.is_set)
        assert part.exists() and not box.app.keeper.settled.is_set(), "nothing of this start is on the disk yet"
        box.run(3)
        box.durable(3)
        until(box.app.library.loaded.is_set)
        found = box.app.library.segments(open_too=False)
        assert [(s.name.stem, s.end_reason, s.locked) for s in found] == [("front-000001-00001", "power-loss", True)]
        assert [one.seconds for one in box.app.archive.healed] == [pytest.approx(1.3, abs=0.1)]
        box.run(20)
    assert [s.name.boot for s in box.app.library.segments()] == [1, 2]
    assert box.app.library is box.app.libraries["recordings"]
    assert check_paths([tmp_path]).ok


def test_what_the_writers_finish_is_in_the_library(tmp_path: Path, until: Until) -> None:
    box = Box(tmp_path / "data", until, "front", "rear")
    with box.app:
        box.run(10)
        box.durable(10, "front")
    assert box.app.stopped_well
    assert {s.name.camera for s in box.app.library.segments()} == {"front", "rear"}
    assert not (tmp_path / "data" / "recordings" / FILE).exists(), "two segments are soon read again"


def test_healing_that_cannot_is_told_and_recording_goes_on(
    tmp_path: Path, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms.append("healing of recordings: Not everything could be healed: Card error")
    torn(tmp_path / "data")
    box = Box(tmp_path / "data", until)
    disk = FaultDisk()
    disk.refuse = lambda op, path: op == "update"
    box.app = type(box.app)(box.app.config, box.clock, disk, sources={"front": lambda: box.sources["front"]})
    with box.app:
        box.run(3)
        box.durable(3)
        until(lambda: box.app.keeper.troubles)
        box.run(20)
        box.durable(23)
        until(box.app.library.loaded.is_set)
        found = box.app.library.get(SegmentName("front", 1, 1))
        assert found and found.state == "open", "what cannot be healed is listed as it is"
        box.app.library.lock(found.name, Lock("m2", "manual", "web"))


def test_a_load_under_way_ends_in_time(tmp_path: Path, until: Until) -> None:
    torn(tmp_path / "data")
    box = Box(tmp_path / "data", until)
    began = threading.Event()

    def long() -> None:
        began.set()
        while not box.app.keeper.stopping:
            box.app.keeper.rest()
            box.clock.advance(0.01)

    box.app.keeper.first("a long look", long)
    with box.app:
        box.run(3)
        box.durable(3)
        until(began.is_set)
    assert box.app.stopped_well
