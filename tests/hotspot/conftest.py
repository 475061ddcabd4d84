"""A bus of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bus import PrivateBus, private_bus


@pytest.fixture
def bus(tmp_path: Path, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    with private_bus(tmp_path, until, monkeypatch) as bus:
        yield bus
