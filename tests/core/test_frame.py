from __future__ import annotations

import mmap
import threading

import numpy as np
import pytest

from blackbox_qt.core.frame import Frame, FrameClosedError, Image, reap
from blackbox_qt.core.layout import Layout
from tests.fakes import two_buffers


def lend(home: list[int], layout: Layout | None = None) -> Frame:
    layout = layout or Layout.packed(64, 48)
    memory = [bytearray(64 * 96) for _ in range(1 + max(p.buffer for p in layout.planes))]
    return Frame.lend("front", 7, 1000, {"main": Image(layout, memory)}, lambda: home.append(1))


def test_last_close_gives_the_memory_back() -> None:
    home: list[int] = []
    first = lend(home)
    second = first.share("encoder")
    first.close()
    assert not home
    second.close()
    assert home == [1]


def test_closing_twice_is_harmless() -> None:
    home: list[int] = []
    first = lend(home)
    second = first.share("encoder")
    first.close()
    first.close()
    assert not home
    second.close()
    second.close()
    assert home == [1]


def test_a_closed_handle_refuses_work_and_names_its_holder() -> None:
    frame = lend([])
    frame.close()
    with pytest.raises(FrameClosedError, match="source used frame 7 of front"):
        _ = frame.images
    with pytest.raises(FrameClosedError, match="shared"):
        frame.share("x")


def test_a_view_dies_with_the_frame() -> None:
    frame = lend([])
    image = frame.images["main"]
    view = image.view()
    assert len(view) == 64 * 96
    view.release()
    frame.close()
    with pytest.raises(FrameClosedError, match="gone back"):
        image.view()


@pytest.mark.parametrize("take", ["view", "plane", "slice"])
def test_a_view_that_outlives_its_frame_is_reported(take: str, expected_alarms: list[str]) -> None:
    expected_alarms.append("outlived its frame")
    frame = lend([])
    image = frame.images["main"]
    kept = {"view": image.view, "plane": lambda: image.plane(0), "slice": lambda: image.plane(0)[3:5, ::2]}[take]()
    frame.close()
    with pytest.raises(FrameClosedError):
        image.view()
    del kept


@pytest.mark.parametrize("take", ["view", "plane", "slice"])
def test_memory_cannot_be_unmapped_under_a_view(take: str, expected_alarms: list[str]) -> None:
    """A driver's buffer that goes away under somebody's array is a crash; an error at close is not."""
    expected_alarms.append("outlived its frame")
    layout = Layout.packed(64, 48)
    memory = mmap.mmap(-1, layout.size)
    frame = Frame.lend("front", 0, 0, {"main": Image(layout, [memory])}, lambda: None)
    image = frame.images["main"]
    kept = {"view": image.view, "plane": lambda: image.plane(0), "slice": lambda: image.plane(0)[3:5, ::2]}[take]()
    frame.close()
    with pytest.raises(BufferError):
        memory.close()
    assert kept[0] is not None
    del kept
    memory.close()


def test_a_forgotten_frame_is_named_and_sent_home(expected_alarms: list[str]) -> None:
    expected_alarms.append("jpeg forgot to close frame 7 of front")
    home: list[int] = []
    frame = lend(home)
    forgotten = frame.share("jpeg")
    frame.close()
    del forgotten
    assert not home  # the collector runs anywhere: it may only note it
    with pytest.warns(ResourceWarning, match="jpeg forgot to close frame 7 of front"):
        assert reap() == 1
    assert home == [1]


def test_planes_are_the_memory_itself_with_its_strides() -> None:
    layout = two_buffers()
    home: list[int] = []
    with lend(home, layout) as frame:
        image = frame.images["main"]
        y, uv = image.planes()
        assert y.shape == (48, 64) and y.strides == (96, 1)
        assert uv.shape == (24, 64)
        y[1, 2] = 99
        uv[0, 0] = 77
        assert image.view(0)[96 + 2] == 99
        assert image.view(1)[0] == 77
        del y, uv
    assert home == [1]


def test_release_may_happen_on_any_thread() -> None:
    threads: list[str] = []
    frame = Frame.lend(
        "front", 0, 0, {"main": Image(Layout.packed(64, 48), [bytearray(64 * 72)])},
        lambda: threads.append(threading.current_thread().name),
    )  # fmt: skip
    other = frame.share("encoder")
    frame.close()
    thread = threading.Thread(target=other.close, name="elsewhere")
    thread.start()
    thread.join()
    assert threads == ["elsewhere"]


def test_a_lazy_picture_is_made_once_and_only_when_asked() -> None:
    made: list[int] = []
    ended: list[int] = []

    def small(main: Image) -> Image:
        made.append(main.layout.width)
        return Image(Layout.packed(32, 24), [bytearray(32 * 36)], on_end=lambda: ended.append(1))

    frame = lend([])
    frame.images.offer("lores", small)
    assert "lores" in frame.images and not made
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        assert frame.images["lores"].layout.width == 32

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [64]
    frame.close()
    assert ended == [1]


def test_a_small_picture_in_the_main_ones_memory_ends_before_it() -> None:
    frame = lend([])
    frame.images.offer("lores", lambda main: Image(main.layout, [main.view()]))
    assert frame.images["lores"].plane(0).shape == (48, 64)
    frame.close()


def test_the_cameras_own_small_picture_wins() -> None:
    layout = Layout.packed(64, 48)
    own = Image(layout, [bytearray(layout.size)])
    frame = Frame.lend("front", 0, 0, {"main": Image(layout, [bytearray(layout.size)]), "lores": own}, lambda: None)
    with frame:
        frame.images.offer("lores", lambda main: pytest.fail("made although the camera gave it"))
        assert frame.images["lores"] is own


def test_read_only_memory_can_be_looked_at() -> None:
    layout = Layout.packed(64, 48)
    with Frame.lend("f", 0, 0, {"main": Image(layout, [bytes(layout.size)])}, lambda: None) as frame:
        assert int(frame.images["main"].plane(0).sum()) == 0
        assert frame.images["main"].plane(0).dtype == np.uint8
