"""A screen that comes after the recorder, and one that fails: waited for, never in the way of the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackbox_qt.commands import screen


class Hand:
    """An Ending moved by hand."""

    def __init__(self) -> None:
        self.requested = False
        self._asked, self._ask = socket.socketpair()
        self._asked.setblocking(False)

    def end(self) -> None:
        self.requested = True
        self._ask.send(b"!")

    def fileno(self) -> int:
        return self._asked.fileno()

    def drained(self) -> bool:
        try:
            self._asked.recv(64)
        except BlockingIOError:
            return self.requested
        return self.requested

    def close(self) -> None:
        self._asked.close()
        self._ask.close()


@pytest.fixture
def ending() -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


class Gone(Exception):
    pass


def test_only_a_socket_named_by_its_whole_path_is_waited_for() -> None:
    assert screen.comes_later({"WAYLAND_DISPLAY": "/run/blackbox-kiosk/wayland-0"})
    assert not screen.comes_later({"WAYLAND_DISPLAY": "wayland-0"})
    assert not screen.comes_later({"DISPLAY": ":0"})


def test_a_screen_that_is_there_is_not_waited_for(tmp_path: Path, ending: Hand) -> None:
    (tmp_path / "wayland-0").touch()
    assert screen.wait_until_there(ending, {"WAYLAND_DISPLAY": str(tmp_path / "wayland-0")}, look_s=1e9)


def test_a_screen_that_comes_is_found(tmp_path: Path, ending: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    place, looks = tmp_path / "wayland-0", []

    def pause(_: screen.Ending, seconds: float) -> bool:
        looks.append(seconds)
        if len(looks) == 3:
            place.touch()
        return False

    monkeypatch.setattr(screen, "pause", pause)
    assert screen.wait_until_there(ending, {"WAYLAND_DISPLAY": str(place)}, look_s=1)
    assert looks == [1, 1, 1]


def test_the_end_is_not_held_up_by_a_screen_that_never_comes(tmp_path: Path, ending: Hand) -> None:
    ending.end()
    assert not screen.wait_until_there(ending, {"WAYLAND_DISPLAY": str(tmp_path / "never")}, look_s=1e6)


def test_a_pause_answers_what_is_no_end_and_goes_on(ending: Hand) -> None:
    ending._ask.send(b"?")  # as the service's watch does, to see whether the main thread is alive
    assert not screen.pause(ending, 0.05)
    with pytest.raises(BlockingIOError):
        ending._asked.recv(1)  # it was noticed


def test_the_end_wakes_a_pause(ending: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    def end_asked(*_: object) -> tuple[list[Hand], list[Hand], list[Hand]]:
        ending.end()
        return [ending], [], []

    monkeypatch.setattr(screen.select, "select", end_asked)
    assert screen.pause(ending, 1e6)


def test_a_window_that_fails_is_tried_again_ever_more_slowly(
    tmp_path: Path, ending: Hand, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str]
) -> None:
    (tmp_path / "wayland-0").touch()
    monkeypatch.setenv("WAYLAND_DISPLAY", str(tmp_path / "wayland-0"))
    waits: list[float] = []
    monkeypatch.setattr(screen, "pause", lambda _, seconds: waits.append(seconds))
    tries = iter([Gone("no GL"), Gone("no GL"), Gone("no GL"), Gone("no GL"), Gone("no GL"), 7])

    def attempt() -> int:
        outcome = next(tries)
        if isinstance(outcome, Gone):
            raise outcome
        return outcome

    expected_alarms.append("no GL; recording goes on without a window")
    assert screen.again_and_again(attempt, Gone, ending) == 7
    assert waits == [2, 4, 8, 16, 30]


def test_between_two_tries_the_end_ends_it(tmp_path: Path, ending: Hand, expected_alarms: list[str]) -> None:
    def attempt() -> int:
        ending.end()
        raise Gone("the compositor died")

    expected_alarms.append("the compositor died")
    assert screen.again_and_again(attempt, Gone, ending) is None
