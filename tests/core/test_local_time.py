"""Moments in words: where the reader is, and what the time is worth."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from blackbox_qt.config import ConfigError, load
from blackbox_qt.core.clock import NS
from blackbox_qt.core.local_time import is_zone, local_words, uncertainty_words

MOMENT = 1_795_151_251 * NS + 987_654_321  # 2026-11-20 05:07:31 UTC


@pytest.fixture
def zone_put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_told_in_its_zone_and_with_its_worth() -> None:
    assert local_words(MOMENT, "Asia/Seoul") == "2026-11-20 14:07:31 KST"
    assert local_words(MOMENT, "Asia/Seoul", "phone", NS) == "2026-11-20 14:07:31 KST · phone ±1 s"
    assert local_words(MOMENT, "Europe/Berlin", "ntp", 12_300_000) == "2026-11-20 06:07:31 CET · NTP ±13 ms"
    assert local_words(MOMENT, "UTC", "manual") == "2026-11-20 05:07:31 UTC · manual"


def test_the_system_zone_is_the_one_of_now(zone_put_back: pytest.MonkeyPatch) -> None:
    zone_put_back.setenv("TZ", "Asia/Seoul")
    assert local_words(MOMENT) == "2026-11-20 14:07:31 KST"
    zone_put_back.setenv("TZ", "America/New_York")
    assert local_words(MOMENT) == "2026-11-20 00:07:31 EST"


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    """The clock goes back at 2026-10-25 01:00 UTC."""
    last = 1_792_890_000 * NS
    assert local_words(last - NS, "Europe/Berlin") == "2026-10-25 02:59:59 CEST"
    assert local_words(last, "Europe/Berlin") == "2026-10-25 02:00:00 CET"


@pytest.mark.parametrize("utc", [None, -1, 1 << 80])
def test_no_time_is_unknown(utc: int | None) -> None:
    assert local_words(utc, "Asia/Seoul", "ntp", 1) == "time unknown"
    assert local_words(MOMENT, "Asia/Seoul", "unsynced") == "time unknown"


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (0, "±1 ms"), (1, "±1 ms"), (99 * NS // 1000, "±99 ms"), (NS // 10, "±1 s"),
        (NS, "±1 s"), (NS + 1, "±2 s"), (119 * NS, "±119 s"),
        (120 * NS, "±2 min"), (3600 * NS, "±60 min"), (86400 * NS, "±24 h"),
    ],
)  # fmt: skip
def test_uncertainty_is_never_told_better_than_it_is(ns: int, words: str) -> None:
    assert uncertainty_words(ns) == words


def test_zones_are_known_or_refused_in_words() -> None:
    assert is_zone("Asia/Seoul") and not is_zone("Seoul") and not is_zone("../etc/passwd") and not is_zone("Asia")
    assert load(None, ["time.zone=Asia/Seoul"]).time.zone == "Asia/Seoul"
    with pytest.raises(ConfigError, match=r'time\.zone = "Seoul" is not allowed; allowed: the name of a time zone'):
        load(None, ["time.zone=Seoul"])
