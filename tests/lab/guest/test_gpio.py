"""The ignition through the real libgpiod and kernel: the guest has a PL061, whose line 5 is low and nobody's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from blackbox_qt.core.clock import SystemClock
from blackbox_qt.power.ignition import Ignition
from blackbox_qt.power.lines import LineError, Wish, open_line
from blackbox_qt.power.panel import Panel

Until = Callable[..., None]
LOW, INVERTED = Wish("gpiochip0:5"), Wish("gpiochip0:5", active_low=True)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """The line is given back after each test: the next one can have it."""
    yield
    open_line(LOW).close()


def test_its_level_is_read_as_it_is_wired() -> None:
    for wish, active in ((LOW, False), (INVERTED, True)):
        line = open_line(wish)
        assert line.active() is active
        line.close()


def test_two_cannot_have_it() -> None:
    line = open_line(LOW)
    with pytest.raises(LineError, match="another program uses this line"):
        open_line(INVERTED)
    line.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [("GPIO99", "no GPIO line is called so"), ("gpiochip0:99", "no GPIO line is called so"),
     ("gpiochip9:1", "there is no /dev/gpiochip9")],
)  # fmt: skip
def test_what_is_not_there_is_a_sentence(name: str, words: str) -> None:
    with pytest.raises(LineError, match=words):
        open_line(Wish(name))


def test_an_ignition_that_is_on_is_watched_and_given_back(until: Until) -> None:
    with Panel(INVERTED, Ignition(0.1, 600), lambda _: pytest.fail("off"), SystemClock()) as panel:
        until(lambda: panel.ignition.on)


def test_a_box_without_ignition_is_told_so_in_time() -> None:
    told = threading.Event()
    with Panel(LOW, Ignition(5, 0.2), lambda _: told.set(), SystemClock()):
        assert told.wait(20)
