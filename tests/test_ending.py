"""Signals and the deadline, in this very process."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

import pytest

from blackbox_qt.commands import Exit, run
from blackbox_qt.commands.run import Ending

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process would have ended with at once."""
    codes: list[int] = []
    monkeypatch.setattr(run.os, "_exit", codes.append)
    return codes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_politely_and_wakes_an_event_loop(number: int, until: Until, exits: list[int]) -> None:
    with Ending(None) as ending:
        assert not ending.drained()
        os.kill(os.getpid(), number)
        assert ending.wait() == Exit.OK
        assert ending.requested and ending.drained()
    assert not exits


def test_a_loop_that_looks_at_the_descriptor_is_woken(until: Until, exits: list[int]) -> None:
    with Ending(None) as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([ending], [], [], 5)[0]
        assert ending.drained()


def test_two_signals_end_at_once(until: Until, exits: list[int]) -> None:
    with Ending(None):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: exits)
    assert set(exits) == {Exit.INTERRUPTED}


def test_one_signal_during_an_end_under_way_is_still_the_first(until: Until, exits: list[int]) -> None:
    with Ending(0.01) as ending:
        until(lambda: ending.requested)
        ending.stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending.wait() == Exit.OK
    assert not exits


def test_the_deadline_runs_from_the_request_on(
    until: Until, exits: list[int], expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms.append("these threads are stuck")
    monkeypatch.setattr(run, "STOP_LIMIT_S", 0.05)
    with Ending(None):
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: exits)
    assert set(exits) == {Exit.STUCK}
