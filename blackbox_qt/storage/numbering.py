"""A number for a name that is never given again: a counter's file, and never below the names that are there."""

from __future__ import annotations

import re
from pathlib import Path

from blackbox_qt.storage.disk import Disk

_DIGITS = 9
MOST = 999_000_000
"""Higher ones are damage, not numbers: nobody starts a box so often, and the next one must still fit a name."""


def next_number(disk: Disk, folder: Path, counter: str, names: re.Pattern[str], floor: int = 0) -> int:
    """Count one up, durably, before anything is named after it; OSError when the disk refuses.

    counter: the file in `folder` that holds the last number given; lost or broken, it is made again. names: matches the
    whole of every name in `folder` that bears a number, the number in its group 1. floor: it is above this one too.

    Threads: one at a time for a folder; blocks on the disk.
    """
    number = max(floor, last_number(disk, folder, counter), _highest(disk, folder, names)) + 1
    disk.write_small(folder / counter, b"%d\n" % number)
    return number


def last_number(disk: Disk, folder: Path, counter: str) -> int:
    """The last number that was counted; 0 when the file is lost or holds none. OSError when the disk refuses.

    Threads: any; blocks on the disk.
    """
    try:
        text = disk.read_small(folder / counter, 32).strip()
    except FileNotFoundError:
        return 0
    number = int(text) if text.isdigit() and len(text) <= _DIGITS else 0
    return number if number <= MOST else 0


def _highest(disk: Disk, folder: Path, names: re.Pattern[str]) -> int:
    found = (names.fullmatch(entry.name) for entry in disk.list(folder))
    numbers = (int(match[1]) for match in found if match)
    return max((number for number in numbers if number <= MOST), default=0)
