"""The web thread: uvicorn on a socket that is already open, until it is asked to end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial
from types import TracebackType

import uvicorn

from blackbox_qt.app import App
from blackbox_qt.app.part import Backoff
from blackbox_qt.config import Config
from blackbox_qt.core.worker import Worker
from blackbox_qt.web import address, site
from blackbox_qt.web.access import Access
from blackbox_qt.web.api import Api
from blackbox_qt.web.connection import Connection
from blackbox_qt.web.gate import Gate
from blackbox_qt.web.key import load_key, spelled
from blackbox_qt.web.listen import Listener
from blackbox_qt.web.mjpeg import Broadcast
from blackbox_qt.web.rules import Rules
from blackbox_qt.web.stills import Stills

log = logging.getLogger(__name__)

START_LIMIT_S = 5.0
POLITE_S = 0.3
"""What visitors who are not watching a stream get to take their answer at the end."""
STOP_LIMIT_S = 2.0
_WELL_AFTER_S = 30.0


class Server:
    """The page, in a thread `web` with its own event loop. The recorder does not need it.

    Entering waits until it answers. Leaving ends all streams and the thread within about a second, whatever the
    visitors do. If it fails meanwhile the log says so, it is tried again, and the recorder goes on.

    Threads: enter and leave by one owner; `address`, `invitation` any.
    """

    def __init__(self, app: App, config: Config, listener: Listener) -> None:
        self._app = app
        self._listener = listener
        key = load_key(config.storage.state) if config.web.auth else None
        self.access = None if key is None else Access(key, listener.port)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uvicorn: _Uvicorn | None = None
        self._broadcasts: dict[str, Broadcast] = {}
        self._ending: asyncio.Event | None = None
        self._worker = Worker("web", self._run, self._died)

    def __enter__(self) -> Server:
        self._worker.start()
        if not self._started.wait(START_LIMIT_S):
            log.error("the page has not started after %.0f s; the recorder goes on", START_LIMIT_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._worker.stop()
        loop = self._loop
        if loop is not None and self._worker.alive:
            try:
                loop.call_soon_threadsafe(self._end)
            except RuntimeError:  # it has ended by itself in this very moment
                log.debug("the web loop was closed already")
        if not self._worker.join(STOP_LIMIT_S):
            log.error("the page did not end within %.0f s", STOP_LIMIT_S)

    @property
    def address(self) -> str:
        """`http://ADDRESS:PORT/`, as good as known now: a car's Wi-Fi may come up after the box."""
        return address.base_url(self._listener.host, self._listener.port) + "/"

    @property
    def sign_in_address(self) -> str:
        """The address that lets a browser in. The key is in its fragment, which browsers never send or log."""
        if self.access is None:
            return self.address
        return f"{self.address}sign-in#key={self.access.key}"

    def invitation(self) -> list[str]:
        """Lines for the terminal: where the page is, and the QR code that opens it signed in."""
        if not self._worker.alive:
            return ["The page is not running; the log says why. The recorder is."]
        if self.access is None:
            return [f"Page: {self.address} (no sign-in)"]
        lines = address.qr_lines(self.sign_in_address)
        return [*lines, f"Page: {self.sign_in_address}", f"Key:  {spelled(self.access.key)}"]

    def _run(self) -> None:
        """Serve until asked to end; a page that served once and failed is tried again. One that never did is broken."""
        backoff = Backoff()
        while not self._worker.stop_requested.is_set():
            began = time.monotonic()
            try:
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(self._serve())
            except Exception as error:  # the page's door: the next try mends it, or the next
                if not self._started.is_set():
                    raise
                if time.monotonic() - began > _WELL_AFTER_S:
                    backoff.reset()
                wait_s = backoff.wait_s()
                log.exception("the page failed (%s); trying again in %.0f s", type(error).__name__, wait_s)
                self._worker.stop_requested.wait(wait_s)
        self._listener.socket.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._broadcasts = {name: Broadcast(camera, loop) for name, camera in self._app.cameras.items()}
        api = Api(self._app, self.access, self._broadcasts, Stills(loop, self._ending))
        gate = Gate(site.build(api), self.access, Rules())
        self._uvicorn = _Uvicorn(_settings(gate), self._started)
        self._loop = loop
        if self._worker.stop_requested.is_set():
            return
        try:
            await self._uvicorn.serve(sockets=[self._listener.socket.dup()])  # it closes what it is given
            if not self._worker.stop_requested.is_set():
                raise RuntimeError("it ended by itself")
        except Exception:  # on its way to the page's door: nothing of this try may stay
            _drop(self._uvicorn)
            raise
        finally:
            api.close()

    def _end(self) -> None:
        """Streams at once, others after a moment: uvicorn by itself would wait for the last reader."""
        assert self._uvicorn is not None
        assert self._loop is not None
        assert self._ending is not None
        self._ending.set()
        self._uvicorn.should_exit = True
        for broadcast in self._broadcasts.values():
            broadcast.hang_up()
        self._loop.call_later(POLITE_S, partial(_abort, self._uvicorn))

    def _died(self, error: BaseException) -> None:
        log.critical("the page stopped (%s: %s); the recorder goes on", type(error).__name__, error, exc_info=error)
        self._listener.socket.close()  # else visitors would wait in the backlog for nobody
        self._started.set()


class _Uvicorn(uvicorn.Server):
    """Says when it answers.

    Threads: the web loop's.
    """

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._told = started

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        self._told.set()


def _settings(gate: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        gate,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # what strangers send is not worth a line each
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=128,
        timeout_keep_alive=5,
    )


def _drop(server: uvicorn.Server) -> None:
    for listening in server.servers:
        listening.close()
    _abort(server)


def _abort(server: uvicorn.Server) -> None:
    for connection in list(server.server_state.connections):
        transport = connection.transport
        if transport is not None:
            transport.abort()
