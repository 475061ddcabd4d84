"""The MARK button, with a line and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.power.lines import LineError, Wish
from blackbox_qt.power.mark_button import MarkButton
from tests.fakes import HandClock
from tests.power.conftest import HandLine

Until = Callable[..., None]
CONFIG = MarksConfig(button="GPIO27")


class Hand:
    """Presses, and waits until that was seen."""

    def __init__(self, line: HandLine, until: Until) -> None:
        self.line, self.until = line, until
        self.clock = HandClock()
        self.marks: list[bool] = []  # whole trip?
        self.button = MarkButton(CONFIG, self.marks.append, self.clock, line.make)

    def move(self, *levels: bool, marks: int) -> None:
        self.line.set(*levels)
        self.until(lambda: not self.line._waiting and len(self.marks) == marks)


@pytest.fixture
def hand(line: HandLine, until: Until) -> Hand:
    return Hand(line, until)


def test_a_press_marks_at_once_and_letting_go_does_nothing(hand: Hand) -> None:
    with hand.button:
        hand.move(True, marks=1)
        hand.clock.advance(1.9)
        hand.move(False, marks=1)
        hand.clock.advance(60)
        hand.move(True, False, marks=2)
    assert hand.marks == [False, False] and hand.line.closed


def test_the_wire_is_as_the_settings_say(hand: Hand) -> None:
    with hand.button:
        hand.move(True, marks=1)
    assert hand.line.wish == Wish("GPIO27", active_low=True, bias="pull-up")


def test_held_it_keeps_the_whole_trip_once(hand: Hand) -> None:
    with hand.button:
        hand.move(True, marks=1)
        hand.clock.advance(2)
        hand.line.set(True)  # wakes it; the clock by hand does not
        hand.until(lambda: hand.marks == [False, True])
        hand.clock.advance(60)
        hand.move(False, marks=2)
        hand.move(True, marks=3)
    assert hand.marks == [False, True, False]


def test_a_hold_whose_end_is_seen_late_still_counts(hand: Hand) -> None:
    with hand.button:
        hand.move(True, marks=1)
        hand.clock.advance(2.5)
        hand.move(False, marks=2)
    assert hand.marks == [False, True]


def test_its_time_is_kept_by_the_thread_itself(line: HandLine, until: Until) -> None:
    marks: list[bool] = []
    config = MarksConfig(button="GPIO27", hold_s=0.5)
    with MarkButton(config, marks.append, SystemClock(), line.make):
        line.set(True)
        until(lambda: marks == [False, True])


def test_one_that_is_stuck_counts_when_it_has_been_let_go(
    hand: Hand, expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_alarms.append("pressed already: it counts once let go")
    hand.line.on = True
    with hand.button:
        hand.until(lambda: caplog.records)
        hand.clock.advance(60)
        hand.move(False, marks=0)
        hand.move(True, marks=1)
    assert hand.marks == [False]


def test_a_mark_that_fails_does_not_end_the_watch(line: HandLine, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms.append("the MARK button did not mark: RuntimeError: out of luck")
    marks: list[bool] = []

    def mark(whole_trip: bool) -> None:
        marks.append(whole_trip)
        if len(marks) == 1:
            raise RuntimeError("out of luck")

    with MarkButton(CONFIG, mark, HandClock(), line.make):
        line.set(True, False)
        until(lambda: len(marks) == 1)
        line.set(True, False)
        until(lambda: len(marks) == 2)


def test_a_line_that_comes_late_is_one_sentence_and_tried_again(
    line: HandLine, until: Until, expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_alarms.append("the MARK button is not watched: GPIO99: no GPIO line is called so")
    tries: list[Wish] = []

    def late(wish: Wish) -> HandLine:
        tries.append(wish)
        if len(tries) < 4:
            raise LineError("GPIO99: no GPIO line is called so")
        return line

    marks: list[bool] = []
    with MarkButton(CONFIG, marks.append, HandClock(), late, again_s=0.001):
        until(lambda: len(tries) == 4)
        line.set(True, False)
        until(lambda: marks == [False])
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_a_line_that_never_comes_does_not_hold_up_the_end(expected_alarms: list[str]) -> None:
    expected_alarms.append("the MARK button is not watched")

    def none(_: Wish) -> HandLine:
        raise LineError("GPIO99: no GPIO line is called so")

    with MarkButton(CONFIG, lambda _: None, HandClock(), none, again_s=3600):
        pass


def test_a_line_that_fails_later_is_said_too(hand: Hand, expected_alarms: list[str]) -> None:
    expected_alarms.append("the MARK button is not watched: GPIO27: the GPIO line cannot be used")
    with hand.button:
        hand.move(True, marks=1)
        hand.line.fail("GPIO27: the GPIO line cannot be used (No such device)")
        hand.until(lambda: hand.line.closed)
