from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.core import card
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.layout import FORMATS, Layout
from blackbox_qt.core.meter import NS, Meter
from blackbox_qt.core.pace import Pacer
from blackbox_qt.core.pool import BufferPool
from blackbox_qt.core.warm import read_ahead
from blackbox_qt.core.worker import Worker
from tests.fakes import HandClock


@given(
    st.sampled_from([f for f in FORMATS if not FORMATS[f].compressed]),
    st.integers(2, 200), st.integers(2, 200), st.integers(0, 64),
)  # fmt: skip
def test_planes_lie_behind_each_other_and_never_overlap(fourcc: str, width: int, height: int, pad: int) -> None:
    stride = width * FORMATS[fourcc].planes[0][2] + pad
    layout = Layout.packed(width, height, fourcc, stride=stride)
    end = 0
    for plane in layout.planes:
        assert plane.offset >= end and plane.stride >= plane.width
        end = plane.offset + plane.stride * plane.rows
    assert layout.size <= end


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((64, 48, "ABCD"), "unknown pixel format 'ABCD'"),
        ((1, 48), "too small"),
        ((64, 48, "YU12", 10), "shorter than a row"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(args: tuple[object, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Layout.packed(*args[:3], stride=args[3] if len(args) > 3 else 0)  # type: ignore[arg-type,misc]


def test_the_boot_clock_never_jumps_and_the_anchor_says_what_it_is_worth() -> None:
    clock = SystemClock()
    before = clock.boot_ns()
    anchor = clock.anchor()
    assert before <= anchor.boot_ns <= clock.boot_ns()
    assert abs(anchor.utc_ns - time.time_ns()) < NS
    assert anchor.source in ("ntp", "unsynced") and (anchor.uncertainty_ns is None) == (anchor.source == "unsynced")


def test_meter_counts_rate_holes_and_age() -> None:
    meter = Meter()
    assert meter.age_s(5) is None and meter.fps(5) == 0.0
    for seq in (0, 1, 2, 5, 6):
        meter.tick(seq, seq * NS // 10)
    assert (meter.frames, meter.lost) == (5, 2)
    assert meter.fps(6 * NS // 10) == pytest.approx(4 / 0.6)
    assert meter.age_s(8 * NS // 10) == pytest.approx(0.2)
    assert meter.fps(60 * NS) == 0.0
    meter.restart()
    assert meter.tick(0, NS) == 0 and meter.lost == 2


def test_a_pacer_that_fell_behind_does_not_race() -> None:
    clock, stop = HandClock(), threading.Event()
    pacer = Pacer(clock, stop, slack_s=0.5)
    start = clock.boot_ns()
    assert pacer.wait(0) == start
    clock.advance(0.2)
    assert pacer.wait(NS // 10) == start + NS // 10, "a little late: the frame keeps its own time"
    clock.advance(5)
    assert pacer.wait(NS // 5) == clock.boot_ns(), "far behind: it begins anew from now"
    stop.set()
    assert pacer.wait(NS) is None


def test_a_pool_lends_what_it_has_and_uses_the_warmest_first() -> None:
    pool = BufferPool(2, 4096)
    first, second = pool.take(), pool.take()
    assert first is not None and second is not None and pool.take() is None
    pool.give(first)
    again = pool.take()
    assert again == first and not pool.lending.wait_home(0.01)
    pool.give(first)
    pool.give(second)
    assert pool.lending.wait_home(0.01)


def test_a_worker_reports_its_death_once(expected_alarms: list[str]) -> None:
    expected_alarms.append("lonely stopped: ValueError: no luck")

    def die() -> None:
        raise ValueError("no luck")

    told: list[BaseException] = []
    with_owner = Worker("owned", die, told.append)
    with_owner.start()
    assert with_owner.join(5) and [str(e) for e in told] == ["no luck"] and with_owner.error is told[0]
    lonely = Worker("lonely", die)
    lonely.start()
    assert lonely.join(5)
    never = Worker("never", die)
    assert never.join(0.01)


def test_reading_ahead_reads_the_packages_files() -> None:
    assert read_ahead("simplejpeg") > 100_000
    assert read_ahead("simplejpeg", only=("no such part",)) == 0
    assert read_ahead("no_such_package_anywhere") == 0


def test_a_card_is_dim_and_has_words_on_it() -> None:
    base = np.full((360, 640, 3), 240, np.uint8)
    plain = card.say(base, "PICTURE STOPPED")
    words = card.say(base, "PICTURE STOPPED", "no camera (cable?) " * 8)
    assert plain.shape == base.shape and plain[:20].max() <= 80
    assert plain[180:].max() > 150 or plain[:180].max() > 150
    assert (plain != words).any()
    assert card.say(card.blank(64, 48), "X", os.fsdecode(b"\xff")).shape == (48, 64, 3)
