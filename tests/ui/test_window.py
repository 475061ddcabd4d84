"""The window says what is true, in words that fit, on targets that a glove hits."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from blackbox_qt.app.status import Status
from blackbox_qt.config import Config, load
from blackbox_qt.ui.buttons import HOLD_MS
from blackbox_qt.ui.cards import qr_pixmap
from blackbox_qt.ui.strip import strip_colours
from blackbox_qt.ui.theme import Tokens, contrast
from blackbox_qt.ui.window import Window
from tests.fakes import HandClock
from tests.ui.helpers import CAMERA, WELL, HandCamera, camera_status, rgb_of, spin

ADDRESS = "http://192.168.4.1:8080/#key=Zk3v9QmX2rT7bW5yN8dLpAZk3v9QmX2rT7bW5yN8dLpA"
NEVER_CAME = replace(camera_status("rear", words="no camera (cable?)"), state="fault", frames=0)
PANELS = [(800, 480, 133.0), (1280, 720, 209.0), (1280, 800, 149.0), (720, 1280, 209.0)]


class FakeApp:
    """What the window sees of an App, moved by hand."""

    def __init__(self, *names: str) -> None:
        self.clock = HandClock()
        self.cameras = {name: HandCamera(name) for name in names}
        self.now = replace(WELL, cameras=tuple(replace(CAMERA, name=name) for name in names))
        self.asked: list[Any] = []

    def status(self) -> Status:
        return self.now

    def pause(self, seconds: float) -> None:
        self.asked.append(("pause", seconds))

    def resume(self) -> None:
        self.asked.append("resume")


Open = Callable[..., Window]


@pytest.fixture
def opened(qt: Any) -> Iterator[Open]:
    made: list[Window] = []

    def open_(app: FakeApp, *settings: str, address: Any = ADDRESS) -> Window:
        config: Config = load(None, settings)
        window = Window(app, config, address)  # type: ignore[arg-type]
        made.append(window)
        window.show()
        spin(window.viewport.isValid)
        return window

    yield open_
    for window in made:
        asyncio.run(window.shut())
        window.deleteLater()


@pytest.mark.parametrize(("width", "height", "dpi"), PANELS)
def test_everything_fits_and_a_glove_hits_it(opened: Open, width: int, height: int, dpi: float) -> None:
    window = opened(FakeApp("front", "rear"), f"window.width={width}", f"window.height={height}", f"window.dpi={dpi}")
    inside = window.rect()
    window._open_phone()
    card = window.phone_card
    assert inside.contains(card.geometry())
    assert card._words.heightForWidth(card._words.width()) <= card._words.height()
    window.marker.last = "m1"  # so that the menu has all its rows
    window._poll()
    window._toggle_menu()
    menu = window.menu
    assert inside.contains(menu.geometry())
    targets = [window.menu_button, window.snapshot_button, window.mark_button, menu.phone, menu.stop, card.done]
    targets += [menu.undo, menu.trip]
    rows = [menu.phone, menu.trip, menu.undo, menu.stop]
    assert all(one.geometry().bottom() < two.geometry().top() for one, two in itertools.pairwise(rows))
    for target in targets:
        assert min(target.width(), target.height()) >= 15 * dpi / 25.4 - 1, target.text()
    for name, box in window.viewport.boxes.items():
        if name != "front":
            assert box.y >= window.strip.height()
            assert min(box.width, box.height) >= 15 * dpi / 25.4
    assert not window.strip.geometry().intersects(card.geometry())
    assert not menu.geometry().intersects(window.menu_button.geometry())
    assert not menu.geometry().intersects(window.strip.geometry())
    others = [window.snapshot_button, window.menu_button, menu]
    assert not any(other.geometry().intersects(window.mark_button.geometry()) for other in others)
    assert window.mark_button.height() > window.menu_button.height(), "the largest target"


def test_the_strip_is_legible_in_every_mood() -> None:
    for mood, (plate, ink) in strip_colours(Tokens.load(night=True)).items():
        assert contrast(plate, ink) >= 7, mood


def test_cards_are_legible_by_day_and_night() -> None:
    for night in (False, True):
        tokens = Tokens.load(night=night)
        assert contrast(tokens.surface, tokens.ink) >= 4.5
        assert contrast(tokens.background, tokens.ink) >= 4.5


def test_faults_are_said_in_words_and_an_old_picture_is_marked(opened: Open) -> None:
    app = FakeApp("front", "rear")
    window = opened(app)
    app.cameras["front"].grey(app.clock.now_ns)
    spin(lambda: window.viewport.report()["front"].shown)
    app.now = replace(app.now, cameras=(CAMERA, NEVER_CAME))
    app.clock.advance(0.5)
    window._poll()
    plates = window.plates
    assert plates._titles["front"].text() == "PICTURE STOPPED"
    assert plates._titles["rear"].text() == "NO CAMERA"
    assert plates._sentences.text() == "REAR: no camera (cable?)"
    app.cameras["front"].grey(app.clock.now_ns)
    spin(lambda: plates._titles["front"].isHidden())
    app.now = WELL
    window._poll()
    assert plates._sentences.isHidden()


def test_the_strip_follows_the_status(opened: Open) -> None:
    app = FakeApp("front")
    window = opened(app)
    assert window.strip.view is not None
    assert window.strip.view.title == "REC"
    dot = rgb_of(window.strip.grab().toImage())
    app.now = replace(WELL, recording="fault", words="FRONT: no card", cameras=(camera_status(state="fault"),))
    spin(lambda: window.strip.view.title == "NOT RECORDING")  # type: ignore[union-attr]
    alarm = rgb_of(window.strip.grab().toImage())
    assert (alarm[2, 2] != dot[2, 2]).any(), "the whole strip turns"


@pytest.mark.parametrize(("width", "height", "dpi", "below"), [(800, 480, 133, False), (720, 1280, 209, True)])
def test_an_alarm_s_words_have_room(opened: Open, width: int, height: int, dpi: int, below: bool) -> None:
    app = FakeApp("front")
    app.now = replace(WELL, recording="paused", cameras=(camera_status(state="paused", resumes_in_s=530),))
    window = opened(app, f"window.width={width}", f"window.height={height}", f"window.dpi={dpi}")
    view = window.strip.view
    assert view is not None
    assert window.strip.stacks(view, width - window.strip.height()) == below
    picture = rgb_of(window.strip.grab().toImage())
    low = picture[round(len(picture) * 0.6) :, : width // 2]
    assert (low.min(axis=(0, 2)) < 60).mean() > 0.3 or not below, "the words are there"


def test_recording_is_stopped_by_a_hold_and_not_by_a_tap(opened: Open) -> None:
    app = FakeApp("front")
    window = opened(app, "web.pause_minutes=5")
    window._toggle_menu()
    stop = window.menu.stop
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert stop.progress == 0
    QTest.mousePress(stop, Qt.MouseButton.LeftButton)
    stop._filling.setCurrentTime(HOLD_MS - 50)
    spin(lambda: stop.progress > 0.9)
    assert app.asked == []
    spin(lambda: app.asked)
    assert app.asked == [("pause", 300.0)]
    QTest.mouseRelease(stop, Qt.MouseButton.LeftButton)
    assert window.menu.isHidden()


def test_a_paused_recorder_is_started_by_a_tap(opened: Open) -> None:
    app = FakeApp("front")
    app.now = replace(WELL, recording="paused", cameras=(camera_status(state="paused", resumes_in_s=60),))
    window = opened(app)
    window._toggle_menu()
    assert window.menu.stop.isHidden()
    QTest.mouseClick(window.menu.start, Qt.MouseButton.LeftButton)
    assert app.asked == ["resume"]


def test_a_phone_reads_the_code(opened: Open) -> None:
    window = opened(FakeApp("front"))
    window._toggle_menu()
    QTest.mouseClick(window.menu.phone, Qt.MouseButton.LeftButton)
    assert window.phone_card.isVisible()
    seen = rgb_of(window.phone_card.code.grab().toImage())
    assert cv2.QRCodeDetector().detectAndDecode(seen)[0] == ADDRESS
    QTest.mouseClick(window.phone_card.done, Qt.MouseButton.LeftButton)
    assert window.phone_card.isHidden()


def test_the_code_is_made_when_it_is_shown(opened: Open) -> None:
    """The car's Wi-Fi comes up after the window."""
    now = ["http://127.0.0.1:8080/#key=a"]
    window = opened(FakeApp("front"), address=lambda: now[0])
    now[0] = ADDRESS
    window._open_phone()
    seen = rgb_of(window.phone_card.code.grab().toImage())
    assert cv2.QRCodeDetector().detectAndDecode(seen)[0] == ADDRESS
    assert ADDRESS in window.phone_card._words.text().replace("\u200b", "")


