"""The thread that watches the car's lines."""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.worker import Worker
from blackbox_qt.power.ignition import Ignition
from blackbox_qt.power.lines import Line, LineError, Wish, open_line

log = logging.getLogger(__name__)

OpenLine = Callable[[Wish], Line]


class Panel:
    """Watches the ignition's line in `gpio`, from entering to leaving, and calls `off(why)` once when it is off.

    A line that cannot be opened or read is one sentence in the log: recording does not need it. Whoever enters does
    not wait for the line. After `off` it is watched on: `ignition.on` tells whether it has come back.

    Threads: enter and leave by one owner; `off` is called in `gpio`.
    """

    def __init__(
        self, wish: Wish, ignition: Ignition, off: Callable[[str], None], clock: Clock, make: OpenLine = open_line
    ) -> None:
        self.ignition = ignition
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
        try:
            with ExitStack() as stack:
                line = stack.enter_context(closing(self._make(self._wish)))
                self._watch(line)
        except LineError as error:
            log.error("the ignition is not watched, so the box will not switch off with it: %s", error)

    def _watch(self, line: Line) -> None:
        self.ignition.see(line.active(), self._clock.boot_ns())
        log.info("the ignition (%s) is %s", self._wish.name, "on" if self.ignition.on else "off")
        told = False
        while True:
            left_s = None if told else self.ignition.left_s(self._clock.boot_ns())
            if left_s == 0:
                self._off(self.ignition.words)
                told = True
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
