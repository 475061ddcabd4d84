"""A push button on a GPIO line. Pure: it is told the levels and the times."""

from __future__ import annotations

import logging
from collections.abc import Callable

from blackbox_qt.core.clock import NS
from blackbox_qt.core.worker import in_words

log = logging.getLogger(__name__)

_AGAIN_S = 0.5  # a hand on a bumpy road presses twice and means once


class Button:
    """Calls everyone in `on_press` at each press; presses within half a second of the last one count as the same.

    Threads: `see` one, and `on_press` is called there; it must be quick.
    """

    def __init__(self, *on_press: Callable[[], None]) -> None:
        self.on_press = list(on_press)
        self._last_ns: int | None = None

    def see(self, pressed: bool, now: int) -> None:
        """The level at each change."""
        if not pressed or (self._last_ns is not None and now - self._last_ns < _AGAIN_S * NS):
            return
        self._last_ns = now
        for call in self.on_press:
            try:
                call()
            except Exception as error:  # a listener's door: the button, and the others, go on
                log.error("the button was pressed, but nothing came of it: %s", in_words(error))
