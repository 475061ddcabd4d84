from __future__ import annotations

import os
import time

import pytest

from benchmarks.measure import Figure, line, percentile, ratios, slope, table
from benchmarks.procs import cpu_ns


def test_a_figure_is_judged_by_its_median_and_is_never_met_when_its_runs_prove_nothing() -> None:
    assert Figure("a", (1.0, 9.0, 1.1), "x", 1.2).state == "met"
    assert Figure("a", (1.0, 9.0, 1.1), "x", 1.2, worst=True).state == "NOT MET"
    assert Figure("a", (1.0,), "x", 1.2, trouble="frames lost").state == "INVALID"
    assert Figure("a", (), "x", 1.2).state == Figure("a", (), "x").state == "INVALID"
    assert Figure("a", (5.0,), "x").state == "shown"
    assert Figure("a", (), "x").as_dict()["value"] is None


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2, 3], [1, 2]) == (2, 1.5)
    with pytest.raises(ValueError):
        ratios([1], [1, 2])


def test_percentiles_are_samples_that_were_seen() -> None:
    samples = list(range(1, 101))
    assert [percentile(samples, p) for p in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_slope_is_the_steady_growth() -> None:
    assert slope([(x, 3 * x + 1) for x in range(10)]) == pytest.approx(3)
    assert slope([]) == slope([(1, 5)]) == 0


def test_lines_and_table_name_every_figure() -> None:
    figures = [Figure("one", (1.0, 2.0), "ms", 1.0), Figure("two", (), "MB", trouble="no screen")]
    assert line(figures[0]) == "  one: min 1  median 1.5  max 2 ms  target <= 1  [NOT MET]"
    assert "no screen" in line(figures[1])
    assert [row.split()[0] for row in table(figures).splitlines()[2:]] == ["one", "two"]


def test_cpu_time_is_that_of_the_process_itself() -> None:
    before, ours = cpu_ns(os.getpid()), time.process_time_ns()
    until = time.process_time_ns() + 20_000_000
    while time.process_time_ns() < until:
        pass
    assert cpu_ns(os.getpid()) - before == pytest.approx(time.process_time_ns() - ours, rel=0.2)
