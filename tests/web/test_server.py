"""The web thread's life: it ends when it is told, and its death is not the recorder's."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from blackbox_qt.app.part import Backoff
from blackbox_qt.web import server as server_module
from blackbox_qt.web.listen import listen
from blackbox_qt.web.server import Server

from .conftest import Box, running, settings
from .fakes import HandSink, Stream, hand_app

Until = Callable[..., None]


def test_leaving_ends_streams_stuck_readers_and_idle_visitors_within_a_second(
    tmp_path: Path, sink: HandSink, until: Until
) -> None:
    config = settings(tmp_path)
    with ExitStack() as stack:
        with running(config, hand_app(config, sink)) as box:
            streams = [stack.enter_context(box.owner().stream()) for _ in range(3)]
            for stream in streams:
                stream.begin()
            until(lambda: sink.watchers == 3)
            for _ in range(3):
                sink.feed(8_000_000)  # nobody reads: all are stuck
            idle = stack.enter_context(socket.create_connection(box.visitor().host, timeout=5))
            half = stack.enter_context(Stream(box.visitor(), "/", "1.1", "POST", {"Content-Length": "5"}))
            begin = time.monotonic()
        assert time.monotonic() - begin < 1.2
        assert sink.watchers == 0
        for stream in (*streams, half):
            assert stream.ended()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(box.visitor().host)


def test_a_still_that_is_waited_for_does_not_delay_the_end(tmp_path: Path, until: Until) -> None:
    from concurrent.futures import Future
    from types import SimpleNamespace

    asked: list[Future[bytes]] = []

    def grab(_: object) -> Future[bytes]:
        asked.append(Future())
        return asked[0]

    sink = HandSink()
    sink.grab = grab  # type: ignore[attr-defined]
    config = settings(tmp_path)
    app = hand_app(config, sink)
    app.cameras["front"].care = SimpleNamespace(words="")
    with running(config, app) as box:
        stream = box.owner().stream("/snapshot/front.jpg")
        until(lambda: asked)
        begin = time.monotonic()
    assert time.monotonic() - begin < 1.0
    assert stream.head().startswith("HTTP/1.1 503")
    stream.__exit__()
    asked[0].set_result(b"too late")  # the loop is gone: nobody minds


def test_the_recorder_outlives_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(server_module.site, "build", broken)
    expected_alarms.append("the page stopped (RuntimeError: no such thing); the recorder goes on")
    config = settings(tmp_path)
    with listen(config.web) as listener, Server(hand_app(config, HandSink()), config, listener) as server:
        assert server.invitation() == ["The page is not running; the log says why. The recorder is."]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.port))


def test_a_page_that_fails_is_tried_again_on_the_same_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str], until: Until
) -> None:
    expected_alarms.append("the page failed (RuntimeError); trying again in 0 s")
    monkeypatch.setattr(server_module, "Backoff", lambda: Backoff(0.01))
    config, sink = settings(tmp_path), HandSink()
    with running(config, hand_app(config, sink)) as box, box.owner().stream() as stream:
        stream.begin()
        first = box.server._uvicorn

        async def fail(*_: object) -> bool:
            raise RuntimeError("out of luck")

        monkeypatch.setattr(first, "on_tick", fail)
        until(lambda: box.server._uvicorn is not first)
        assert stream.ended()
        assert box.visitor().ask("/sign-in").status == 200
        assert sink.watchers == 0, "nothing of the first try is left"


def test_the_invitation_has_address_code_and_key(hand: Box) -> None:
    lines = hand.server.invitation()
    key = hand.server.access.key  # type: ignore[union-attr]
    assert lines[-2] == f"Page: {hand.server.address}sign-in#key={key}"
    assert lines[-1].replace("-", "").endswith(key)
    code = lines[:-2]
    assert len(code) > 10
    assert len({len(line) for line in code}) == 1
    assert max(len(line) for line in lines) <= 80


def test_streams_of_a_real_app_end_with_it(tmp_path: Path) -> None:
    with running(settings(tmp_path)) as box:
        stream = box.owner().stream()
        stream.begin()
        stream.part()
    assert stream.ended()
    stream.__exit__()
    assert box.app.stopped_well


def test_visitors_before_the_start_are_served_after_it(tmp_path: Path, sink: HandSink) -> None:
    config = settings(tmp_path)
    with listen(config.web) as listener:
        early = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
        early.sendall(b"GET /sign-in HTTP/1.0\r\n\r\n")
        with Server(hand_app(config, sink), config, listener):
            assert early.recv(100).startswith(b"HTTP/1.1 200")
        early.close()
