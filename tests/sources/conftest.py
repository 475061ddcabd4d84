"""What several files of source tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.sources.fake_libcamera import Sensor
from tests.sources.picamera_bench import Bench


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(*sensors: Sensor, old: bool = False) -> Bench:
        made.append(Bench(*sensors, old=old))
        return made[-1]

    yield build
    for each in made:
        each.end()
