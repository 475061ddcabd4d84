"""The box's own switch: it is asked to switch off, and does so when all recordings are safe."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack

from blackbox_qt.config import PowerConfig
from blackbox_qt.core.clock import NS, Clock, SystemClock
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.power import logind
from blackbox_qt.power.ignition import Ignition
from blackbox_qt.power.lines import Line, Wish, open_line
from blackbox_qt.power.logind import PowerError
from blackbox_qt.power.panel import OpenLine, Panel

log = logging.getLogger(__name__)

_SYNC_S = 0.5
"""Recordings are synced one by one before; what others have written is no reason to stay on a dying battery."""


class Switch:
    """Enter it before the recorder and leave it after: what was asked for meanwhile is done on leaving.

    `end()` asks the program to end politely. With `power.ignition` in the configuration its line is watched.
    `power_off()` does it and `may_power_off()` tells whether it will, both raising PowerError; `sync` writes everything
    to the disks.

    Threads: enter and leave by one owner; everything else any.
    """

    def __init__(
        self,
        config: PowerConfig,
        end: Callable[[], None],
        *,
        clock: Clock | None = None,
        make_line: OpenLine = open_line,
        power_off: Callable[[], None] = logind.power_off,
        may_power_off: Callable[[], bool] = logind.may_power_off,
        sync: Callable[[], None] = os.sync,
    ) -> None:
        self.why = ""  # it was asked to switch off
        self._end, self._power_off, self._may_power_off, self._sync = end, power_off, may_power_off, sync
        self._clock = clock or SystemClock()
        self._asked_ns = 0
        self._once = threading.Lock()
        self._done = False
        self._by_ignition = False
        self._stack = ExitStack()
        self._panel = self._ignition(config, make_line) if config.ignition else None

    def __enter__(self) -> Switch:
        if self._panel is not None:
            self._stack.enter_context(self._panel)
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self.carry_out()

    def ask(self, why: str) -> None:
        """Switch off as soon as everything is safe."""
        log.warning("switching off: %s", why)
        self.why, self._asked_ns = why, self._clock.boot_ns()
        self._end()

    def carry_out(self) -> None:
        """Do what was asked for, once; nothing if nothing was. For the owner, or when the end takes too long."""
        with self._once:
            if self._done or not self.why:
                return
            self._done = True
            if self._by_ignition and self._panel is not None and self._panel.ignition.on:
                log.warning("the ignition is on again: the box stays on")
                return
            self._synced()
            try:
                self._power_off()
            except PowerError as error:
                log.error("the box stays on: %s", error)
                return
            log.warning("power off %.1f s after it was asked for", (self._clock.boot_ns() - self._asked_ns) / NS)

    def _synced(self) -> None:
        """Everything to the disks, but never wait long: one that is dying may not answer."""
        worker = Worker("sync", self._sync, lambda error: log.error("sync failed: %s", in_words(error)))
        worker.start()
        if not worker.join(_SYNC_S):
            log.warning("the disks do not answer to sync; the recordings were synced before")

    def _ignition(self, config: PowerConfig, make_line: OpenLine) -> Panel:
        def make(wish: Wish) -> Line:
            line = make_line(wish)
            self._warn()  # now, while somebody who wires a car is looking, and not on the first evening
            return line

        ignition = Ignition(config.off_after_s, config.parked_min * 60)
        return Panel(wish(config), ignition, self._ignition_off, self._clock, make)

    def _ignition_off(self, why: str) -> None:
        self._by_ignition = True
        self.ask(why)

    def _warn(self) -> None:
        try:
            words = "" if self._may_power_off() else logind.NOT_ALLOWED
        except PowerError as error:
            words = str(error)
        if words:
            log.warning("the ignition is watched, but %s", words)


def wish(config: PowerConfig) -> Wish:
    """The ignition's line as it is configured.

    Threads: any.
    """
    return Wish(config.ignition, config.ignition_active == "low", config.ignition_bias)
