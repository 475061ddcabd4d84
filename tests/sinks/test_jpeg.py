from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg

from blackbox_qt.core.colour import yuv_to_rgb
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.scale import Scaler
from blackbox_qt.sinks.jpeg import JpegSettings, JpegSink, encode
from tests.fakes import HandSource, two_buffers

Until = Callable[[Callable[[], object]], None]


class Rig:
    def __init__(self, layout: Layout | None = None, lores: Layout | None = None, fps: float = 1000) -> None:
        self.source = HandSource(layout=layout or Layout.packed(256, 144), lores=lores)
        self.hub = Hub("front", 12)
        self.scaler = Scaler(128, 72)
        self.errors: list[BaseException] = []
        self.words = ""
        self.sink = JpegSink(
            "front", self.hub.attach("jpeg", paused=True), JpegSettings(90, fps), self.source.clock, self.errors.append,
            lambda: ("PICTURE STOPPED", self.words),
        )  # fmt: skip
        self.sink.start()
        self.source.open()
        self.source.start(self._publish, self.errors.append)
        self.changed = threading.Event()

    def _publish(self, frame: Frame) -> None:
        frame.images.offer("lores", self.scaler)
        self.hub.publish(frame)

    def tick(self) -> None:
        self.source.clock.advance(1 / 30)
        self.source.tick()

    def end(self) -> None:
        self.source.stop()
        assert self.sink.stop(5)
        self.source.close()
        assert not self.errors


def test_nobody_watches_nothing_is_made(until: Until) -> None:
    rig = Rig()
    for _ in range(20):
        rig.tick()
    assert rig.sink.encoded == 0 and rig.scaler.made == 0 and rig.source.out == 0
    with rig.sink.watch(lambda: None):
        until(lambda: rig.tick() or rig.sink.encoded)
    until(lambda: rig.sink.inbox.paused)
    made = rig.scaler.made
    for _ in range(20):
        rig.tick()
    assert rig.scaler.made == made and rig.source.out == 0
    rig.end()


def test_watchers_get_the_newest_picture(until: Until) -> None:
    rig = Rig()
    numbers: list[int] = []
    with rig.sink.watch(lambda: numbers.append(rig.sink.latest.number)):  # type: ignore[union-attr]
        for count in range(1, 6):
            rig.tick()
            until(lambda count=count: len(numbers) >= count)
        latest = rig.sink.latest
        assert latest is not None and latest.t_ns == rig.source.clock.boot_ns()
        assert simplejpeg.decode_jpeg_header(latest.data)[:2] == (72, 128)
    assert numbers == [1, 2, 3, 4, 5]
    rig.end()


def test_the_hardwares_small_picture_is_taken_when_there_is_one(until: Until) -> None:
    rig = Rig(lores=Layout.packed(64, 36))
    with rig.sink.watch(lambda: None):
        until(lambda: rig.tick() or rig.sink.encoded)
        assert rig.sink.latest is not None
        assert simplejpeg.decode_jpeg_header(rig.sink.latest.data)[:2] == (36, 64)
    assert rig.scaler.made == 0
    rig.end()


def test_the_rate_is_kept_down(until: Until) -> None:
    rig = Rig(fps=10)
    with rig.sink.watch(lambda: None):
        until(lambda: not rig.sink.inbox.paused)
        for _ in range(30):
            rig.tick()
            until(lambda: not len(rig.sink.inbox))
        until(lambda: rig.source.out == 0)
        assert 9 <= rig.sink.encoded <= 11
    rig.end()


def test_a_picture_that_stopped_says_so(until: Until) -> None:
    rig = Rig()
    seen: list[bool] = []
    with rig.sink.watch(lambda: seen.append(rig.sink.latest.stopped)):  # type: ignore[union-attr]
        rig.tick()
        until(lambda: seen)
        live = simplejpeg.decode_jpeg(rig.sink.latest.data)  # type: ignore[union-attr]
        rig.words = "no camera (cable?)"
        until(lambda: seen[-1])
        card = rig.sink.latest
        assert card is not None
        assert simplejpeg.decode_jpeg(card.data).shape == live.shape
        assert simplejpeg.decode_jpeg(card.data)[:10].mean() < live[:10].mean() / 2, "it must be dim"
        rig.tick()
        until(lambda: not seen[-1])
    rig.end()


def test_a_still_needs_no_watcher_and_is_full_size(until: Until) -> None:
    rig = Rig()
    future = rig.sink.grab(lambda frame: encode(frame.images["main"], 95))
    until(lambda: rig.tick() or future.done())
    assert simplejpeg.decode_jpeg_header(future.result())[:2] == (144, 256)
    until(lambda: rig.sink.inbox.paused)
    assert rig.sink.encoded == 0
    rig.end()


