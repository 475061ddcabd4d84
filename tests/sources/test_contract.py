"""What every source must do, real or hand-driven. The V4L2 and Picamera2 sources join this list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout
from blackbox_qt.sources import Source, SourceError
from blackbox_qt.sources.pattern import PatternSource
from blackbox_qt.sources.videofile import VideoFileSource
from tests.fakes import HandSource, two_buffers
from tests.sources import running_picamera, running_v4l2

BUFFERS = 12
Until = Callable[[Callable[[], object]], None]


def small_video(path: Path, frames: int = 30, fps: int = 60, size: tuple[int, int] = (64, 48)) -> Path:
    """A short H.264 file whose luma rises by 5 a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", fps, options={"preset": "ultrafast", "crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            plane = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            plane[: size[1]] = 20 + number * 5
            container.mux(stream.encode(av.VideoFrame.from_ndarray(plane, "yuv420p")))
        container.mux(stream.encode(None))
    return path


class Ticking:
    """Drives a HandSource from a thread, so that it can be tested like one that runs by itself."""

    def __init__(self, source: HandSource, every_s: float = 0.001) -> None:
        self._source = source
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def start(self, deliver: Callable[[Frame], None], failed: Callable[[BaseException], None]) -> None:
        self._source.start(deliver, failed)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._source.clock.advance(1 / 30)
            self._source.tick()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._source.stop()


@pytest.fixture(
    params=[
        "pattern",
        "file",
        "hand",
        "hand-nv12-two-buffers",
        "hand-lores",
        *running_v4l2.KINDS,
        *running_picamera.KINDS,
    ]
)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    if request.param == "pattern":
        return PatternSource("front", BUFFERS, 128, 96, 200)
    if request.param == "file":
        return VideoFileSource(str(small_video(tmp_path / "v.mp4")), "front", BUFFERS)
    if request.param in running_v4l2.KINDS:
        return running_v4l2.make(request.param, tmp_path, BUFFERS)
    if request.param in running_picamera.KINDS:
        return running_picamera.make(request.param, BUFFERS)  # type: ignore[no-any-return]
    layout = two_buffers() if "two" in request.param else None
    lores = Layout.packed(32, 24) if "lores" in request.param else None
    return Ticking(HandSource(buffers=BUFFERS, layout=layout, lores=lores))  # type: ignore[return-value]


def fail(error: BaseException) -> None:
    raise error


def collect(source: Source, count: int, until: Until) -> list[tuple[int, int, Layout]]:
    seen: list[tuple[int, int, Layout]] = []

    def deliver(frame: Frame) -> None:
        with frame:
            image = frame.images["main"]
            assert sum(int(p[0, 0]) for p in image.planes()) >= 0
            seen.append((frame.seq, frame.t_ns, image.layout))

    source.start(deliver, fail)
    until(lambda: len(seen) >= count)
    source.stop()
    return seen


def test_frames_come_in_order_with_numbers_times_and_layout(source: Source, until: Until) -> None:
    source.open()
    seen = collect(source, 5, until)
    source.close()
    assert [s for s, _, _ in seen] == list(range(seen[0][0], seen[0][0] + len(seen)))
    times = [t for _, t, _ in seen]
    assert times == sorted(set(times))
    assert source.layout is not None and source.fps > 0 and source.device
    assert {(lay.width, lay.height) for _, _, lay in seen} == {(source.layout.width, source.layout.height)}
    assert {lay.fourcc for _, _, lay in seen} <= {"YU12", "NV12"}


def test_nothing_comes_after_stop_returned(source: Source, until: Until) -> None:
    source.open()
    seen = collect(source, 2, until)
    count = len(seen)
    for _ in range(5):
        threading.Event().wait(0.01)
    assert len(seen) == count
    source.stop()  # twice is harmless
    source.close()


def test_it_can_go_round_again(source: Source, until: Until) -> None:
    last = -1
    for _ in range(3):
        source.open()
        seen = collect(source, 3, until)
        source.close()
        assert seen[0][0] >= 0
        last = seen[-1][0]
    assert last > 0


def test_it_starts_again_after_stop_without_close(source: Source, until: Until) -> None:
    """The first thing tried when no pictures come."""
    source.open()
    rounds = [collect(source, 3, until) for _ in range(3)]
    source.close()
    times = [t for seen in rounds for _, t, _ in seen]
    assert times == sorted(set(times)), "one clock over all of them"
    for seen in rounds:
        assert [s for s, _, _ in seen] == list(range(seen[0][0], seen[0][0] + len(seen)))


def test_it_starts_again_while_frames_of_the_time_before_are_out(source: Source, until: Until) -> None:
    kept: list[Frame] = []
    source.open()
    source.start(kept.append, fail)
    until(lambda: len(kept) >= 3)
    source.stop()
    seen = collect(source, 3, until)
    assert seen[0][1] > kept[-1].t_ns
    for frame in kept:
        assert frame.images["main"].layout.width > 0
        frame.close()
    source.close()


def test_out_of_buffers_frames_are_lost_and_leave_a_hole(source: Source, until: Until) -> None:
    kept: list[Frame] = []
    source.open()
    source.start(kept.append, fail)
    until(lambda: len(kept) >= BUFFERS)
    threading.Event().wait(0.1)  # long enough for several more, which must not come
    assert len(kept) == BUFFERS
    for frame in kept[:]:
        frame.close()
    until(lambda: len(kept) > BUFFERS)
    source.stop()
    assert kept[BUFFERS].seq > kept[BUFFERS - 1].seq + 1
    for frame in kept:
        frame.close()
    source.close()


def test_frames_may_come_home_from_any_thread_even_after_stop(source: Source, until: Until) -> None:
    kept: list[Frame] = []
    source.open()
    source.start(kept.append, fail)
    until(lambda: len(kept) >= 3)
    source.stop()
    closers = [threading.Thread(target=frame.close) for frame in kept]
    done: list[bool] = []
    owner = threading.Thread(target=lambda: done.append(source.close() is None))
    owner.start()
    for thread in closers:
        thread.start()
    for thread in (*closers, owner):
        thread.join(5)
    assert done == [True]


def test_a_frame_that_never_comes_home_is_said(source: Source, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "blackbox_qt.sources.pattern", "blackbox_qt.sources.videofile", "blackbox_qt.sources.v4l2",
        "blackbox_qt.sources.picamera", "tests.fakes",
    ):  # fmt: skip
        monkeypatch.setattr(f"{module}.CLOSE_LIMIT_S", 0.05)
    kept: list[Frame] = []
    source.open()
    source.start(kept.append, fail)
    until(lambda: kept)
    source.stop()
    with pytest.raises(SourceError, match="did not come home") as caught:
        source.close()
    assert caught.value.process, "only a fresh process gets that memory back"
    for frame in kept:
        frame.close()
