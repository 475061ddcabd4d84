"""When an ignition is off for good: levels and times by hand."""

from __future__ import annotations

import pytest

from blackbox_qt.core.clock import NS
from blackbox_qt.power.ignition import Ignition


def seen(*levels: tuple[float, bool]) -> Ignition:
    """An ignition that was at these levels from these seconds on; off counts after 5 s, parked after 600."""
    ignition = Ignition(5, 600)
    for second, on in levels:
        ignition.see(on, round(second * NS))
    return ignition


@pytest.mark.parametrize(
    ("levels", "at", "left"),
    [
        ([(0, True)], 3600, None),
        ([(0, True), (10, False)], 10, 5),
        ([(0, True), (10, False)], 14.9, 0.1),
        ([(0, True), (10, False)], 15, 0),
        ([(0, True), (10, False)], 99, 0),
        ([(0, True), (10, False), (14.9, True)], 99, None),  # it came back in time
        ([(0, True), (10, False), (12, True), (12.01, False)], 16, 1.01),  # cranking: the time begins again
        ([(0, True), (10, False), (12, False)], 14, 1),  # nothing new, the time goes on
        ([(0, False)], 60, 540),  # started without ignition: time to mend the settings
        ([(0, False)], 600, 0),
        ([(0, False), (60, True), (70, False)], 72, 3),  # it was on: from now on 5 s count
    ],
)
def test_off_counts_after_its_time_without_a_break(
    levels: list[tuple[float, bool]], at: float, left: float | None
) -> None:
    found = seen(*levels).left_s(round(at * NS))
    assert found == (None if left is None else pytest.approx(left))


def test_the_reason_is_said() -> None:
    assert seen((0, True), (10, False)).words == "the ignition has been off for 5 s"
    assert seen((0, False)).words == "the box started without ignition 10 min ago"
