"""The retention's settings are refused together when they do not fit together, in one sentence."""

from __future__ import annotations

import pytest

from blackbox_qt.config import Config, ConfigError, load
from blackbox_qt.config_retention import RetentionConfig

REFUSED = [
    ("high_mb=1000", "--set: retention.high_mb = 1000 is not allowed; allowed: more than low_mb, which is 1000"),
    ("high_percent=2", "--set: retention.high_percent = 2 is not allowed; allowed: more than low_percent, which is 2"),
    ("low_percent=-1", "--set: retention.low_percent = -1 is not allowed; allowed: a number 0 to 50"),
    ("reserve_min=0", "--set: retention.reserve_min = 0 is not allowed; allowed: a number 1 to 1440"),
]


@pytest.mark.parametrize(("setting", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused(setting: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, [f"retention.{setting}"])
    assert str(refused.value) == sentence


def test_without_any_watermark_recording_would_end() -> None:
    none = [f"retention.{which}_{unit}=0" for which in ("low", "high") for unit in ("mb", "percent")]
    with pytest.raises(ConfigError, match=r"high_percent = 0 is not allowed; allowed: more than 0 where high_mb is 0"):
        load(None, none)


def test_a_watermark_in_bytes_or_in_percent_is_enough() -> None:
    assert load(None, ["retention.low_mb=0", "retention.high_mb=0"]).retention.high_percent == 3
    assert load(None, ["retention.low_percent=0", "retention.high_percent=0"]).retention.high_mb == 1500
    assert Config().retention == RetentionConfig()