def test_a_code_is_never_smaller_than_a_pixel_per_module(qt: Any) -> None:
    assert qr_pixmap(ADDRESS, 10).width() >= 21 + 8


def test_without_a_page_no_phone_is_invited(opened: Open) -> None:
    window = opened(FakeApp("front"), address="")
    window._toggle_menu()
    assert window.menu.phone.isHidden()
    assert window.menu.isVisible()


def test_a_tap_beside_the_menu_closes_it(opened: Open) -> None:
    window = opened(FakeApp("front"))
    window._toggle_menu()
    QTest.mouseClick(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(20, 200))
    assert window.menu.isHidden()


def test_the_status_is_told_what_became_of_the_frames(opened: Open) -> None:
    app = FakeApp("front")
    window = opened(app)
    camera = app.cameras["front"]
    camera.grey(app.clock.now_ns)
    spin(lambda: window.viewport.report()["front"].shown)
    window._telling.setInterval(1)
    spin(lambda: camera.display and camera.display.shown == 1)
    assert camera.display is not None
    assert camera.display.path.startswith("upload")
    assert camera.display.dropped == 0
    window.hide()
    window._tell()
    assert (camera.display.shown, camera.display.path) == (1, "")


def test_a_minimised_window_takes_no_frames(opened: Open) -> None:
    app = FakeApp("front")
    window = opened(app)
    window.setWindowState(Qt.WindowState.WindowMinimized)
    spin(lambda: app.cameras["front"].hub._mailboxes[0].paused)
    window.setWindowState(Qt.WindowState.WindowNoState)
    spin(lambda: not app.cameras["front"].hub._mailboxes[0].paused)