def test_a_job_that_fails_tells_its_asker_only(until: Until) -> None:
    rig = Rig()

    def bad(frame: Frame) -> None:
        raise ValueError("no")

    future = rig.sink.grab(bad)
    until(lambda: rig.tick() or future.done())
    with pytest.raises(ValueError, match="no"):
        future.result()
    rig.end()


def test_a_job_given_up_is_passed_over(until: Until) -> None:
    rig = Rig()
    given_up = rig.sink.grab(lambda frame: pytest.fail("nobody wants it"))
    assert given_up.cancel()
    wanted = rig.sink.grab(lambda frame: frame.seq)
    until(lambda: rig.tick() or wanted.done())
    assert wanted.result() >= 0
    rig.end()


def test_jobs_left_at_the_end_are_refused_and_so_are_later_ones() -> None:
    rig = Rig()
    given_up, future = rig.sink.grab(lambda frame: None), rig.sink.grab(lambda frame: None)
    assert given_up.cancel()
    rig.end()
    for refused in (future, rig.sink.grab(lambda frame: None)):
        with pytest.raises(RuntimeError, match="ending"):
            refused.result(5)


def test_time_that_goes_back_does_not_stop_the_stream(until: Until) -> None:
    rig = Rig(fps=30)
    with rig.sink.watch(lambda: None):
        until(lambda: rig.tick() or rig.sink.encoded)
        rig.source.clock.advance(-3600)
        made = rig.sink.encoded
        until(lambda: rig.tick() or rig.sink.encoded > made)
    rig.end()


@pytest.mark.parametrize("fourcc", ["YU12", "NV12", "NV12 in two buffers"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_are_what_the_camera_meant(fourcc: str, matrix: str, full_range: bool) -> None:
    """Decoded JPEG against the matrix in float, on flat patches inside the RGB cube."""
    layout = two_buffers(64, 64) if "two" in fourcc else Layout.packed(64, 64, fourcc, stride=96)
    layout = Layout(64, 64, layout.fourcc, layout.planes, matrix, full_range)
    rgb_wanted = np.array([[200, 40, 60], [30, 180, 90], [60, 70, 220], [128, 128, 128]], float)
    m, offset = yuv_to_rgb(matrix, full_range)
    yuv = np.rint((rgb_wanted / 255 @ np.linalg.inv(m).T + offset) * 255).astype(np.uint8)
    memory = [bytearray(96 * 96) for _ in range(1 + max(p.buffer for p in layout.planes))]
    image = Image(layout, memory)
    for patch, (y, u, v) in enumerate(yuv):
        rows, half = slice(patch * 16, patch * 16 + 16), slice(patch * 8, patch * 8 + 8)
        image.plane(0)[rows] = y
        if layout.fourcc == "NV12":
            image.plane(1)[half, 0::2], image.plane(1)[half, 1::2] = u, v
        else:
            image.plane(1)[half], image.plane(2)[half] = u, v
    decoded = simplejpeg.decode_jpeg(encode(image, 100)).astype(float)
    for patch, wanted in enumerate(rgb_wanted):
        got = decoded[patch * 16 + 4 : patch * 16 + 12].mean(axis=(0, 1))
        assert abs(got - wanted).max() <= 3, (wanted, got)


LAYOUTS = [Layout.packed(256, 144), Layout.packed(256, 144, stride=320), two_buffers(256, 144, 288)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_small_picture_has_the_colours_of_the_large_one(layout: Layout) -> None:
    memory = [bytearray(320 * 216) for _ in range(1 + max(p.buffer for p in layout.planes))]
    main = Image(layout, memory)
    for index, plane in enumerate(main.planes()):
        plane[:] = 60 + 40 * index
    scaler = Scaler(100, 100)
    small = scaler(main)
    assert (small.layout.width, small.layout.height, small.layout.fourcc) == (100, 56, layout.fourcc)
    assert [(int(p.min()), int(p.max())) for p in small.planes()] == [
        (60 + 40 * i,) * 2 for i in range(len(main.planes()))
    ]
    small.end()
    again = scaler(main)
    assert scaler.made == 2
    again.end()


def test_a_small_camera_is_not_scaled() -> None:
    layout = two_buffers()
    main = Image(layout, [bytearray(96 * 48), bytearray(96 * 24)])
    scaler = Scaler(1280, 720)
    small = scaler(main)
    assert small.layout == layout and scaler.made == 0
    main.plane(0)[0, 0] = 9
    assert small.plane(0)[0, 0] == 9
    small.end()
