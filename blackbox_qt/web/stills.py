"""Full-size pictures on request, made by the JPEG sink from its next frame."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blackbox_qt.app.camera import Camera
from blackbox_qt.core.frame import Frame
from blackbox_qt.sinks import jpeg
from blackbox_qt.web import words

LIMIT_S = 2.0
MOST_WAITING = 4
"""Different pictures (qualities) of one camera asked for at once."""


class NoPicture(Exception):
    """There is none, for now; the text is one sentence.

    Threads: immutable, any.
    """


@dataclass(frozen=True, slots=True)
class _Job:
    sink: jpeg.JpegSink
    done: asyncio.Future[bytes]


class Stills:
    """Takes pictures; visitors who ask for the same one at the same time share it.

    A job is never cancelled: the sink would stumble over it. One that its askers have given up on stays with the sink
    until a frame comes, and whoever asks again joins it, so that jobs cannot pile up at a dead camera.

    Threads: the web loop's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
        self._loop = loop
        self._ending = ending
        self._jobs: dict[tuple[str, int], _Job] = {}

    async def take(self, camera: Camera, quality: int) -> bytes:
        """A JPEG in the camera's own size, `quality` 1-100, within 2 s. Raises NoPicture."""
        job = self._job(camera, quality)
        ending = self._loop.create_task(self._ending.wait())
        either: set[asyncio.Future[Any]] = {job.done, ending}
        try:
            await asyncio.wait(either, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
        if self._ending.is_set():
            raise NoPicture(words.ENDING)
        if not job.done.done():
            raise NoPicture(words.no_picture(camera.name, camera.care.words))
        error = job.done.exception()
        if error is not None:
            raise NoPicture(words.no_picture(camera.name, str(error)))
        return job.done.result()

    def _job(self, camera: Camera, quality: int) -> _Job:
        key, sink = (camera.name, quality), camera.jpeg
        job = self._jobs.get(key)
        if job is None or job.sink is not sink:  # a sink that died never answers; the App has put another in its place
            if sum(1 for name, _ in self._jobs if name == camera.name) >= MOST_WAITING:
                raise NoPicture(words.BUSY)
            job = _Job(sink, self._loop.create_future())
            self._jobs[key] = job
            self._ask(job, key)
        return job

    def _ask(self, job: _Job, key: tuple[str, int]) -> None:
        def still(frame: Frame) -> bytes:
            return jpeg.encode(frame.images["main"], key[1])

        def settle(asked: Future[bytes]) -> None:
            if self._jobs.get(key) is job:
                del self._jobs[key]
            error = asked.exception()
            if error is None:
                job.done.set_result(asked.result())
            else:
                job.done.set_exception(error)
                job.done.exception()  # somebody has looked: else asyncio complains when nobody waits any more

        def told(asked: Future[bytes]) -> None:  # on the JPEG thread
            with suppress(RuntimeError):  # the loop has closed meanwhile
                self._loop.call_soon_threadsafe(settle, asked)

        job.sink.grab(still).add_done_callback(told)
