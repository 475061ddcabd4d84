"""From what the library knows to what the retention reckons with: how old, how fast, kept by whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.storage import holdings
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Sidecar

NOON = 1_790_000_000 * NS
NOW = Anchor(5000 * NS, NOON, "ntp", 1000)


def info(boot: str = "then", source: str = "phone", **more: object) -> SegmentInfo:
    """It ended 1000 s after its machine's start, a day before noon."""
    when = Anchor(1000 * NS, NOON - 86_400 * NS, source, None)
    known = {"bytes": 60_000_000, "machine_boot": boot, "first_t_ns": 940 * NS, "last_t_ns": 1000 * NS, "anchor": when}
    place = {"name": SegmentName("front", 7, 3), "folder": Path("/data/recordings/000007"), "state": "finished"}
    return SegmentInfo(**{**place, **known, **more})  # type: ignore[arg-type]


def test_a_segment_as_it_is_reckoned_with() -> None:
    one = holdings.held("recordings", info(), NOW, "now")
    assert (one.key, one.camera, one.order) == (("recordings", "front-000007-00003"), "front", (7, 940 * NS, 3))
    assert (one.bytes, one.seconds, one.lock, one.closed, one.demo) == (60_000_000, 60, "", True, False)
    assert holdings.held("demo", info(state="open"), NOW, "now").demo
    assert holdings.held("recordings", info(), None, "now").age_s is None


@pytest.mark.parametrize("source", ["gps", "ntp", "phone"])
def test_across_starts_trusted_dates_tell_the_age(source: str) -> None:
    assert holdings.age_s(info(source=source), NOW, "now") == 86_400


@pytest.mark.parametrize("source", ["unsynced", "manual", "rtc"])
def test_no_other_date_does(source: str) -> None:
    assert holdings.age_s(info(source=source), NOW, "now") is None
    assert holdings.age_s(info(), Anchor(NOW.boot_ns, NOW.utc_ns, source, None), "now") is None


def test_in_one_start_of_the_machine_the_boot_clock_tells_whatever_the_wall_clock_says() -> None:
    unsynced = Anchor(NOW.boot_ns, 0, "unsynced", None)
    assert holdings.age_s(info("now", "unsynced"), unsynced, "now") == 4000
    assert holdings.age_s(info("", "unsynced"), unsynced, "") is None, "no boot id on either side is no proof"


def test_a_date_that_is_learnt_later_counts_and_a_file_without_times_has_no_age() -> None:
    later = Sidecar("x", dates=(Dating(NOON - 3600 * NS, 1000 * NS, "ntp", 1000),))
    assert holdings.age_s(info(source="unsynced", sidecar=later), NOW, "now") == 3600
    assert holdings.age_s(info("now", last_t_ns=None), NOW, "now") is None


def test_one_lock_made_by_hand_among_several_counts() -> None:
    by_hand, by_itself = Lock("a", "manual", "window"), Lock("b", "automatic", "bump")
    assert holdings.lock_of(info()) == ""
    assert holdings.lock_of(info(sidecar=Sidecar("x", locks=(by_itself,)))) == "automatic"
    assert holdings.lock_of(info(sidecar=Sidecar("x", locks=(by_itself, by_hand)))) == "manual"


def test_rates_are_measured_on_the_newest_footage_or_expected() -> None:
    old = [info(name=SegmentName("front", 1, n), bytes=10**9) for n in range(1, 50)]
    new = [info(name=SegmentName("front", 2, n)) for n in range(1, 41)]
    segments = holdings.all_held({"recordings": [*old, *new]})
    assert holdings.rates(segments, ["front", "rear"], 5.0) == {"front": 1_000_000, "rear": 5.0}


def test_the_policy_is_the_settings() -> None:
    policy = holdings.policy(RetentionConfig(max_age_h=2, reserve_min=10), 1_000_000)
    assert (policy.low_bytes, policy.high_bytes, policy.max_age_s) == (10**9, 15 * 10**8, 7200)
    assert policy.reserve_bytes == 600 * 10**6