def test_keys(opened: Open) -> None:
    window = opened(FakeApp("front"))
    closed: list[bool] = []
    window.closed.connect(lambda: closed.append(True))
    window.activateWindow()
    spin(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_F11)
    spin(window.isFullScreen)
    window._toggle_menu()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.menu.isHidden()
    assert window.isFullScreen()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isFullScreen()
    QTest.keyClick(window, Qt.Key.Key_Q)
    assert not closed
    assert window.question.isHidden(), "no single key ends anything"


def test_closing_asks_while_it_records(opened: Open) -> None:
    app = FakeApp("front")
    window = opened(app)
    closed: list[bool] = []
    window.closed.connect(lambda: closed.append(True))
    window.activateWindow()
    spin(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    spin(window.question.isVisible)
    QTest.mouseClick(window.question.keep, Qt.MouseButton.LeftButton)
    assert window.question.isHidden()
    assert window.isVisible()
    assert not closed
    window.close()
    QTest.mouseClick(window.question.stop, Qt.MouseButton.LeftButton)
    assert closed == [True]


def test_closing_does_not_ask_when_nothing_is_recorded(opened: Open) -> None:
    app = FakeApp("front")
    app.now = replace(WELL, recording="fault", cameras=(camera_status(state="fault", words="no card"),))
    window = opened(app)
    closed: list[bool] = []
    window.closed.connect(lambda: closed.append(True))
    window.close()
    assert closed == [True]


def test_a_still_on_a_stalled_card_does_not_hold_up_the_end(
    qt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str]
) -> None:
    expected_alarms.append("the thread snapshot is stuck")
    card_answers, asked = threading.Event(), threading.Event()

    def stall(*_: object) -> Path:
        asked.set()
        assert card_answers.wait(20)
        return tmp_path / "late.jpg"

    monkeypatch.setattr("blackbox_qt.ui.snapshots.save_still", stall)
    monkeypatch.setattr("blackbox_qt.ui.window._SHUT_WITHIN_S", 0.1)
    app = FakeApp("front")
    picture: Future[bytes] = Future()
    picture.set_result(b"jpeg")
    app.cameras["front"].jpeg = SimpleNamespace(grab=lambda job: picture)  # type: ignore[attr-defined]
    app.data = tmp_path  # type: ignore[attr-defined]
    window = Window(app, load(None), "")  # type: ignore[arg-type]

    async def still_and_end() -> None:
        window.snapshot()
        while not asked.is_set():
            await asyncio.sleep(0)
        await window.shut()

    try:
        begin = time.monotonic()
        asyncio.run(still_and_end())
        assert time.monotonic() - begin < 1
    finally:
        card_answers.set()
        window.deleteLater()


def test_the_large_picture_is_the_one_saved(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def take(_: object, camera: str, *rest: object) -> Path:
        asked.append(camera)
        return tmp_path / "a.jpg"

    monkeypatch.setattr("blackbox_qt.ui.window.take_snapshot", take)
    window = opened(FakeApp("front", "rear"))
    window.viewport.enlarge("rear")
    asyncio.run(window._save(window.viewport.cameras[0]))
    assert asked == ["rear"]
    assert window.plates._sentences.text() == "Saved a.jpg"
