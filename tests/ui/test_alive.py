"""The window's loop gives the signs of life that the service asks for, as the loop without a window does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.app import App
from blackbox_qt.commands.run import Ending
from blackbox_qt.config import load
from blackbox_qt.ui import show
from tests.ui.test_show import during

pytestmark = pytest.mark.usefixtures("qt")


def test_qts_loop_answers_a_knock_and_goes_on(qt: Any, tmp_path: Path, possible_alarms: list[str]) -> None:
    possible_alarms.append("frames lost so far")  # on a busy machine
    config = load(None, ["camera.front.source=pattern:320x240@30", f"storage.data={tmp_path}"])
    answers: list[int] = []

    def steps(ending: Ending) -> Iterator[Callable[[], bool]]:
        for count in range(3):
            ending.knock()
            yield lambda n=count: ending.answers > n  # type: ignore[misc]
            answers.append(ending.answers)
        ending.stopping()
        yield lambda: True

    with Ending(None) as ending, App(config) as app:
        driver = during(qt, steps(ending))
        assert show(app, config, "", ending) == 0
        del driver
    assert answers == [1, 2, 3] and ending.requested
