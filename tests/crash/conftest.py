"""What every proof here gets: a folder in memory, for thousands of states are laid out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.fakes import Bench


@pytest.fixture
def memory() -> Iterator[Path]:
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="blackbox-crash-", dir=shm if shm.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def healing_tells(possible_alarms: list[str]) -> None:
    """What it finds, and sets aside, it says."""
    possible_alarms += ["is left as it is", "cannot be understood", "lines of", "final name is not safe"]
    possible_alarms += ["stays on the system's disk"]


@pytest.fixture(autouse=True)
def benches_cleared() -> Iterator[None]:
    """A history may leave a recording in the middle: its descriptor is let go here."""
    yield
    for bench in Bench.alive:
        bench.recording.abandon()
    Bench.alive.clear()
