"""The thread that watches the ignition, with a line and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blackbox_qt.power.ignition import Ignition
from blackbox_qt.power.lines import LineError, Wish
from blackbox_qt.power.panel import Panel
from tests.fakes import HandClock
from tests.power.conftest import HandLine

Until = Callable[..., None]
WISH = Wish("GPIO17")


def panel(line: HandLine, asked: list[str], off_s: float = 5) -> tuple[Panel, HandClock]:
    clock = HandClock()
    return Panel(WISH, Ignition(off_s, 600), asked.append, clock, line.make), clock


def test_an_ignition_that_goes_off_is_told_once_and_its_return_is_seen(line: HandLine, until: Until) -> None:
    line.on = True
    asked: list[str] = []
    watching, clock = panel(line, asked)
    with watching:
        until(lambda: watching.ignition.on)
        line.set(False)
        until(lambda: not watching.ignition.on)
        assert not asked
        clock.advance(5)
        line.set(False)  # wakes it; the clock by hand does not
        until(lambda: asked == ["the ignition has been off for 5 s"])
        clock.advance(60)
        line.set(True)
        until(lambda: watching.ignition.on)
        line.set(False)
        until(lambda: not watching.ignition.on)
    assert len(asked) == 1 and line.closed


def test_a_break_that_is_over_before_it_is_seen_still_counts(line: HandLine, until: Until) -> None:
    line.on = True
    asked: list[str] = []
    watching, clock = panel(line, asked)
    with watching:
        until(lambda: watching.ignition.on)
        line.set(False)
        until(lambda: not watching.ignition.on)
        clock.advance(4)
        line.set(True, False)
        until(lambda: watching.ignition.left_s(clock.boot_ns()) == 5)
    assert not asked


def test_its_time_is_kept_by_the_thread_itself(line: HandLine, until: Until) -> None:
    """With the machine's own clock, and no event after the ignition went off."""
    from blackbox_qt.core.clock import SystemClock

    line.on = True
    asked: list[str] = []
    with Panel(WISH, Ignition(0.05, 600), asked.append, SystemClock(), line.make) as watching:
        until(lambda: watching.ignition.on)
        line.set(False)
        until(lambda: asked)


def test_a_line_that_is_not_there_is_one_sentence_and_tried_again(
    line: HandLine, until: Until, expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_alarms.append("the ignition is not watched, so the box will not switch off with it: GPIO99: no GPIO line")
    tries: list[Wish] = []

    def late(wish: Wish) -> HandLine:
        tries.append(wish)
        if len(tries) < 4:
            raise LineError("GPIO99: no GPIO line is called so")
        return line

    line.on = True
    with Panel(WISH, Ignition(5, 600), lambda _: None, HandClock(), late, again_s=0.001) as watching:
        until(lambda: watching.ignition.on)
    assert [r.levelname for r in caplog.records].count("ERROR") == 1


def test_a_line_that_never_comes_does_not_hold_up_the_end(expected_alarms: list[str]) -> None:
    expected_alarms.append("the ignition is not watched")

    def none(_: Wish) -> HandLine:
        raise LineError("GPIO99: no GPIO line is called so")

    with Panel(WISH, Ignition(5, 600), lambda _: None, HandClock(), none, again_s=3600):
        pass


def test_a_line_that_fails_later_is_said_too(
    line: HandLine, until: Until, expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_alarms.append("the ignition is not watched")
    asked: list[str] = []
    watching, _ = panel(line, asked)
    with watching:
        line.fail("GPIO17: the GPIO line cannot be used (No such device)")
        until(lambda: line.closed)
    assert not asked
