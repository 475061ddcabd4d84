"""The RTC vouches for the time only when the machine's clock came from it, and still is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.rtc import UNCERTAINTY_NS, rtc_anchor

NOW = 1_790_000_000


def chip(folder: Path, since_epoch: object = NOW, hctosys: object = 1, name: str = "rtc0") -> Path:
    (folder / name).mkdir()
    (folder / name / "since_epoch").write_text(f"{since_epoch}\n")
    (folder / name / "hctosys").write_text(f"{hctosys}\n")
    return folder


def asked(folder: Path, utc_s: float = NOW + 1) -> Anchor | None:
    return rtc_anchor(Anchor(7 * NS, round(utc_s * NS), "unsynced", None), folder)


def test_a_clock_that_came_from_it(tmp_path: Path) -> None:
    assert asked(chip(tmp_path)) == Anchor(7 * NS, (NOW + 1) * NS, "rtc", UNCERTAINTY_NS)


@pytest.mark.parametrize(
    ("since_epoch", "hctosys", "utc_s"),
    [
        (NOW, 0, NOW),  # the clock came from somewhere else
        (12, 1, 12),  # no battery: it starts in 1970
        (12, 1, NOW),  # … and something moved the clock to a date it remembered
        (NOW, 1, NOW - 3600),  # somebody moved the clock since
        ("", 1, NOW),
        ("soon", "yes", NOW),
    ],
)
def test_one_that_vouches_for_nothing(tmp_path: Path, since_epoch: object, hctosys: object, utc_s: float) -> None:
    assert asked(chip(tmp_path, since_epoch, hctosys), utc_s) is None


def test_no_rtc_and_several(tmp_path: Path) -> None:
    assert asked(tmp_path) is None and asked(tmp_path / "none") is None
    chip(tmp_path, NOW - 10**6, 0)
    assert asked(chip(tmp_path, name="rtc1")) is not None
