"""Numbers that are given once. Lost and broken counters: `test_segment.py`, through the Store."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.numbering import next_number

from .fakes import FaultDisk

NAMES = re.compile(r".*-(\d{5,9})\.jpg")


def test_it_goes_on_above_the_counter_and_above_the_names(tmp_path: Path) -> None:
    assert [next_number(Disk(), tmp_path, "count", NAMES) for _ in range(2)] == [1, 2]
    (tmp_path / "front-00041.jpg").touch()
    (tmp_path / "front-00099.txt").touch()
    assert next_number(Disk(), tmp_path, "count", NAMES) == 42
    (tmp_path / "front-00041.jpg").unlink()
    assert next_number(Disk(), tmp_path, "count", NAMES) == 43
    assert (tmp_path / "count").read_text() == "43\n"


def test_a_number_is_durable_before_it_is_given(tmp_path: Path) -> None:
    disk = FaultDisk()
    disk.fail("datasync")
    with pytest.raises(OSError):
        next_number(disk, tmp_path, "count", NAMES)
    assert disk.counts["sync_dir"] == 0
    assert next_number(disk, tmp_path, "count", NAMES) == 1
    assert disk.counts["sync_dir"] == 1
