"""MARK in the window: said when it is saved, and when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from blackbox_qt.app import mark_words
from blackbox_qt.app.mark_requests import ANSWER_S, Asked, MarkError
from blackbox_qt.app.status import MarkStatus, Status
from blackbox_qt.config import load
from blackbox_qt.storage.marks import Mark
from blackbox_qt.ui.buttons import HOLD_MS
from blackbox_qt.ui.marker import Marker, MarkView, mark_view
from blackbox_qt.ui.theme import Tokens, contrast
from blackbox_qt.ui.window import Window
from tests.fakes import HandClock
from tests.ui.helpers import CAMERA, WELL, HandCamera, rgb_of, spin

MARK = Mark("m1", "asked", "manual", "window", "", "", "boot", 5, 3, 9, words="Saved: 30 s before to 60 s after")
RUNNING = MarkStatus(1, "m1", 54.2)


class HandMarking:
    """Takes presses; the test answers them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answers: list[Future[Mark]] = []

    def _take(self, what: str, more: Any) -> Asked:
        self.asked.append((what, more))
        self.answers.append(Future())
        return Asked(replace(MARK, state="waiting", words=mark_words.WAITING), self.answers[-1])

    def ask(self, by: str, *, whole_trip: bool = False) -> Asked:
        return self._take(by, whole_trip)

    def undo(self, name: str) -> Asked:
        return self._take("undo", name)


class HandApp:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.cameras = {"front": HandCamera("front")}
        self.marking = HandMarking()
        self.now = replace(WELL, cameras=(CAMERA,))

    def status(self) -> Status:
        return self.now


class Desk:
    """A Marker without a window."""

    def __init__(self) -> None:
        self.app = HandApp()
        self.said: list[str] = []
        self.saved = 0
        self.marker = Marker(self.app, self.said.append, self._saved)  # type: ignore[arg-type]

    def _saved(self) -> None:
        self.saved += 1


def test_saved_is_said_when_it_is_saved_and_not_before() -> None:
    desk = Desk()
    desk.marker.press()
    desk.marker.look(MarkStatus())
    assert (desk.said, desk.saved, desk.marker.asking) == ([], 0, True)
    desk.app.marking.answers[0].set_result(MARK)
    desk.marker.look(RUNNING)
    assert (desk.said, desk.saved, desk.marker.asking) == ([MARK.words], 1, False)
    desk.marker.look(RUNNING)
    desk.marker.look(MarkStatus(1))
    assert desk.said == [MARK.words, "Kept."]


def test_a_card_that_does_not_answer_is_said_once_and_the_rest_when_it_does() -> None:
    desk = Desk()
    desk.marker.press()
    desk.app.clock.advance(ANSWER_S - 0.1)
    desk.marker.look(MarkStatus())
    assert desk.said == []
    desk.app.clock.advance(0.1)
    desk.marker.look(MarkStatus())
    desk.marker.look(MarkStatus())
    assert (desk.said, desk.saved) == ([mark_words.WAITING], 0)
    desk.app.marking.answers[0].set_result(MARK)
    desk.marker.look(RUNNING)
    assert (desk.said[1:], desk.saved) == ([MARK.words], 1)


def test_a_refused_mark_is_said_without_a_flash() -> None:
    desk = Desk()
    desk.marker.press()
    desk.app.marking.answers[0].set_result(replace(MARK, state="refused", words="Not kept: no room"))
    desk.marker.look(MarkStatus())
    assert (desk.said, desk.saved, desk.marker.last) == (["Not kept: no room"], 0, "")


def test_a_trip_that_outgrows_its_room_is_said_when_it_does() -> None:
    desk = Desk()
    trip = MarkStatus(1, "m1", None, True)
    for refused in ("", "Not kept: no room", "Not kept: no room", "", "Not kept: no room"):
        desk.marker.look(replace(trip, refused=refused))
    assert desk.said == ["Not kept: no room"] * 2


