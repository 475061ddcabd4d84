"""The whole of it: a real App on the painted source, shown, read back from the screen, and gone without a trace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import simplejpeg

from blackbox_qt.app import App
from blackbox_qt.config import Config, load
from blackbox_qt.sources import marks
from blackbox_qt.ui import WindowError, show
from tests.ui.helpers import framebuffer

ROOT = Path(__file__).parents[2]


class HandEnding:
    """Asks for the end when told, as a signal would."""

    def __init__(self) -> None:
        self.requested = False
        self.asked_at = 0.0
        self._awake, self._waker = socket.socketpair()

    def fileno(self) -> int:
        return self._awake.fileno()

    def drained(self) -> bool:
        self._awake.recv(64)
        return self.requested

    def ask(self) -> None:
        self.asked_at = time.monotonic()
        self.requested = True
        self._waker.send(b"x")

    def close(self) -> None:
        self._awake.close()
        self._waker.close()


@pytest.fixture
def ending() -> Iterator[HandEnding]:
    ending = HandEnding()
    yield ending
    ending.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    settings = ["window.width=640", "window.height=360", "camera.front.source=pattern:640x360@30"]
    return load(None, [*settings, f"storage.data={tmp_path}"])


def during(qt: Any, steps: Iterator[Any]) -> Any:
    """Turn `steps` in Qt's loop; each waits until what it yielded last is true. Keep what is returned alive."""
    from PySide6.QtCore import QTimer

    timer = QTimer()
    condition: Any = lambda: True  # noqa: E731
    deadline = time.monotonic() + 20

    def turn() -> None:
        nonlocal condition
        if condition() or time.monotonic() > deadline:
            try:
                condition = next(steps)
            except StopIteration:
                timer.stop()

    timer.timeout.connect(turn)
    timer.start(5)
    return timer


def the_window() -> Any:
    from PySide6.QtWidgets import QApplication

    from blackbox_qt.ui.window import Window

    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, Window)), None)


def test_live_picture_snapshot_and_end(
    qt: Any, config: Config, ending: HandEnding, tmp_path: Path, possible_alarms: list[str]
) -> None:
    possible_alarms.append("frames lost so far")  # on a busy machine
    seen: list[Any] = []
    stills = tmp_path / "snapshots"

    def steps() -> Iterator[Any]:
        yield the_window
        window = the_window()
        for _ in range(3):
            before = window.viewport.report()["front"].shown
            yield lambda before=before: window.viewport.report()["front"].shown >= before + 3
            seen.append(marks.read(framebuffer(window.viewport)[:, :, 1]))
        window.snapshot()
        yield lambda: list(stills.glob("*.jpg"))
        ending.ask()

    with App(config) as app:
        assert app.wait_first_durable(10)
        timer = during(qt, steps())
        assert show(app, config, "", ending) == 0
        took = time.monotonic() - ending.asked_at
        timer.stop()
        assert app.cameras["front"].hub.holders()["display"] == 0
    assert took < 1.0
    assert None not in seen
    assert len(seen) == 3
    assert [n for n, _ in seen] == sorted({n for n, _ in seen}), "the painted counter moves on"
    [still] = stills.glob("*.jpg")
    assert simplejpeg.decode_jpeg(still.read_bytes()).shape == (360, 640, 3)


def test_closing_the_window_ends_it(qt: Any, config: Config, ending: HandEnding, possible_alarms: list[str]) -> None:
    possible_alarms.append("frames lost so far")

    def steps() -> Iterator[Any]:
        yield the_window
        the_window().close()
        yield the_window().question.isVisible
        the_window().question.stop.click()

    with App(config) as app:
        assert app.wait_first_durable(10)
        timer = during(qt, steps())
        assert show(app, config, "", ending) == 0
        timer.stop()


def test_an_end_asked_for_before_it_began(qt: Any, config: Config, ending: HandEnding) -> None:
    ending.requested = True
    with App(config) as app:
        assert show(app, config, "", ending) == 0


@pytest.mark.parametrize("kind", [FileNotFoundError, ImportError, KeyError])
def test_whatever_fails_in_the_window_is_a_sentence(
    qt: Any, config: Config, ending: HandEnding, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """The recorder catches WindowError and goes on."""

    def fail(*_: object) -> None:
        raise kind("no menu")

    monkeypatch.setattr("blackbox_qt.ui.window.Menu", fail)  # with half of it made
    with App(config) as app:
        with pytest.raises(WindowError, match=kind.__name__):
            show(app, config, "", ending)
        assert app.wait_first_durable(10)


PROGRAM = """
import sys, threading
from pathlib import Path
from blackbox_qt.app import App
from blackbox_qt.commands.run import Ending
from blackbox_qt.config import load
from blackbox_qt.ui import WindowError, show
config = load(None, ["camera.front.source=pattern:320x180@30", f"storage.data={sys.argv[1]}"])
with Ending(1.0) as ending, App(config) as app:
    app.wait_first_durable(5)
    before = threading.active_count()
    try:
        print("code", show(app, config, "http://h/#k", ending))
        from PySide6.QtWidgets import QApplication
        print("application", QApplication.instance(), "threads", threading.active_count() - before)
    except WindowError as error:
        print("WindowError:", error)
    ending.stopping()
"""


def run_alone(tmp_path: Path, **environment: str) -> str:
    """The window in a process of its own, where no QApplication is yet; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_alone_it_ends_by_the_clock_and_takes_its_application_along(screen: None, tmp_path: Path) -> None:
    assert run_alone(tmp_path) == "code 0\napplication None threads 0\n"


def test_a_display_that_does_not_answer_is_a_sentence_and_no_abort(screen: None, tmp_path: Path) -> None:
    out = run_alone(tmp_path, DISPLAY=":987", QT_QPA_PLATFORM="xcb")
    assert out == "WindowError: the window cannot open: the display ':987' does not answer\n"


def test_a_display_without_gl_is_a_sentence(screen: None, tmp_path: Path) -> None:
    out = run_alone(tmp_path, QT_QPA_PLATFORM="minimal")
    assert out == "WindowError: the window cannot open: this display has no OpenGL ES 3.0\n"
