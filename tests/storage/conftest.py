"""What every storage test gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fakes import Bench


@pytest.fixture(autouse=True)
def benches_cleared() -> Iterator[None]:
    """A test may leave a recording in the middle: its descriptor is let go here."""
    yield
    for bench in Bench.alive:
        bench.recording.abandon()
    Bench.alive.clear()