def test_an_undo_takes_back_the_last_one_and_its_end_is_no_kept() -> None:
    desk = Desk()
    desk.marker.undo()
    assert desk.app.marking.asked == [], "there is none"
    desk.marker.look(RUNNING)  # the button in the car, say
    desk.marker.undo()
    assert desk.app.marking.asked == [("undo", "m1")]
    desk.marker.look(MarkStatus())
    desk.app.marking.answers[0].set_result(replace(MARK, state="undone", undone=True, words=mark_words.UNDONE))
    desk.marker.look(MarkStatus())
    assert (desk.said, desk.marker.last, desk.saved) == ([mark_words.UNDONE], "", 0)


def test_an_undo_of_a_mark_that_is_gone_is_said() -> None:
    desk = Desk()
    desk.marker.last = "m1"
    desk.marker.undo()
    desk.app.marking.answers[0].set_exception(MarkError("There is no mark m1"))
    desk.marker.look(MarkStatus())
    assert desk.said == ["There is no mark m1"]


@pytest.mark.parametrize(("marks", "asking", "view"), [
    (MarkStatus(), False, MarkView("idle", "")),
    (MarkStatus(), True, MarkView("idle", "saving…")),
    (RUNNING, False, MarkView("keeping", "55 s more")),
    (MarkStatus(1, "m1", None, True), False, MarkView("keeping", "whole trip")),
    (replace(RUNNING, words=mark_words.WAITING), True, MarkView("waiting", "waits for card")),
])  # fmt: skip
def test_the_button_says_what_is_so(marks: MarkStatus, asking: bool, view: MarkView) -> None:
    assert mark_view(marks, asking=asking) == view


@pytest.mark.parametrize("night", [False, True])
def test_the_button_is_legible_in_every_mood(night: bool) -> None:
    tokens = Tokens.load(night=night)
    for plate in (tokens.accent, tokens.ok, tokens.warning):
        assert contrast(plate, tokens.surface) >= 4.5


@pytest.fixture
def window(qt: Any) -> Iterator[Window]:
    made = Window(HandApp(), load(None), "http://127.0.0.1/")  # type: ignore[arg-type]
    made.show()
    spin(made.viewport.isValid)
    yield made
    asyncio.run(made.shut())
    made.deleteLater()


def test_a_tap_and_a_key_mark_at_once_and_the_edge_flashes_when_it_is_saved(window: Window) -> None:
    app: Any = window._app
    QTest.mousePress(window.mark_button, Qt.MouseButton.LeftButton)
    assert app.marking.asked == [("window", False)], "the press, not its end"
    QTest.mouseRelease(window.mark_button, Qt.MouseButton.LeftButton)
    assert window.mark_button.view.words == "saving…" and window.flash.isHidden()
    blue = rgb_of(window.mark_button.grab().toImage())
    app.marking.answers[0].set_result(MARK)
    app.now = replace(app.now, marks=RUNNING)
    window._poll()
    assert window.flash.isVisible() and MARK.words in window.plates._sentences.text()
    assert window.mark_button.view.words == "55 s more"
    green = rgb_of(window.mark_button.grab().toImage())
    assert (blue[-6, 60] != green[-6, 60]).any()
    spin(window.flash.isHidden)
    window.activateWindow()
    spin(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_M)
    assert len(app.marking.asked) == 2


def test_the_menu_keeps_the_trip_by_a_tap_and_undoes_by_a_hold(window: Window) -> None:
    app: Any = window._app
    window._toggle_menu()
    assert window.menu.undo.isHidden(), "there is nothing to undo"
    QTest.mouseClick(window.menu.trip, Qt.MouseButton.LeftButton)
    assert app.marking.asked == [("window", True)] and window.menu.isHidden()
    app.marking.answers[0].set_result(replace(MARK, until_ns=None, words=mark_words.WHOLE_TRIP))
    app.now = replace(app.now, marks=MarkStatus(1, "m1", None, True))
    window._poll()
    window._toggle_menu()
    assert window.menu.trip.isHidden()
    undo = window.menu.undo
    QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert len(app.marking.asked) == 1, "a tap undoes nothing"
    QTest.mousePress(undo, Qt.MouseButton.LeftButton)
    undo._filling.setCurrentTime(HOLD_MS - 20)
    spin(lambda: len(app.marking.asked) == 2)
    assert app.marking.asked[1] == ("undo", "m1")
    QTest.mouseRelease(undo, Qt.MouseButton.LeftButton)
