"""The janitor in the whole recorder, and what a person asks to be erased while it records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackbox_qt.app import App
from blackbox_qt.config import load
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.erasing import EraseError, Wish
from tests.app.test_app import STEP_S, Until
from tests.fakes import HandClock, HandSource
from tests.storage.cards_full import SmallCard

NOT_RESERVED = ["retention.reserve_min=1", "record.bitrate_kbit=200"]


class Car:
    """An App with one hand-driven camera on a card of so many bytes."""

    def __init__(self, data: Path, until: Until, total: int, *settings: str) -> None:
        self.clock, self.until, self.data = HandClock(), until, data
        self.source = HandSource("front", clock=self.clock)
        self.disk = SmallCard(total)
        fixed = [f"storage.data={data}", f"storage.state={data}-state", "storage.segment_s=2", "storage.memory_s=60"]
        config = load(None, [*fixed, *settings], sources=[("front", "hand")])
        self.app = App(config, self.clock, self.disk, {"front": lambda: self.source})

    def drive(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.clock.advance(STEP_S)
            self.until(self.source.running.is_set)
            assert self.source.tick()
            self.until(lambda: not self.app.cameras["front"].hub.holders().get("encoder"))
        self.clock.advance(0.3)  # what waits is a fragment now
        self.until(lambda: not self.app.cameras["front"].status().recording.queue_frames or self.disk.free < 20_000)

    def known(self) -> None:
        """Everything was looked through."""
        self.drive(0.5)
        self.until(lambda: all(library.loaded.is_set() for library in self.app.libraries.values()))

    def names(self) -> list[str]:
        return [one.name.stem for one in self.app.library.segments()]


@pytest.fixture
def car(tmp_path: Path, until: Until) -> Iterator[Car]:
    car = Car(tmp_path / "data", until, 10**11)
    with car.app:
        car.known()
        yield car


def erased(car: Car, wish: Wish) -> str:
    """Ask, and go on recording until it is done."""
    asked = car.app.retaining.erase(wish)
    for _ in range(100):
        if asked.done.done():
            break
        car.drive(0.2)
        car.app.keeper.wake()
    return asked.done.result(5)


def test_erasing_everything_cuts_what_is_being_recorded(car: Car, expected_alarms: list[str]) -> None:
    expected_alarms.append("segments (everything, by page)")
    car.drive(4.5)
    begun = car.app.cameras["front"].status().recording.segment
    assert erased(car, Wish(None, "page")).startswith("Erased: ")
    car.drive(1)
    now = car.app.cameras["front"].status().recording.segment
    assert now > begun and not list(car.data.rglob(f"{begun}*"))
    assert car.app.cameras["front"].status().lost == dict.fromkeys(car.app.cameras["front"].status().lost, 0)
    assert not car.app.status().retention.erasing


def test_the_trip_under_way_can_be_forgotten(car: Car, expected_alarms: list[str]) -> None:
    expected_alarms.append("(trip 1, by page)")
    car.drive(4.5)
    with pytest.raises(EraseError, match="There is no trip 2"):
        car.app.retaining.erase(Wish(2, "page"))
    before = car.names()
    erased(car, Wish(1, "page"))
    assert before and not set(before) & set(car.names())


def test_what_is_marked_stays_unless_that_is_confirmed(car: Car, expected_alarms: list[str]) -> None:
    expected_alarms.append("also what is marked, by page)")
    car.drive(2.5)
    car.app.marking.ask("a test").answer(5)
    with pytest.raises(EraseError, match="Some of what there is is kept by marks"):
        car.app.retaining.erase(Wish(None, "page"))
    erased(car, Wish(None, "page", marked_too=True))
    assert car.app.marking.store.marks == {}


def test_a_full_card_is_freed_at_once_and_recording_goes_on(
    tmp_path: Path, until: Until, possible_alarms: list[str]
) -> None:
    possible_alarms += ["Disk full", "the journal of deletions finds no room"]
    car = Car(tmp_path / "data", until, 700_000, *NOT_RESERVED)
    with car.app:
        car.known()
        while car.app.status().retention.deleted < 6:
            car.drive(1)
            car.until(lambda: car.disk.free > 20_000)  # woken by the Writer or by its own time
        assert car.app.status().retention.kept_h["front"] > 0
        assert not car.app.status().cameras[0].lost["disk"]
    result = check_paths([car.data / "recordings"])
    assert not any(report.damage for report in result.segments)
