"""MARK in the whole recorder: two cameras on hand-driven sources, real files, the end and the next start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.app import App, mark_words
from blackbox_qt.config import load
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from tests.app.test_app import Box
from tests.storage.fakes import FaultDisk

Until = Callable[[Callable[[], object]], None]


class MarkBox(Box):
    """Segments of two seconds; 5 s before to 10 s after a press."""

    def __init__(self, data: Path, until: Until, *names: str, disk: Disk | None = None, at: float = 100.0) -> None:
        super().__init__(data, until, *names)
        settings = [f"storage.data={data}", f"storage.state={data / 'state'}", "storage.segment_s=2",
                    "marks.before_s=5", "marks.after_s=10"]  # fmt: skip
        config = load(None, settings, sources=[(name, "hand") for name in self.sources])
        sources = {name: (lambda s=s: s) for name, s in self.sources.items()}
        self.clock.advance(at - 100.0)
        self.app = App(config, self.clock, disk, sources=sources)

    def locked(self) -> dict[str, set[str]]:
        """Camera-number -> marks, as the files say."""
        library = Library(Disk(), self.data / "recordings", self.clock)
        library.load()
        assert {segment.state for segment in library.segments()} <= {"finished", "open"}
        return {s.name.stem: {lock.mark for lock in s.sidecar.locks} for s in library.segments() if s.locked}

    def seconds(self, count: float) -> None:
        """Record so long, with ten pictures a second."""
        for _ in range(round(count * 10)):
            self.clock.advance(0.1 - 1 / 30)
            self.run(1)


@pytest.fixture
def cars(tmp_path: Path, until: Until) -> Callable[..., MarkBox]:
    def made(**more: object) -> MarkBox:
        return MarkBox(tmp_path / "data", until, "front", "rear", **more)  # type: ignore[arg-type]

    return made


def test_power_off_within_the_window_locks_what_there_is_and_the_next_start_leaves_it_so(
    cars: Callable[..., MarkBox], until: Until
) -> None:
    car = cars()
    with car.app:
        car.seconds(9)
        mark = car.app.mark("window", note="ABC 123")
        assert (mark.state, mark.words) == ("asked", "Saved: 5 s before to 10 s after")
        assert car.status().marks.running == mark.id and car.status().marks.count == 1
        car.seconds(1)
    assert car.app.stopped_well
    kept = car.locked()
    assert {name.partition("-")[0] for name in kept} == {"front", "rear"}
    assert all(marks == {mark.id} for marks in kept.values())
    assert "front-000001-00001" not in kept, "it ended more than 5 s before"
    tomorrow = cars(at=30.0)
    tomorrow.clock.machine_boot = "the-next-morning"
    with tomorrow.app:
        tomorrow.seconds(3)
        until(lambda: next(iter(tomorrow.app.marking.marks()), mark).state == "applied")
    assert tomorrow.locked() == kept


def test_an_event_is_locked_while_it_runs_and_settled_when_all_cameras_are_past_it(
    cars: Callable[..., MarkBox], until: Until
) -> None:
    car = cars()
    with car.app:
        car.seconds(6)
        mark = car.app.mark("page")
        car.seconds(5)
        car.app.keeper.wake()
        until(lambda: len(car.locked()) >= 6)
        assert car.status().marks.running == mark.id
        car.seconds(9)
        car.app.keeper.wake()
        until(lambda: car.app.keeper.wake() or car.app.marking.marks()[0].state == "applied")
        status = car.status().marks
        assert (status.running, status.left_s, status.count) == ("", None, 1)
        last = max(car.locked())
        car.seconds(5)
    assert max(car.locked()) == last, "what came after it is not kept"


def test_a_pause_in_the_window_is_no_reason_to_lose_what_comes_after_it(
    cars: Callable[..., MarkBox], until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms.append("recording was stopped by the user")
    car = cars()
    with car.app:
        car.seconds(4)
        mark = car.app.mark("button")
        car.app.pause(3)
        car.seconds(5)
        car.seconds(2)
    kept = car.locked()
    library = Library(Disk(), car.data / "recordings", car.clock)
    library.load()
    assert set(kept) == {s.name.stem for s in library.segments()}, "also what was recorded after the pause"
    assert all(marks == {mark.id} for marks in kept.values())


def test_a_card_that_stalls_is_said_within_two_seconds_and_nobody_else_waits(
    cars: Callable[..., MarkBox], until: Until
) -> None:
    disk = FaultDisk()
    car = cars(disk=disk)
    with car.app:
        car.seconds(3)
        disk.gate.clear()
        begun = time.monotonic()
        answers = []
        asking = threading.Event()

        def ask() -> None:
            asking.set()
            answers.append(car.app.mark("page"))

        worker = Worker("asks", ask)
        worker.start()
        assert asking.wait(5)
        until(disk.stalled.is_set)
        before = time.monotonic()
        waiting = car.app.marking.ask("window")
        assert time.monotonic() - before < 0.1, "to ask never waits"
        assert worker.join(5) and time.monotonic() - begun < 3
        assert (answers[0].state, answers[0].words) == ("waiting", mark_words.WAITING)
        disk.gate.set()
        assert waiting.answer(5).id == answers[0].id
    assert all(marks == {answers[0].id} for marks in car.locked().values()) and len(car.locked()) == 4


def test_a_mark_that_is_asked_for_at_the_very_end_is_saved(cars: Callable[..., MarkBox]) -> None:
    car = cars()
    with car.app:
        car.seconds(3)
        asked = car.app.marking.ask("button")
    assert asked.answer(0).state == "asked"
    assert {m for marks in car.locked().values() for m in marks} == {asked.mark.id}


def test_an_answer_is_quick(cars: Callable[..., MarkBox]) -> None:
    car = cars()
    with car.app:
        car.seconds(3)
        begun = time.monotonic()
        assert car.app.mark("window").state == "asked"
        assert time.monotonic() - begun < 0.5


def test_an_undo_in_the_whole_recorder(cars: Callable[..., MarkBox], until: Until) -> None:
    car = cars()
    with car.app:
        car.seconds(5)
        mark = car.app.mark("window")
        car.seconds(3)
        until(lambda: car.app.keeper.wake() or car.locked())
        car.app.marking.undo(mark.id).answer()
        until(lambda: car.app.keeper.wake() or not car.locked())
    assert car.locked() == {}


def test_a_mark_for_which_there_is_no_room_is_refused_and_recording_goes_on(
    cars: Callable[..., MarkBox], until: Until
) -> None:
    class SmallDisk(Disk):
        def space(self, path: Path) -> tuple[int, int]:
            return 60_000_000, 80_000_000

    car = cars(disk=SmallDisk())
    with car.app:
        car.seconds(5)
        until(lambda: car.app.keeper.wake() or car.app.retaining.janitor.status.kept_s)
        mark = car.app.mark("window")
        assert mark.state == "refused" and mark.words.startswith("Not kept: ")
        assert car.status().marks.count == 0
        car.seconds(3)
        assert car.camera().recording.state == "recording"
    assert car.locked() == {}
