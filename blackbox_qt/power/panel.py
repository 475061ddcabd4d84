"""The thread that watches the car's lines."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from contextlib import closing

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.worker import Worker
from blackbox_qt.power.ignition import Ignition
from blackbox_qt.power.lines import Line, LineError, Wish, open_line

log = logging.getLogger(__name__)

OpenLine = Callable[[Wish], Line]
_AGAIN_S = 10.0


class Panel:
    """Watches the ignition's line in `gpio`, from entering to leaving, and calls `off(why)` once when it is off.

    A line that cannot be opened or read is one sentence in the log, and tried again: recording does not need it, and
    early in the boot it may not be there yet. Whoever enters does not wait for the line. After `off` it is watched on:
    `ignition.on` tells whether it has come back.

    Threads: enter and leave by one owner; `off` is called in `gpio`.
    """

    def __init__(
        self,
        wish: Wish,
        ignition: Ignition,
        off: Callable[[str], None],
        clock: Clock,
        make: OpenLine = open_line,
        again_s: float = _AGAIN_S,
    ) -> None:
        self.ignition = ignition
        self._again_s = again_s
        self._told = False
        self._wish, self._off, self._clock, self._make = wish, off, clock, make
        self._over, self._end = socket.socketpair()
        self._worker = Worker("gpio", self._run)

    def __enter__(self) -> Panel:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.send(b"!")
        self._worker.join()
        self._over.close()
        self._end.close()

    def _run(self) -> None:
        said = ""
        over = False
        while not over:
            try:
                with closing(self._make(self._wish)) as line:
                    self._watch(line)
                return
            except LineError as error:
                if str(error) != said:
                    said = str(error)
                    log.error("the ignition is not watched, so the box will not switch off with it: %s", said)
            over = bool(select.select([self._over], [], [], self._again_s)[0])

    def _watch(self, line: Line) -> None:
        """Until the end. Raises LineError."""
        self.ignition.see(line.active(), self._clock.boot_ns())
        log.info("the ignition (%s) is %s", self._wish.name, "on" if self.ignition.on else "off")
        while True:
            left_s = None if self._told else self.ignition.left_s(self._clock.boot_ns())
            if left_s == 0:
                self._told = True
                self._off(self.ignition.words)
                continue
            ready = select.select([line.fileno(), self._over.fileno()], [], [], left_s)[0]
            if self._over.fileno() in ready:
                return
            if ready:
                self._changed(line)

    def _changed(self, line: Line) -> None:
        """Every change counts, also one that is over already: it breaks the time it must be off without a break."""
        before, now = self.ignition.on, self._clock.boot_ns()
        for on in (*line.changes(), line.active()):
            self.ignition.see(on, now)
        if self.ignition.on != before:
            log.info("the ignition is %s", "on" if self.ignition.on else "off")
