"""A button in the car: a press marks at once, held on it keeps the whole trip."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from contextlib import closing

from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.power.lines import Line, LineError, Wish, open_line

log = logging.getLogger(__name__)

_AGAIN_S = 10.0


class MarkButton:
    """Watches the button's line in `mark-button`, while entered; calls `mark(whole_trip)`, which must not block.

    The press marks, not its end: nobody waits for a hand that trembles. Held for `marks.hold_s` it marks once more, for
    the whole trip. A button that is pressed when the line is opened (a stuck one, a wrong wire) counts when it has been
    let go. A line that cannot be used is one sentence in the log and is tried again; recording does not need it.

    Threads: enter and leave by one owner; `mark` is called in `mark-button`.
    """

    def __init__(
        self,
        config: MarksConfig,
        mark: Callable[[bool], object],
        clock: Clock,
        make: Callable[[Wish], Line] = open_line,
        again_s: float = _AGAIN_S,
    ) -> None:
        self._wish = Wish(config.button, config.button_active == "low", config.button_bias)
        self._hold_ns = round(config.hold_s * NS)
        self._mark, self._clock, self._make, self._again_s = mark, clock, make, again_s
        self._pressed = False
        self._down_ns: int | None = None  # since when it is held; None: it is not, or long enough
        self._over, self._end = socket.socketpair()
        self._worker = Worker("mark-button", self._run)

    def __enter__(self) -> MarkButton:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.send(b"!")
        self._worker.join()
        self._over.close()
        self._end.close()

    def _run(self) -> None:
        said, over = "", False
        while not over:
            try:
                with closing(self._make(self._wish)) as line:
                    self._watch(line)
                return
            except LineError as error:
                if str(error) != said:
                    said = str(error)
                    log.error("the MARK button is not watched: %s", said)
            over = bool(select.select([self._over], [], [], self._again_s)[0])

    def _watch(self, line: Line) -> None:
        """Until the end. Raises LineError."""
        self._pressed, self._down_ns = line.active(), None
        if self._pressed:
            log.warning("the MARK button (%s) is pressed already: it counts once let go", self._wish.name)
        else:
            log.info("the MARK button (%s) is there", self._wish.name)
        while True:
            ready = select.select([line.fileno(), self._over.fileno()], [], [], self._left_s())[0]
            if self._over.fileno() in ready:
                return
            self._hold()
            if ready:
                for down in line.changes():
                    self._changed(down)

    def _left_s(self) -> float | None:
        """Until it has been held long enough; None when nobody holds it."""
        return None if self._down_ns is None else max(0, self._down_ns + self._hold_ns - self._clock.boot_ns()) / NS

    def _changed(self, down: bool) -> None:
        if down == self._pressed:
            return
        self._pressed = down
        self._down_ns = self._clock.boot_ns() if down else None
        if down:
            self._press(whole_trip=False)

    def _hold(self) -> None:
        if self._left_s() == 0:
            self._down_ns = None
            self._press(whole_trip=True)

    def _press(self, *, whole_trip: bool) -> None:
        try:
            self._mark(whole_trip)
        except Exception as error:  # the button's door: the next press must find somebody who watches
            log.error("the MARK button did not mark: %s", in_words(error))
