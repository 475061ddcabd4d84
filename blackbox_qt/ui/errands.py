"""What may block, away from the window's thread, and awaited there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from blackbox_qt.core.worker import Worker

T = TypeVar("T")


class Errands:
    """One job at a time, each in a thread `name` of its own.

    Threads: one, that of whoever waits for the answers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._worker: Worker | None = None

    def send(self, job: Callable[[], T]) -> Future[T]:
        """Begin `job`; its result or its error. To be awaited with asyncio.wrap_future, which may be cancelled: the job
        then ends unheard.
        """
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # from here on a cancelled wait leaves the answer alone

        def run() -> None:
            try:
                answer.set_result(job())
            except Exception as error:  # the errand's door: whoever waits is told
                answer.set_exception(error)

        self._worker = Worker(self._name, run)
        self._worker.start()
        return answer

    def close(self, timeout: float) -> str:
        """Wait at most `timeout` seconds for a job to end; the name of the thread that is stuck, "" when none is."""
        done = self._worker is None or self._worker.join(timeout)
        return "" if done else self._name
