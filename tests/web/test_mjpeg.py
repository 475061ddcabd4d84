"""The stream: framing, the newest frame for each viewer, and nobody left listening."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from blackbox_qt.sources import marks
from blackbox_qt.web import mjpeg

from .conftest import Box, running, settings
from .fakes import HandSink, hand_app

Until = Callable[..., None]


def counter(jpeg: bytes) -> int:
    """The frame number painted into the picture."""
    luma = simplejpeg.decode_jpeg(jpeg, "GRAY")[:, :, 0]
    read = marks.read(np.ascontiguousarray(luma))
    assert read is not None
    return read[0]


@pytest.mark.usefixtures("nobody_watches")
@pytest.mark.parametrize("path", ["/video_feed", "/stream/front.mjpg"])
def test_every_part_is_a_picture_and_they_move_on(box: Box, path: str) -> None:
    with box.owner().stream(path) as stream:
        head = stream.begin()
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "content-type: multipart/x-mixed-replace; boundary=blackbox-frame" in head
        assert "chunked" not in head
        numbers, times = [], []
        for _ in range(20):
            headers, data = stream.part()
            assert headers["Content-Type"] == "image/jpeg"
            numbers.append(counter(data))
            times.append(float(headers["X-Timestamp"]))
    assert numbers == sorted(set(numbers))
    assert times == sorted(set(times))
    assert times[-1] - times[0] == pytest.approx((numbers[-1] - numbers[0]) / 30, abs=0.02)
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - times[-1]
    assert age < 0.5


def test_the_boundary_does_not_wait_for_the_next_picture(hand: Box, sink: HandSink, until: Until) -> None:
    with hand.owner().stream() as stream:
        stream.begin()
        until(lambda: sink.watchers == 1)
        fed = sink.feed()
        _, data = stream.part()  # returns only when the boundary has come
        assert data == fed.data
        sink.feed(stopped=True)
        headers, _ = stream.part()
        assert headers["X-Stopped"] == "1"
    until(lambda: sink.watchers == 0)


@pytest.mark.usefixtures("nobody_watches")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_old_clients_and_head(box: Box, version: str) -> None:
    with box.owner().stream(version=version) as stream:
        assert "connection: close" in stream.begin()
        simplejpeg.decode_jpeg(stream.part()[1])
    with box.owner().stream(version=version, method="HEAD") as stream:
        head = stream.head()
        assert "multipart/x-mixed-replace" in head
        assert stream.ended()


@pytest.mark.usefixtures("nobody_watches")
def test_whoever_asks_for_multipart_mixed_gets_the_same_bytes_under_that_name(box: Box) -> None:
    with box.owner().stream(Accept="multipart/mixed") as stream:
        assert "content-type: multipart/mixed; boundary=blackbox-frame" in stream.begin()
        simplejpeg.decode_jpeg(stream.part()[1])


def test_an_unknown_camera_is_answered_with_the_known_ones(box: Box) -> None:
    for path in ("/stream/side.mjpg", "/snapshot/side.jpg"):
        answer = box.owner().ask(path)
        assert (answer.status, answer.error) == (404, "There is no camera 'side'; known here: front.")


def test_nothing_is_encoded_while_nobody_watches(box: Box, until: Until) -> None:
    jpeg = box.app.cameras["front"].jpeg
    until(lambda: jpeg.watchers == 0 and jpeg.inbox.paused)
    encoded, frames = jpeg.encoded, box.app.cameras["front"].care.flow.meter.frames
    until(lambda: box.app.cameras["front"].care.flow.meter.frames > frames + 5)
    assert jpeg.encoded == encoded
    with box.owner().stream() as one, box.owner().stream() as two:
        one.begin(), two.begin()
        one.part(), two.part()
        assert box.app.cameras["front"].jpeg.watchers == 2
        until(lambda: box.app.status().viewers == 2)
    until(lambda: jpeg.watchers == 0 and jpeg.inbox.paused)


def test_a_reader_that_lags_gets_the_newest_frame_next(hand: Box, sink: HandSink, until: Until) -> None:
    size = 400_000
    with hand.owner().stream() as slow, hand.owner().stream() as quick:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        slow.begin(), quick.begin()
        until(lambda: sink.watchers == 2)
        for _ in range(40):
            fed = sink.feed(size)
            assert quick.part()[1] == fed.data  # the slow one holds up nobody
        seen = []
        while not seen or seen[-1] != sink.number:
            seen.append(int.from_bytes(slow.part()[1][:4], "big"))
    assert seen == sorted(set(seen))
    # What had entered the kernels before they were full, then at once the newest.
    assert len(seen) < 20, seen
    assert seen[-2] < sink.number - 15


def test_each_of_two_cameras_has_viewers_of_its_own(tmp_path: Path, until: Until) -> None:
    config, front, rear = settings(tmp_path), HandSink(), HandSink()
    with running(config, hand_app(config, front, rear)) as box:
        with box.owner().stream("/stream/rear.mjpg") as stream:
            stream.begin()
            until(lambda: rear.watchers == 1)
            assert front.watchers == 0
            assert stream.part.__self__ is stream
            fed = rear.feed()
            assert stream.part()[1] == fed.data
        until(lambda: rear.watchers == 0)


def test_viewers_follow_a_sink_that_was_replaced(hand: Box, sink: HandSink, until: Until) -> None:
    with hand.owner().stream() as stream:
        stream.begin()
        until(lambda: sink.watchers == 1)
        sink.feed()
        stream.part()
        new = HandSink()
        hand.app.cameras["front"].jpeg = new
        until(lambda: new.watchers == 1)
        assert sink.watchers == 0
        fed = new.feed()  # its numbers begin again
        assert stream.part()[1] == fed.data


def test_a_viewer_that_takes_nothing_is_put_out(
    hand: Box, sink: HandSink, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mjpeg, "STUCK_S", 0.2)
    with hand.owner().stream() as stream:
        stream.begin()
        until(lambda: sink.watchers == 1)
        for _ in range(3):
            sink.feed(8_000_000)
        until(lambda: sink.watchers == 0)
        assert stream.ended()


def test_a_viewer_that_comes_late_sees_the_last_picture_at_once(hand: Box, sink: HandSink, until: Until) -> None:
    with hand.owner().stream() as first:
        first.begin()
        until(lambda: sink.watchers == 1)
        fed = sink.feed()
        first.part()
        with hand.owner().stream() as second:
            second.begin()
            assert second.part()[1] == fed.data
