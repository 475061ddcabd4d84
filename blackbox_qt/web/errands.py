"""Work that may wait for the disk, done beside the web loop: a card that stalls must not stop the streams."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from blackbox_qt.core.worker import Worker

log = logging.getLogger(__name__)

MOST_WAITING = 32
"""More than that wait for a card that does not answer: the next is refused."""
_END_S = 1.0

T = TypeVar("T")
_Job = Callable[[], None]


class BusyError(Exception):
    """Too much is waiting for the disk already."""


class Errands:
    """One thread, `web-files`, from the first errand to `close`; errands are done one after the other.

    Threads: the web loop's.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._worker: Worker | None = None
        self._waiting = 0
        self._closed = False

    async def do(self, errand: Callable[[], T]) -> T:
        """What `errand()` returns or raises, on the other thread. Raises BusyError."""
        if self._waiting >= MOST_WAITING or self._closed:
            raise BusyError
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self.leave(lambda: _do(errand, loop, done))
        self._waiting += 1
        try:
            return await done
        finally:
            self._waiting -= 1

    def leave(self, errand: Callable[[], None]) -> None:
        """Have something done, whenever; it must not raise but OSError, which is told in the log."""
        if self._closed:
            _safely(errand)
            return
        if self._worker is None:
            self._worker = Worker("web-files", self._run)
            self._worker.start()
        self._jobs.put(errand)

    def close(self) -> None:
        """End the thread; waits a second for the errand under way. What is left to be closed is closed."""
        self._closed = True
        if self._worker is not None:
            self._jobs.put(None)
            if self._worker.join(_END_S):
                self._run_rest()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            _safely(job)

    def _run_rest(self) -> None:
        """What came after the end was asked for."""
        while not self._jobs.empty():
            if (job := self._jobs.get()) is not None:
                _safely(job)


def _safely(job: _Job) -> None:
    try:
        job()
    except OSError as error:
        log.warning("a file that was sent could not be closed: %s", error)


def _do(errand: Callable[[], T], loop: asyncio.AbstractEventLoop, done: asyncio.Future[T]) -> None:
    if done.cancelled():
        return
    result: T | None = None
    failed: Exception | None = None
    try:
        result = errand()
    except Exception as error:  # the door of an errand: it is raised where it was asked for
        failed = error

    def settle() -> None:
        if done.done():
            return
        if failed is not None:
            done.set_exception(failed)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    with suppress(RuntimeError):  # the loop has closed meanwhile
        loop.call_soon_threadsafe(settle)
