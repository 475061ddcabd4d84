"""A named thread with an owner: it is started, asked to stop, joined, and reports once if it dies."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker:
    """Runs `run()` in a thread called `name`.

    `run` returns when `stop_requested` is set (or what it reads from is closed). If it raises, `on_crash(error)` is
    called once on the dying thread and the error stays in `error`. Nothing else in the program starts a Thread.

    Threads: `start`, `stop`, `join` by the owner; attributes any.
    """

    def __init__(
        self, name: str, run: Callable[[], None], on_crash: Callable[[BaseException], None] | None = None
    ) -> None:
        self.name = name
        self.error: BaseException | None = None
        self.stop_requested = threading.Event()
        self._run = run
        self._on_crash = on_crash
        self._thread = threading.Thread(target=self._main, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self.stop_requested.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds. True when the thread has ended (or never began)."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def ident(self) -> int | None:
        return self._thread.ident

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # a thread's door: whatever it was is reported, never swallowed
            self.error = error
            log.debug("%s stopped", self.name, exc_info=True)  # the trace is for --verbose, not for a driver
            if self._on_crash is None:
                log.critical("%s stopped: %s", self.name, in_words(error))
            else:
                self._on_crash(error)


def in_words(error: BaseException) -> str:
    """What an unforeseen error was and where it came from, in one line: "ValueError: no luck (encoder.py:120)".

    Threads: any.
    """
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({last[0].filename.rpartition('/')[2]}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{where}"
