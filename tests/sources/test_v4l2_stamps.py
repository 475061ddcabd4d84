from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.core.clock import NS
from blackbox_qt.sources.v4l2_stamps import Stamps
from tests.fakes import HandClock
from tests.sources.fake_v4l2 import FakeKernel


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def kernel(tmp_path: Path, clock: HandClock) -> FakeKernel:
    return FakeKernel(tmp_path, clock)


def test_the_drivers_time_is_told_on_the_boot_clock(clock: HandClock, kernel: FakeKernel) -> None:
    stamps = Stamps(clock, kernel)
    taken = clock.boot_ns()
    stamp = kernel.monotonic_ns()
    clock.advance(0.02)  # until it arrives
    assert stamps.boot_ns(stamp) == taken
    assert stamps.replaced == 0


def test_no_stamp_means_arrival(clock: HandClock, kernel: FakeKernel) -> None:
    assert Stamps(clock, kernel).boot_ns(None) == clock.boot_ns()


def test_sleeping_parts_the_clocks(clock: HandClock, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = Stamps(clock, kernel)
    stamps.boot_ns(kernel.monotonic_ns())
    awake = kernel.monotonic_ns()
    clock.advance(3600)  # the machine slept: only the boot clock went on
    monkeypatch.setattr(kernel, "monotonic_ns", lambda: awake + NS // 30)
    assert stamps.boot_ns(awake + NS // 30) == clock.boot_ns()


def test_reading_two_clocks_is_not_exact_and_must_not_shake_the_times(
    clock: HandClock, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps, first = Stamps(clock, kernel), kernel.monotonic_ns()
    before = stamps.boot_ns(first)
    clock.advance(1 / 30)
    monkeypatch.setattr(kernel, "monotonic_ns", lambda: first + NS // 30 - 3_000_000)  # held up between the two
    assert stamps.boot_ns(first + NS // 30) == before + NS // 30


@pytest.mark.parametrize("wrong_s", [1.0, -11.0])
def test_a_stamp_that_cannot_be_becomes_the_arrival(clock: HandClock, kernel: FakeKernel, wrong_s: float) -> None:
    stamps = Stamps(clock, kernel)
    assert stamps.boot_ns(kernel.monotonic_ns() + int(wrong_s * NS)) == clock.boot_ns()
    assert stamps.replaced == 1


def test_times_grow_whatever_the_driver_says(clock: HandClock, kernel: FakeKernel) -> None:
    stamps = Stamps(clock, kernel)
    stamp = kernel.monotonic_ns()
    times = []
    for back in (0, 0, 5_000_000, 1):
        times.append(stamps.boot_ns(stamp - back))
        clock.advance(0.001)
    assert times == sorted(set(times))
    assert stamps.replaced == 3
