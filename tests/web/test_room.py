"""Who has room for another picture."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from blackbox_qt.web.listen import NOTSENT_LOWAT_BYTES
from blackbox_qt.web.room import Room

_TCP_NOTSENT_LOWAT = 25  # tcp(7)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours and the visitor's end of a connection like the page's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
        visitor = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    ours.setblocking(False)
    with ours, visitor:
        yield ours, visitor


def fill(ours: socket.socket) -> int:
    """What the kernel takes, bytes."""
    sent = 0
    while True:
        try:
            sent += ours.send(bytes(65536))
        except BlockingIOError:
            return sent


def test_a_reader_that_takes_nothing_has_no_room_until_it_has_taken_all(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, visitor = pair
    room = Room()
    room.add(ours.fileno())
    assert room.now() == [ours.fileno()]
    left = fill(ours)
    assert room.now() == []
    while left:
        left -= len(visitor.recv(left))
    assert room.now() == [ours.fileno()]


def test_a_closed_socket_has_no_room_and_is_forgotten_twice(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    room = Room()
    fd = ours.fileno()
    room.add(fd)
    ours.close()
    assert room.now() == []
    room.discard(fd)
    room.discard(fd)
    assert room.now() == []
