"""Runs the window: Qt's loop and asyncio's as one, from first to last, and nothing is left of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import qasync
import shiboken6
from PySide6.QtCore import QEvent, QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from blackbox_qt.app import App
from blackbox_qt.config import Config
from blackbox_qt.ui import Invitation, WindowError
from blackbox_qt.ui.display import check_gl, display
from blackbox_qt.ui.window import Window

log = logging.getLogger(__name__)


class Ending(Protocol):
    """When to stop; see commands.run.

    Threads: the main one.
    """

    requested: bool

    def fileno(self) -> int:
        """Readable after a signal."""
        ...

    def drained(self) -> bool:
        """Empty it. Whether the end has been asked for."""
        ...


def run(app: App, config: Config, invitation: Invitation, ending: Ending) -> int:
    """See `blackbox_qt.ui.show`.

    Threads: the main one.
    """
    with _messages_logged(), display(), _application() as qt:
        check_gl()
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(qt)) as runner:
            runner.run(_shown(app, config, invitation, ending))
        qt.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return 0


async def _shown(app: App, config: Config, invitation: Invitation, ending: Ending) -> None:
    """Until the window is closed, the end is asked for, or OpenGL fails (WindowError)."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    window = Window(app, config, invitation)
    try:
        window.closed.connect(over.set)
        loop.add_reader(ending.fileno(), lambda: over.set() if ending.drained() else None)
        if ending.requested:  # before we listened
            over.set()
        window.show()
        await over.wait()
        if window.failure:
            raise WindowError(f"the window cannot show pictures: {window.failure}")
    finally:
        loop.remove_reader(ending.fileno())
        await window.shut()
        shiboken6.delete(window)


@contextmanager
def _application() -> Iterator[QApplication]:
    """The QApplication: the one there is, or one of our own that is gone afterwards."""
    present = QApplication.instance()
    if isinstance(present, QApplication):
        before = present.quitOnLastWindowClosed()
        present.setQuitOnLastWindowClosed(False)
        try:
            yield present
        finally:
            present.setQuitOnLastWindowClosed(before)
        return
    qt = QApplication(["blackbox-qt"])
    qt.setApplicationDisplayName("Blackbox Qt")
    qt.setQuitOnLastWindowClosed(False)  # else Qt's loop ends under asyncio before it has cleaned up
    try:
        yield qt
    finally:
        qt.shutdown()


_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


@contextmanager
def _messages_logged() -> Iterator[None]:
    """What Qt has to say goes to the log, like everything else."""

    def handle(kind: QtMsgType, _: QMessageLogContext, text: str) -> None:
        log.log(_LEVELS.get(kind, logging.WARNING), "Qt: %s", text)

    before = qInstallMessageHandler(handle)
    try:
        yield
    finally:
        qInstallMessageHandler(before)
