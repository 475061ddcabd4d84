"""Visitors who are rude, broken or many: the box goes on, and others are served."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from blackbox_qt.web import connection

from .conftest import Box
from .fakes import HandSink, Visitor

Until = Callable[..., None]


def say(visitor: Visitor, text: bytes) -> socket.socket:
    made = socket.create_connection(visitor.host, timeout=10)
    made.sendall(text)
    return made


def hears(made: socket.socket) -> bytes:
    """All until the server ends it."""
    heard = b""
    try:
        while data := made.recv(65536):
            heard += data
    except ConnectionResetError:
        pass
    return heard


@pytest.mark.usefixtures("nobody_watches")
def test_two_hundred_that_connect_and_leave_cost_no_frame(box: Box) -> None:
    owner = box.owner()
    camera = box.app.cameras["front"]
    lost = sum(box.app.status().cameras[0].lost.values())
    with owner.stream() as stream:
        stream.begin()
        stamps = []
        for number in range(200):
            if number % 3 == 0:
                socket.create_connection(owner.host).close()
            elif number % 3 == 1:
                say(owner, b"GET /video_feed HT").close()
            else:
                owner.stream().__exit__()
            if number % 10 == 0:
                stamps.append(float(stream.part()[0]["X-Timestamp"]))
        assert stamps == sorted(set(stamps))
    assert sum(camera.status().lost.values()) == lost
    assert owner.ask("/api/v1/status").status == 200


def test_a_head_that_never_ends_is_cut_off(hand: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.2)
    visitor = hand.visitor()
    half = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    for text in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", half):
        with say(visitor, text) as made:
            assert hears(made) == b""


def test_a_second_request_has_a_deadline_too(hand: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.2)
    with say(hand.visitor(), b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\nGET /sign") as made:
        assert hears(made).count(b"HTTP/1.1 200") == 1


def test_a_stream_outlives_the_request_s_deadline(
    hand: Box, sink: HandSink, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.05)
    with hand.owner().stream() as stream, say(hand.visitor(), b"GET") as other:
        stream.begin()
        until(lambda: sink.watchers == 1)
        assert hears(other) == b""  # its time is over, so the stream's would be too
        fed = sink.feed()
        assert stream.part()[1] == fed.data


def test_a_huge_head_is_cut_off(hand: Box) -> None:
    visitor = hand.visitor()
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(20_000))
    with say(visitor, b"GET / HTTP/1.1\r\n") as made, pytest.raises(OSError):
        made.sendall(lines)
    assert visitor.ask("/sign-in").status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_huge_body_is_refused_with_a_sentence(box: Box, chunked: bool) -> None:
    visitor = box.visitor()
    body = b'{"key": "' + b"x" * 70_000 + b'"}'
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if chunked:
        text = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        text = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with say(visitor, text) as made:
        heard = hears(made)
    assert heard.startswith(b"HTTP/1.1 413")
    assert b"64 KB at most" in heard


@pytest.mark.parametrize("text", [
    b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
])  # fmt: skip
def test_nonsense_gets_a_refusal_without_a_traceback(box: Box, text: bytes) -> None:
    visitor = box.visitor()
    with say(visitor, text) as made:
        made.shutdown(socket.SHUT_WR)
        heard = hears(made)
    assert heard == b"" or heard.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert b"Traceback" not in heard
    assert visitor.ask("/healthz").status == 200


def test_a_web_socket_is_not_spoken_here(box: Box) -> None:
    answer = box.owner().ask("/api/v1/status", Upgrade="websocket", Connection="Upgrade")
    assert answer.status == 200


def test_thousands_of_requests_in_one_packet_are_refused(hand: Box) -> None:
    with say(hand.visitor(), b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 3000) as made:
        made.shutdown(socket.SHUT_WR)
        assert hears(made).count(b"HTTP/1.1 4") < 20


def test_connections_are_bounded(hand: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 5)
    visitor = hand.visitor()
    held = [say(visitor, b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(5)]
    try:
        for made in held:
            assert made.recv(1000).startswith(b"HTTP/1.1 200")
        with socket.create_connection(visitor.host, timeout=10) as one_more:
            assert hears(one_more) == b""
    finally:
        for made in held:
            made.close()


def test_one_address_cannot_take_all_connections(hand: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_PER_ADDRESS", 2)
    monkeypatch.setattr(connection, "_network", lambda _: "198.51.100.7")
    visitor = hand.visitor()
    with say(visitor, b"G") as _one, say(visitor, b"G") as _two, socket.create_connection(visitor.host) as three:
        assert hears(three) == b""


def test_who_is_counted_together() -> None:
    class From:
        def __init__(self, host: str) -> None:
            self.client = (host, 1)

    same = connection._network
    assert same(From("127.0.0.1")) is None
    assert same(From("::1")) is None
    assert same(From("::ffff:127.0.0.1")) is None
    assert same(From("10.0.0.2")) == same(From("::ffff:10.0.0.2")) != same(From("10.0.0.3"))
    assert same(From("fd00::1:2")) == same(From("fd00::ffff")) != same(From("fd00:1::1"))
    assert same(From("fe80::1%eth0")) == same(From("fe80::2%eth0"))
