"""The viewing copies, picture by picture."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from blackbox_qt.bundle import Request, by_trip, make_bundle
from blackbox_qt.bundle import bundle as bundle_module
from blackbox_qt.bundle.drawing import Plane, _fitting, caption, card, plate
from blackbox_qt.bundle.times import Dial, proven
from blackbox_qt.storage.disk import Disk
from tests.storage.fakes import SECOND, START_NS, Bench, FaultDisk, clip

from .conftest import SIZE, Place, make

WIDTH, HEIGHT = SIZE


def pictures(path: Path) -> list[tuple[float, Plane]]:
    """(seconds, luma) of every picture."""
    with av.open(str(path)) as container:
        return [(float(f.time or 0), f.to_ndarray()[: f.height].copy()) for f in container.decode(video=0)]


def misfit(picture: Plane, words: str) -> float:
    """How far the lower left corner is from these words, in levels of luma."""
    one = plate(words, size_of(words))
    corner = picture[HEIGHT - one.shape[0] :, : one.shape[1]]
    return float(np.mean(np.abs(corner.astype(int) - one)))


def says(picture: Plane, words: str) -> bool:
    """Whether these words, or nearly these, stand there, as far as the encoder left them."""
    return misfit(picture, words) < 12


def size_of(words: str) -> int:
    return _fitting(words, max(10, HEIGHT // 32), WIDTH)


@pytest.fixture(scope="module")
def front(marked_drive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, Plane]]:
    place = Place(marked_drive, tmp_path_factory.mktemp("out") / "incident")
    return pictures(make_bundle(place.request()).path / "viewing" / "front.mp4")


def test_every_picture_bears_its_own_time(front: list[tuple[float, Plane]]) -> None:
    assert len(front) == 100 + 10, "all pictures, and a card for two seconds"
    for number, second in ((0, 31), (24, 31), (25, 32), (49, 32), (60, 36), (109, 37)):
        at = f"2026-11-20 14:07:{second} KST · phone ±1 s"
        assert says(front[number][1], at), (number, at)
        for other in (second - 1, second + 1):
            wrong = at.replace(f":{second} ", f":{other} ")
            assert misfit(front[number][1], at) < misfit(front[number][1], wrong) - 0.5, (number, other)


def test_pictures_keep_their_pace_and_a_gap_is_a_card(front: list[tuple[float, Plane]]) -> None:
    times = [at for at, _ in front]
    steps = np.diff(times)
    assert np.allclose(steps[:49], 0.04, atol=0.001) and np.allclose(steps[60:], 0.04, atol=0.001)
    assert np.allclose(steps[49:59], 0.2, atol=0.001)
    gap = front[52][1]
    assert abs(float(np.median(gap)) - 24) < 4 and not says(gap, "2026-11-20 14:07:32 KST · phone ±1 s")


def test_time_unknown_is_said(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", tmp_path / "incident")
    make(place.data)
    made = make_bundle(Request(place.root, by_trip(place.library(), 1), place.out))
    shown = pictures(made.path / "viewing" / "rear.mp4")
    assert says(shown[0][1], "time unknown · 40.0 s after start")
    assert says(shown[-1][1], "time unknown · 47.0 s after start")


def test_pictures_that_are_not_as_recorded_bear_no_time(place: Place) -> None:
    path = place.originals()[1]
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat", len(data) // 2)
    data[at + 40] ^= 1
    path.write_bytes(data)
    made = make_bundle(place.request())
    shown = pictures(made.path / "viewing" / "front.mp4")
    altered = sum(says(picture, "NOT AS RECORDED") for _, picture in shown)
    assert 3 <= altered <= 14, "the pictures of one fragment, or of two"
    assert len(shown) >= 100


def test_a_still_of_the_marked_moment(place: Place) -> None:
    (front, _) = make_bundle(place.request()).facts.viewed
    assert [words.split(":")[0] for words, _ in front.stills] == [
        "The first picture",
        "When it was marked",
        "The last picture",
    ]
    assert "14:07:32" in front.stills[1][0], "a second after the first"
    assert all(jpeg.startswith(b"\xff\xd8") and len(jpeg) < 60_000 for _, jpeg in front.stills)


def test_a_file_that_would_become_too_large_is_split(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "_MOST_BYTES", 1)
    monkeypatch.setattr("blackbox_qt.bundle.film._LOOK_EVERY", 40)
    made = make_bundle(place.request())
    names = [name for name in made.files if name.startswith("viewing/front")]
    assert len(names) == 3 and names[-1] == "viewing/front.mp4"
    assert sum(len(pictures(made.path / name)) for name in names) == 110


def test_pictures_that_were_written_twice_are_shown_once(tmp_path: Path) -> None:
    """A disk error in the middle: the next file begins with the last key frame's pictures again."""
    disk = FaultDisk()
    bench = Bench(tmp_path / "data", disk)
    packets = clip(size=SIZE)
    bench.feed(packets[:50])
    disk.fail("datasync")
    bench.feed(packets[50:])
    bench.finish()
    place = Place(tmp_path / "data", tmp_path / "incident")
    library = place.library()
    assert sum(len(proven(Disk(), one.path)) for one in library.segments()) > 90
    made = make_bundle(Request(place.root, by_trip(library, 1), place.out))
    assert made.facts.viewed[0].frames == 90 == len(pictures(made.path / "viewing" / "front.mp4"))


def test_footage_that_cannot_be_decoded_is_told(place: Place) -> None:
    path = place.originals()[0]
    path.write_bytes(path.read_bytes()[:600])
    made = make_bundle(place.request())
    assert any("cannot be decoded" in trouble for trouble in made.facts.troubles)
    assert "viewing/front.mp4" in made.files


def test_times_are_the_records(place: Place) -> None:
    times = proven(Disk(), place.originals()[0])
    assert list(times.items())[:3] == [(0, START_NS), (40_000, START_NS + 40_000_000), (80_000, START_NS + 80_000_000)]


def test_a_dial_says_what_is_known(place: Place) -> None:
    segment = place.library().segments()[0]
    assert Dial(segment, "Asia/Seoul").words(START_NS + SECOND).startswith("2026-11-20 14:07:32 KST · phone ±")
    assert Dial(segment, "Europe/Paris").words(START_NS).startswith("2026-11-20 06:07:31 CET")
    assert Dial(segment).words(None) == "NOT AS RECORDED"


# ---- drawing


@pytest.mark.parametrize("size", [(160, 96), (640, 360), (1920, 1080), (3840, 2160), (96, 720)])
def test_words_fit_every_picture(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    caption(picture, width, height, "2026-11-20 14:07:31 KST · phone ±1 s", "VIEWING COPY of front-000007-00001")
    assert picture[:height].max() > 180 and picture[:height].min() < 40, "light letters on a dark plate"
    assert (picture[: height // 4] == 128).all(), "the upper part is untouched"
    drawn = card(width, height, ["NO PICTURES FOR 3.0 s", "after", "until"])
    assert drawn.shape == picture.shape


def test_signs_that_opencv_has_not_are_drawn_and_others_are_a_question_mark() -> None:
    assert not np.array_equal(plate("a · b", 20), plate("a   b", 20))
    assert plate("±", 30).max() > 200
    assert np.array_equal(plate("한", 20), plate("?", 20))
