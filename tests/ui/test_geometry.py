"""Pictures lie where DESIGN says, in every window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.ui.geometry import Box, Margins, arrange, letterbox

HD = (1280, 720)


def test_a_picture_of_the_windows_shape_fills_it() -> None:
    assert arrange([HD], (1280, 720)) == [Box(0, 0, 1280, 720)]


def test_letterbox_keeps_proportions_in_the_middle() -> None:
    assert letterbox(HD, Box(0, 0, 720, 720)) == Box(0, 157, 720, 405)
    assert letterbox((640, 480), Box(10, 20, 1280, 720)) == Box(170, 20, 960, 720)


def test_the_strip_lies_beside_the_picture_where_there_is_room() -> None:
    [box] = arrange([HD], (1280, 800), Margins(top=64, gap=10))
    assert box == Box(0, 72, 1280, 720)


def test_the_strip_covers_sky_where_there_is_no_room() -> None:
    [box] = arrange([HD], (800, 480), Margins(top=64, gap=10))
    assert box == Box(0, 30, 800, 450)


def test_the_second_picture_is_an_inset_in_the_top_right_corner() -> None:
    large, small = arrange([HD, HD], (800, 480), Margins(top=64, gap=10))
    assert large.width == 800
    assert small == Box(550, 74, 240, 135)


def test_upright_windows_have_the_pictures_one_below_the_other() -> None:
    boxes = arrange([HD, HD], (720, 1280), Margins(top=100, gap=16))
    assert boxes == [Box(0, 100, 720, 405), Box(0, 521, 720, 405)]


def test_a_tiny_window_still_has_boxes_that_gl_accepts() -> None:
    for window in ((1, 1), (100, 30), (30, 100)):
        assert all(box.width > 0 and box.height > 0 for box in arrange([HD, HD], window, Margins(64, 10)))


sizes = st.tuples(st.integers(64, 4096), st.integers(64, 4096))


@given(
    pictures=st.lists(sizes, min_size=1, max_size=4), window=st.tuples(st.integers(320, 4000), st.integers(240, 4000))
)
def test_no_picture_leaves_the_window_or_its_shape(pictures: list[tuple[int, int]], window: tuple[int, int]) -> None:
    for (width, height), box in zip(pictures, arrange(pictures, window, Margins(48, 8)), strict=True):
        assert box.x >= 0
        assert box.x + box.width <= window[0]
        assert box.y + box.height <= window[1] + 2
        assert box.width * height == pytest.approx(box.height * width, abs=max(width, height) + 1)
