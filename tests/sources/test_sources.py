from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout
from blackbox_qt.sources import SourceError, make, marks, origin_of
from blackbox_qt.sources.pattern import PatternSource
from tests.sources.test_contract import fail, small_video

Until = Callable[[Callable[[], object]], None]


def spec_of(source: str) -> CameraConfig:
    return CameraConfig(source=source)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nonsense", "is not known"),
        ("pattern:12", "not understood"),
        ("pattern:65x64", "width 65 is not allowed"),
        ("pattern:640x481@30", "height 481 is not allowed"),
        ("pattern:640x480@0", "0 frames per second"),
        ("file:", "needs a path"),
    ],
)
def test_a_wrong_spec_is_one_sentence(spec: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        make(spec_of(spec))
    assert caught.value.permanent and "\n" not in str(caught.value)


def test_what_is_not_a_camera_is_sealed_as_such() -> None:
    assert [origin_of(s) for s in ("pattern:64x64", "file:/x", "v4l2:/dev/video0", "picamera:0")] == [
        "pattern", "file", "camera", "camera",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(64, 64), (640, 360), (960, 540), (1920, 1080), (480, 800)])
def test_the_painted_counter_survives_h264(size: tuple[int, int]) -> None:
    seq, t_ns = 123_456, 987_654_321_000
    luma = np.full((size[1], size[0]), 90, np.uint8)
    marks.paint(luma, seq, t_ns)
    assert marks.read(luma) == (seq, t_ns // 1000)
    if size[0] < 128:
        return  # cells of two pixels do not survive compression, and need not
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, 30), 2_000_000
    picture = np.vstack([luma, np.full((size[1] // 2, size[0]), 128, np.uint8)])
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")), *encoder.encode(None)]
    decoder = av.CodecContext.create("h264", "r")
    frames = [f for packet in packets for f in decoder.decode(packet)] + list(decoder.decode(None))
    assert marks.read(frames[0].to_ndarray()[: size[1]]) == (seq, t_ns // 1000)


def test_a_damaged_counter_is_not_read_as_another_number() -> None:
    luma = np.full((540, 960), 90, np.uint8)
    marks.paint(luma, 5, 5_000)
    cell = marks.cell_size(960, 540)
    luma[:cell, :cell] = 255 - luma[:cell, :cell]
    assert marks.read(luma) is None


def test_pattern_paints_its_own_number_and_time(until: Until) -> None:
    source = PatternSource("front", 12, 640, 360, 100)
    seen: list[tuple[bool, np.ndarray]] = []

    def deliver(frame: Frame) -> None:
        with frame:
            luma = frame.images["main"].plane(0)
            seen.append((marks.read(luma) == (frame.seq, frame.t_ns // 1000), luma[100:].copy()))
            del luma

    source.open()
    source.start(deliver, fail)
    until(lambda: len(seen) >= 10)
    source.stop()
    source.close()
    assert all(right for right, _ in seen)
    assert (seen[0][1] != seen[5][1]).any(), "the scene must move"


def played(path: Path, count: int, until: Until) -> list[tuple[int, int, int, Layout]]:
    """(seq, t_ns, mean luma, layout) of the first `count` frames."""
    source = make(spec_of(f"file:{path}"))
    seen: list[tuple[int, int, int, Layout]] = []

    def deliver(frame: Frame) -> None:
        with frame:
            image = frame.images["main"]
            seen.append((frame.seq, frame.t_ns, round(float(image.plane(0).mean())), image.layout))

    errors: list[BaseException] = []
    source.open()
    source.start(deliver, errors.append)
    until(lambda: len(seen) >= count or errors)
    source.stop()
    source.close()
    if errors:
        raise errors[0]
    return seen[:count]


def test_a_file_loops_without_a_break_in_numbers_or_times(tmp_path: Path, until: Until) -> None:
    seen = played(small_video(tmp_path / "v.mp4", frames=6, fps=100), 15, until)
    assert [s[0] for s in seen] == list(range(15))
    steps = np.diff([s[1] for s in seen])
    assert (abs(steps - 10_000_000) < 1_000_000).all(), steps
    assert [s[2] for s in seen[:6]] == [s[2] for s in seen[6:12]]
    assert seen[0][2] < seen[5][2]


def test_real_footage_is_lent_as_it_was_decoded(road: Path, until: Until) -> None:
    seen = played(road, 3, until)
    layout = seen[0][3]
    assert (layout.width, layout.height, layout.fourcc, layout.matrix) == (960, 540, "YU12", "bt601")
    assert [p.buffer for p in layout.planes] == [0, 1, 2]
    assert abs(np.diff([s[1] for s in seen]) - 40_000_000).max() < 1_000_000


def test_a_file_that_does_not_begin_at_0_and_has_a_hole_plays_on(tmp_path: Path, until: Until) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 100)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", Fraction(1, 100)
        for number in (3000, 3001, 3002, 3900, 3901):  # begins at 30 s, and 9 s are missing
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 100)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    seen = played(path, 11, until)
    steps = np.diff([s[1] for s in seen]) / 1e6
    assert max(steps) <= 501 and sorted(steps)[:8] == pytest.approx([10] * 8, abs=1)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist; check the path") as caught:
        make(spec_of(f"file:{tmp_path}/none.mp4")).open()
    assert caught.value.permanent


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 50, bytes(5000)])
def test_a_file_that_is_no_video_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be played") as caught:
        make(spec_of(f"file:{path}")).open()
    assert caught.value.permanent and "\n" not in str(caught.value)


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        make(spec_of(f"file:{tmp_path}")).open()


def test_sound_without_picture_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(SourceError, match="cannot be played"):
        make(spec_of(f"file:{path}")).open()


def test_a_truncated_file_plays_what_there_is_or_says_so(tmp_path: Path, until: Until) -> None:
    whole = small_video(tmp_path / "v.mkv", frames=40).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    seen = played(path, 60, until)
    assert [s[0] for s in seen] == list(range(60))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(small_video(tmp_path / "w.mp4").read_bytes()[:-200])
    with pytest.raises(SourceError, match="cannot be played"):
        make(spec_of(f"file:{cut}")).open()


def test_other_pixel_formats_are_converted_once_and_counted(tmp_path: Path, until: Until) -> None:
    path = tmp_path / "v422.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 60)
        stream.width, stream.height, stream.pix_fmt = 66, 50, "yuv422p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(66, 50, "yuv422p")))
        container.mux(stream.encode(None))
    source = make(spec_of(f"file:{path}"))
    got = threading.Event()

    def deliver(frame: Frame) -> None:
        with frame:
            assert frame.images["main"].layout.fourcc == "YU12"
        got.set()

    source.open()
    source.start(deliver, fail)
    assert got.wait(5)
    source.stop()
    source.close()
    assert source.converted > 0  # type: ignore[attr-defined]
