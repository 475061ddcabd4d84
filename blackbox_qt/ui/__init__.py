"""The window. The only room that may import PySide6; the recorder does not need it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blackbox_qt.app import App
    from blackbox_qt.config import Config
    from blackbox_qt.ui.loop import Ending


log = logging.getLogger(__name__)

Invitation = Callable[[], str] | str


class WindowError(Exception):
    """The window cannot open; the text is one sentence for a person. The recorder goes on without it."""


def show(app: App, config: Config, invitation: Invitation, ending: Ending) -> int:
    """Show the window until it is closed or `ending` is requested; the exit code, 0.

    `invitation` is for a phone: an URL with its key, or what tells it when it is to be shown, or "" without a page.
    Raises WindowError, and nothing else, when the window cannot open or go on. Leaves nothing behind: no widget,
    thread, frame or descriptor.

    Threads: the main one.
    """
    try:  # here, because the import is heavy and the recorder starts first
        from blackbox_qt.ui.loop import run

        return run(app, config, invitation, ending)
    except WindowError:
        raise
    except Exception as error:  # the window's door: nothing that fails in here may end the recording
        log.debug("the window failed:\n%s", traceback.format_exc())
        failure = WindowError(f"the window failed ({type(error).__name__}: {error})")
    raise failure  # out here without its cause, whose traceback would keep half a window alive
