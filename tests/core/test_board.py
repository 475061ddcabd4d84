"""What the board says about itself, from a tree of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.core.board import Board, Reading


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert Board(tmp_path).look() == Reading()


def test_the_warmest_zone_counts(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51250\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "83400\n")
    put(tmp_path, "sys/class/thermal/thermal_zone2/temp", "broken\n")
    assert Board(tmp_path).celsius() == 83.4


@pytest.mark.parametrize(
    ("word", "undervoltage", "throttled"),
    [("0", False, False), ("1", True, False), ("0x2", False, True), ("5", True, True), ("50000", False, False),
     ("8", False, True), ("nonsense", False, False)],
)  # fmt: skip
def test_the_firmware_word(tmp_path: Path, word: str, undervoltage: bool, throttled: bool) -> None:
    put(tmp_path, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", f"{word}\n")
    assert Board(tmp_path).look() == Reading(None, undervoltage, throttled)


def test_the_voltage_sensor(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon3/in0_lcrit_alarm", "1\n")
    assert Board(tmp_path).look().undervoltage
