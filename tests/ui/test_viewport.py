"""The viewport shows the newest frame, in its place, and no old one as new; and it gives everything back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from blackbox_qt.core.layout import Layout
from blackbox_qt.ui.geometry import Margins
from blackbox_qt.ui.viewport import Viewport
from tests.fakes import HandClock
from tests.ui.helpers import HandCamera, framebuffer, spin

Open = Callable[..., Viewport]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def opened(qt: Any, clock: HandClock) -> Iterator[Open]:
    made: list[Viewport] = []

    def open_(*cameras: HandCamera, size: tuple[int, int] = (320, 180), **watch: bool) -> Viewport:
        viewport = Viewport(clock)
        made.append(viewport)
        viewport.resize(*size)
        for camera in cameras:
            viewport.watch(camera.name, camera.hub, **watch)
        viewport.show()
        spin(viewport.isValid)
        return viewport

    yield open_
    for viewport in made:
        viewport.shut()
        viewport.deleteLater()


def shown(viewport: Viewport, camera: str = "front") -> int:
    return viewport.report()[camera].shown


def test_nothing_is_black(opened: Open) -> None:
    assert not framebuffer(opened(HandCamera())).any()


def test_letterbox(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera, size=(320, 240))
    camera.grey(clock.now_ns, 200, 160, 90)
    spin(lambda: shown(viewport))
    picture = framebuffer(viewport)[:, :, 0]
    assert not picture[:30].any()
    assert not picture[210:].any()
    assert np.abs(picture[30:210].astype(int) - 200).max() <= 1


def test_a_newer_frame_replaces_one_not_yet_painted(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    camera.grey(clock.now_ns, 50)
    camera.grey(clock.now_ns, 150)
    spin(lambda: shown(viewport))
    assert np.abs(framebuffer(viewport)[:, :, 0].astype(int) - 150).max() <= 1
    assert (shown(viewport), viewport.report()["front"].dropped) == (1, 1)
    assert camera.lending.out == 0


def test_the_picture_may_change_size_and_format(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera, size=(320, 180))
    places = []
    for count, (width, height) in enumerate([(160, 90), (640, 480), (162, 92), (160, 90)], 1):
        camera.grey(clock.now_ns, 100 + count, width, height)
        spin(lambda count=count: shown(viewport) == count)  # type: ignore[misc]
        assert framebuffer(viewport)[90, 160, 0] == 100 + count
        places.append(viewport.boxes["front"].width)
    assert places == [320, 240, 317, 320]
    semi = Layout.packed(64, 36, "NV12", full_range=True)
    camera.show(semi, [np.full((36, 64), 77, np.uint8), np.full((18, 64), 128, np.uint8)], clock.now_ns)
    spin(lambda: shown(viewport) == 5)
    assert framebuffer(viewport)[90, 160, 0] == 77


def test_a_format_that_cannot_be_shown_gets_words(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    layout = Layout.packed(64, 36, "YUYV")
    camera.show(layout, [np.zeros((36, 128), np.uint8)], clock.now_ns)
    spin(lambda: viewport.words("front"))
    assert "YUYV" in viewport.words("front")
    assert camera.lending.out == 0
    camera.grey(clock.now_ns)
    spin(lambda: shown(viewport))
    assert viewport.words("front") == ""


def test_two_cameras_are_picture_and_inset_and_a_tap_swaps_them(opened: Open, clock: HandClock) -> None:
    front, rear = HandCamera("front"), HandCamera("rear")
    viewport = opened(front, rear, size=(640, 360))
    viewport.set_margins(Margins(40, 8))
    front.grey(clock.now_ns, 60)
    rear.grey(clock.now_ns, 180)
    spin(lambda: shown(viewport, "front") and shown(viewport, "rear"))
    inset = viewport.boxes["rear"]
    middle = QPoint(inset.x + inset.width // 2, inset.y + inset.height // 2)
    picture = framebuffer(viewport)
    assert (picture[300, 100, 0], picture[middle.y(), middle.x(), 0]) == (60, 180)
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(100, 300))
    assert viewport.cameras == ["front", "rear"]
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=middle)
    assert viewport.cameras == ["rear", "front"]
    picture = framebuffer(viewport)
    assert (picture[300, 100, 0], picture[middle.y(), middle.x(), 0]) == (180, 60)


def test_mirrored(opened: Open, clock: HandClock) -> None:
    camera = HandCamera("rear")
    viewport = opened(camera, mirrored=True)
    layout = Layout.packed(320, 180, full_range=True)
    luma = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (180, 1))
    camera.show(layout, [luma, *[np.full((90, 160), 128, np.uint8)] * 2], clock.now_ns)
    spin(lambda: shown(viewport, "rear"))
    assert np.abs(framebuffer(viewport)[:, :, 0].astype(int) - luma[:, ::-1]).max() <= 1


def test_the_small_picture_is_used_where_the_camera_gave_it_and_it_suffices(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera, size=(320, 180))

    def picture(width: int, height: int, shade: int) -> tuple[Layout, list[Any]]:
        layout = Layout.packed(width, height, full_range=True)
        return layout, [
            np.full((p.rows, p.width), s, np.uint8) for p, s in zip(layout.planes, (shade, 128, 128), strict=True)
        ]

    camera.show(*picture(640, 360, 50), clock.now_ns, lores=picture(320, 180, 90))
    spin(lambda: shown(viewport))
    assert framebuffer(viewport)[90, 160, 0] == 90
    viewport.resize(480, 270)
    camera.show(*picture(640, 360, 50), clock.now_ns, lores=picture(320, 180, 90))
    spin(lambda: shown(viewport) == 2)
    assert framebuffer(viewport)[90, 160, 0] == 50


def test_no_small_picture_is_ever_made_for_the_window(opened: Open, clock: HandClock) -> None:
    from blackbox_qt.core.frame import Frame
    from tests.ui.helpers import image_of

    camera = HandCamera()
    viewport = opened(camera)
    layout = Layout.packed(640, 360)
    images = {"main": image_of(layout, [np.zeros((p.rows, p.width), np.uint8) for p in layout.planes])}
    frame = Frame.lend("front", 1, clock.now_ns, images, lambda: None)
    frame.images.offer("lores", lambda main: pytest.fail("it was made"))
    camera.hub.publish(frame)
    spin(lambda: shown(viewport))


def test_an_old_picture_is_dimmed_and_a_new_one_is_not(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    turns: list[bool] = []
    viewport.changed.connect(lambda: turns.append(viewport.is_stopped("front")))
    assert viewport.is_stopped("front")
    camera.grey(clock.now_ns, 200)
    spin(lambda: shown(viewport))
    assert not viewport.is_stopped("front")
    clock.advance(0.29)
    viewport.check_age()
    assert not viewport.is_stopped("front")
    clock.advance(0.02)
    viewport.check_age()
    assert viewport.is_stopped("front")
    assert framebuffer(viewport)[90, 160, 0] == pytest.approx(70, abs=1)
    camera.grey(clock.now_ns, 200)
    spin(lambda: shown(viewport) == 2)
    assert not viewport.is_stopped("front")
    assert framebuffer(viewport)[90, 160, 0] == 200
    spin(lambda: turns[-1] is False)


def test_a_hidden_or_minimised_window_takes_no_frames(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    for unseen, seen in (
        (viewport.hide, viewport.show),
        (lambda: setattr(viewport, "minimised", True), lambda: setattr(viewport, "minimised", False)),
    ):
        camera.grey(clock.now_ns)  # waiting, not yet painted
        unseen()
        assert camera.lending.out == 0
        before = shown(viewport)
        camera.grey(clock.now_ns)
        assert camera.lending.out == 0
        seen()
        camera.grey(clock.now_ns)
        spin(lambda before=before: shown(viewport) == before + 1)  # type: ignore[misc]


def test_a_window_that_is_not_painted_keeps_no_old_frame(opened: Open, clock: HandClock) -> None:
    """A screen that is off, another workspace: visible to Qt, but never painted."""
    camera = HandCamera()
    viewport = opened(camera)
    for collected in (False, True):
        before = viewport.report()["front"]
        viewport.setUpdatesEnabled(False)
        camera.grey(clock.now_ns)
        if collected:
            viewport._feeds[0]._collect_newest()
        clock.advance(0.29)
        viewport.check_age()
        assert camera.lending.out == 1, "it may still be painted"
        clock.advance(0.02)
        viewport.check_age()
        assert camera.lending.out == 0, "the source can be closed"
        assert viewport.report()["front"].dropped == before.dropped + 1
        viewport.setUpdatesEnabled(True)
        camera.grey(clock.now_ns)
        spin(lambda before=before: shown(viewport) == before.shown + 1)  # type: ignore[misc]


def test_twenty_moves_between_windows_rebuild_everything(opened: Open, clock: HandClock) -> None:
    """Each is a new GL context."""
    camera = HandCamera()
    viewport = opened(camera)
    hosts = [QWidget(), QWidget()]
    contexts = set()
    for host in hosts:
        host.resize(320, 180)
        host.show()
    for turn in range(20):
        viewport.setParent(hosts[turn % 2])
        viewport.show()
        camera.grey(clock.now_ns, 100 + turn)
        spin(lambda turn=turn: shown(viewport) == turn + 1)  # type: ignore[misc]
        contexts.add(viewport.context())
        assert framebuffer(viewport)[90, 160, 0] == 100 + turn
        assert camera.lending.out == 0
    assert len(contexts) == 20
    viewport.setParent(None)
    for host in hosts:
        host.deleteLater()


def test_the_draw_is_reported_with_its_frames_time(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    drawn: list[tuple[str, int, int]] = []
    viewport.on_drawn = lambda *what: drawn.append(what)
    camera.grey(clock.now_ns - 5)
    spin(lambda: drawn)
    viewport.update()
    spin(lambda: framebuffer(viewport)[0, 0, 0])
    assert drawn == [("front", clock.now_ns - 5, clock.now_ns)]


def test_shut_gives_back_what_waits(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    camera.grey(clock.now_ns)
    assert camera.lending.out == 1
    viewport.shut()
    assert camera.lending.out == 0
    camera.grey(clock.now_ns)
    assert camera.lending.out == 0


def test_a_limit_paints_fewer_pictures_and_takes_none_for_old(opened: Open, clock: HandClock) -> None:
    camera = HandCamera()
    viewport = opened(camera)
    viewport.limit(15.0)
    for _ in range(30):
        clock.advance(1 / 30)
        camera.grey(clock.now_ns, 100, 128, 128)
        viewport._feeds[0]._collect_newest()
        viewport.check_age()
    spin(lambda: shown(viewport))
    report = viewport.report()["front"]
    assert 13 <= report.dropped <= 29 and not viewport.is_stopped("front")
    before = report.dropped
    viewport.limit(None)
    clock.advance(1 / 30)
    camera.grey(clock.now_ns, 120, 128, 128)
    spin(lambda: shown(viewport) >= 2)
    assert viewport.report()["front"].dropped == before
