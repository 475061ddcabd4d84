"""What the board says about itself: warmth, voltage, and whether its processor is being slowed down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Bits of the firmware's word, https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
UNDERVOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
SLOWED = CAPPED | THROTTLED | SOFT_LIMIT
EVER = 16
"""The same four, "has happened since the start", so many bits higher."""
SLOWS_AT_C = 80.0
"""A Pi 5 slows itself down from here on."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look.

    Threads: immutable, any.
    """

    celsius: float | None = None  # of the warmest thermal zone; None: not told
    undervoltage: bool = False  # now
    throttled: bool = False  # now


class Board:
    """Reads sysfs below `root`, where tests put a tree of their own. What is not there is not told.

    Threads: any; a handful of small files, some of them asked of the firmware: a millisecond.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def look(self) -> Reading:
        word = self.throttled_word() or 0
        return Reading(self.celsius(), bool(word & UNDERVOLTAGE) or self.voltage_alarm(), bool(word & SLOWED))

    def celsius(self) -> float | None:
        """The warmest thermal zone; None where there is none."""
        texts = (_read(path) for path in self._root.glob("sys/class/thermal/thermal_zone*/temp"))
        return max((int(text) / 1000 for text in texts if re.fullmatch(r"-?\d+", text)), default=None)

    def throttled_word(self) -> int | None:
        """The firmware's word; None where it tells none."""
        for path in sorted(self._root.glob("sys/devices/platform/soc*/soc*firmware/get_throttled")):
            text = _read(path)
            if re.fullmatch("(0x)?[0-9a-fA-F]+", text):
                return int(text, 16)
        return None

    def voltage_alarm(self) -> bool:
        """Whether the firmware's voltage sensor says that it is too low now."""
        names = self._root.glob("sys/class/hwmon/hwmon*/name")
        return any(_read(n.with_name("in0_lcrit_alarm")) == "1" for n in names if _read(n) == "rpi_volt")


def _read(path: Path) -> str:
    """ "" for a file that is not there, or whose driver refuses to answer."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
