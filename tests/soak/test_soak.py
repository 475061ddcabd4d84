"""The soak's judgement: what grows, hangs on or goes missing is seen; and a short soak of the real box."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from .figures import Sample, slope, verdict

ROOT = Path(__file__).parents[2]
HOURS = "1.5" if os.environ.get("BLACKBOX_PROVE") else "0.15"
QUIET = Sample(0.0, 100.0, 20.0, 300_000, 12, ("main",), 1000, 990, Counter(camera=10), 0, 5, 100.0)


def day(**growth: float) -> list[Sample]:
    """A sample every quarter of an hour, with a little scatter; `growth` in an hour."""
    samples = []
    for i in range(96):
        hours, scatter = i / 4, (i * 7 % 5 - 2) * 0.2
        grown = {what: getattr(QUIET, what) + hours * rate for what, rate in growth.items()}
        samples.append(replace(replace(QUIET, hours=hours, memory_mb=100 + scatter), **grown))
    return samples


def test_a_quiet_day_is_well() -> None:
    assert verdict(day()) == []
    assert abs(slope(day(), "memory_mb").rise) < 0.1


@pytest.mark.parametrize(
    ("growth", "words"),
    [
        ({"heap_mb": 0.2}, "the heap in use grows by 0.200 ± 0.000 MB"),
        ({"blocks": 1000.0}, "Python has 1000 ± 0 blocks"),
        ({"memory_mb": 2.0}, "resident memory grows by 2.000"),
        ({"descriptors": 0.1}, "descriptors more"),
    ],
)
def test_what_grows_is_seen(growth: dict[str, float], words: str) -> None:
    assert any(words in bad for bad in verdict(day(**growth))), verdict(day(**growth))


def test_what_grew_while_it_warmed_up_is_none() -> None:
    samples = day()
    samples[:10] = [replace(sample, heap_mb=5.0) for sample in samples[:10]]
    assert verdict(samples) == []


def test_a_frame_without_a_cause_and_another_thread_are_seen() -> None:
    samples = day()
    samples[40] = replace(samples[40], recorded=989)
    samples[-1] = replace(samples[-1], threads=("leaked", "main"))
    bad = verdict(samples)
    assert "1 frames are missing without a cause" in bad and any("leaked" in words for words in bad)


def test_too_short_a_soak_proves_nothing() -> None:
    assert verdict(day()[:2]) == ["too few samples: a longer soak is needed"]


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_some_time_of_the_real_box() -> None:
    """Faults and all: every frame has its place. Whether memory grows only a day can tell."""
    command = [sys.executable, "-m", "tests.soak", "--hours", HOURS, "--cameras", "1", "--fps", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert "check: " in done.stdout and "ok True" in done.stdout, done.stdout + done.stderr
    assert "without a" not in done.stdout and "check finds damage" not in done.stdout, done.stdout
