"""The screen may come after the recorder, and go before it: a compositor that is a service of its own is waited for."""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S, _LONGEST_S = 2.0, 30.0


class Ending(Protocol):
    """When to stop; see commands.run.

    Threads: the main one.
    """

    requested: bool

    def fileno(self) -> int:
        """Readable once the end is asked for."""
        ...

    def drained(self) -> bool:
        """Empty it. Whether the end has been asked for."""
        ...


def comes_later(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the display is one to wait for: a Wayland socket named by its whole path.

    So a unit file names another unit's compositor. A name alone was inherited from a session, which is there or not.
    """
    return env.get("WAYLAND_DISPLAY", "").startswith("/")


def wait_until_there(ending: Ending, env: Mapping[str, str] = os.environ, look_s: float = _LOOK_S) -> bool:
    """Wait for that socket: before Qt is loaded, which a box without a screen never needs.

    False when the end came first.
    """
    place = Path(env["WAYLAND_DISPLAY"])
    if not place.exists():
        log.info("no screen yet: the window opens when %s is there", place)
    while not place.exists():
        if pause(ending, look_s):
            return False
    return not ending.requested


def pause(ending: Ending, seconds: float) -> bool:
    """Wait so long, or until the end is asked for: True then. Whatever else the descriptor tells is answered."""
    over = time.monotonic() + seconds
    while not ending.requested and (left := over - time.monotonic()) > 0:
        if select.select([ending], [], [], left)[0]:
            ending.drained()
    return ending.requested


def again_and_again(attempt: Callable[[], int], failure: type[Exception], ending: Ending) -> int | None:
    """Call `attempt` until it returns, 2 s after a failure, doubling to 30. None: the end came first."""
    wait_s = _AGAIN_S
    while True:
        try:
            return attempt()
        except failure as error:
            log.error("%s; recording goes on without a window, next try in %.0f s", error, wait_s)
        if pause(ending, wait_s) or not wait_until_there(ending):
            return None
        wait_s = min(2 * wait_s, _LONGEST_S)
