"""A line that is moved by hand, and a bus of the test's own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.power.lines import LineError, Wish
from tests.bus import PrivateBus, private_bus


class HandLine:
    """A GPIO line: `set` is the wire's end."""

    def __init__(self, on: bool = False) -> None:
        self.on = on
        self.closed = False
        self.broken = ""
        self.wish: Wish | None = None
        self._waiting: list[bool] = []
        self._here, self._there = socket.socketpair()

    def make(self, wish: Wish) -> HandLine:
        """In the place of `open_line`."""
        self.wish = wish
        return self

    def set(self, *levels: bool) -> None:
        self._waiting += levels
        self.on = levels[-1]
        self._there.send(b"!")

    def fail(self, why: str) -> None:
        self.broken = why
        self._there.send(b"!")

    def fileno(self) -> int:
        return self._here.fileno()

    def active(self) -> bool:
        return self.on

    def changes(self) -> list[bool]:
        self._here.recv(64)
        if self.broken:
            raise LineError(self.broken)
        seen, self._waiting = self._waiting, []
        return seen

    def close(self) -> None:
        self.closed = True
        self._here.close()
        self._there.close()


@pytest.fixture
def line() -> Iterator[HandLine]:
    line = HandLine()
    yield line
    line.close()


@pytest.fixture
def bus(tmp_path: Path, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    with private_bus(tmp_path, until, monkeypatch) as bus:
        yield bus
