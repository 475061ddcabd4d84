"""A screen, one QApplication, and the same house rules for Qt: no message, exception or widget is left over."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def screen() -> Iterator[None]:
    """The display there is, or a private Xvfb; skips without either."""
    if os.environ.get("DISPLAY"):
        yield
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("no DISPLAY, and Xvfb is not installed")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1280x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout is not None
    os.environ["DISPLAY"] = ":" + server.stdout.readline().decode().strip()
    yield
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait(10)
    server.stdout.close()


@pytest.fixture(scope="session")
def qt(screen: None) -> Iterator[Any]:
    """The QApplication of all tests here, with GL warmed up: drivers open descriptors at the first use."""
    from PySide6.QtOpenGLWidgets import QOpenGLWidget
    from PySide6.QtWidgets import QApplication

    from blackbox_qt.ui.display import check_gl, display
    from tests.ui.helpers import spin

    with display():
        app = QApplication.instance() or QApplication(["tests"])
        app.setQuitOnLastWindowClosed(False)
        check_gl()
        first = QOpenGLWidget()
        first.show()
        spin(first.isValid)
        first.grabFramebuffer()
        first.deleteLater()
        del first
        yield app
        app.shutdown()


@pytest.fixture(autouse=True)
def nothing_of_qt_left(request: pytest.FixtureRequest, nothing_left_over: None) -> Iterator[None]:
    """Fails a test after which a widget lives, Qt has warned, or a slot or virtual method has raised."""
    if "qt" not in request.fixturenames:
        yield
        return
    from PySide6.QtCore import QEvent, QtMsgType, qInstallMessageHandler
    from PySide6.QtWidgets import QApplication

    qt = request.getfixturevalue("qt")
    said: list[str] = []

    def heard(kind: QtMsgType, _: object, text: str) -> None:
        if kind != QtMsgType.QtDebugMsg:
            said.append(text)

    before = qInstallMessageHandler(heard)
    hook, sys.excepthook = sys.excepthook, lambda kind, error, _: said.append(f"{kind.__name__}: {error}")
    yield
    gc.collect()
    qt.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qt.processEvents()
    sys.excepthook = hook
    qInstallMessageHandler(before)
    widgets = [repr(widget) for widget in QApplication.allWidgets()]
    assert not widgets, f"left over: {widgets}"
    assert not said, f"Qt said or Python raised: {said}"
