"""A real server on a free port: `box` with a real App and painted frames, `hand` with frames fed by hand."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.app import App
from blackbox_qt.commands.run import SWITCH_INTERVAL_S
from blackbox_qt.config import Config, load
from blackbox_qt.web.listen import listen
from blackbox_qt.web.server import Server, _abort
from tests.conftest import descriptors

from .fakes import HandSink, Visitor, hand_app


def settings(folder: Path, *more: str) -> Config:
    """Small pictures, everything in `folder`, any free port of this machine."""
    return load(None, [
        "camera.front.source=pattern:320x240@30", f"storage.data={folder}/data", f"storage.state={folder}/state",
        "storage.segment_s=3600", "record.threads=1", "record.bitrate_kbit=400", "web.host=127.0.0.1", "web.port=0",
        *more,
    ])  # fmt: skip


@dataclass
class Box:
    app: Any
    server: Server
    config: Config

    def hang_up(self) -> None:
        """End the connections that browsers keep for later."""
        uvicorn, loop = self.server._uvicorn, self.server._loop
        assert uvicorn is not None
        assert loop is not None
        loop.call_soon_threadsafe(_abort, uvicorn)

    def visitor(self) -> Visitor:
        """Somebody who knows nothing."""
        return Visitor(self.server.address.rstrip("/"))

    def owner(self) -> Visitor:
        """A program that has the key."""
        assert self.server.access is not None
        return Visitor(self.server.address.rstrip("/"), key=self.server.access.key)

    def browser(self) -> Visitor:
        """A browser that has signed in; it names its page as browsers do when they change something."""
        visitor = self.visitor()
        assert self.server.access is not None
        got = visitor.ask("/api/v1/session", "POST", {"key": self.server.access.key}, Origin=visitor.origin)
        visitor.cookie = got.header("set-cookie").partition(";")[0]
        return visitor


@contextmanager
def running(config: Config, app: Any = None) -> Iterator[Box]:
    """App (unless given) and server."""
    with ExitStack() as stack:
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        listener = stack.enter_context(listen(config.web))
        if app is None:
            app = stack.enter_context(App(config))
            assert app.wait_first_durable(5)
        server = stack.enter_context(Server(app, config, listener))
        yield Box(app, server, config)


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One for many tests: they leave it recording and with nobody watching."""
    with running(settings(tmp_path_factory.mktemp("box"), "health.every_s=1")) as made:
        pause = threading.Event()
        for _ in range(1000):  # its first note opens a file that stays open: not in the middle of somebody's test
            if any(what.endswith("/state/health") for what in descriptors().values()):
                break
            pause.wait(0.01)
        yield made


@pytest.fixture(autouse=True)
def other_tests_load(possible_alarms: list[str]) -> None:
    """A machine that is busy with tests may lose frames; what is lost to visitors is looked at by its own test."""
    possible_alarms.append("frames lost so far")


@pytest.fixture
def sink() -> HandSink:
    return HandSink()


@pytest.fixture
def hand(tmp_path: Path, sink: HandSink) -> Iterator[Box]:
    config = settings(tmp_path)
    with running(config, hand_app(config, sink)) as made:
        yield made


@pytest.fixture
def nobody_watches(box: Box, until: Callable[..., None]) -> Iterator[None]:
    """Afterwards every stream has been let go."""
    yield
    until(lambda: box.app.cameras["front"].jpeg.watchers == 0)
