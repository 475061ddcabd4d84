"""`blackbox-qt list`: trips, gaps, losses and what keeps them, in words; and nothing on the disk is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.commands import Exit
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock, Note
from tests.storage.fakes import SECOND, START_NS, Bench, FakeClock, clip, steady
from tests.storage.test_healing import heal, tree


def trip(data: Path, boot: str, times: Sequence[int], source: str = "ntp", *, finish: bool = True) -> None:
    bench = Bench(data, segment_s=1)
    bench.clock.machine_boot, bench.clock.source = boot, source
    packets = clip(times)
    bench.feed([packets[0], replace(packets[1], lost={"mailbox": 2, "camera": 1}), *packets[2:]])
    if finish:
        bench.finish()
    else:
        bench.recording.abandon()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A trip with a gap, one that a power cut ended, one that nobody dated and that is open, and a demo."""
    car = tmp_path / "car"
    trip(car, "a", steady(40) + steady(20, start_ns=START_NS + 9 * SECOND))
    trip(car, "b", steady(20), finish=False)
    heal(car)
    trip(car, "c", steady(20), "unsynced", finish=False)
    demo = Bench(car)
    demo.feed(clip(origin="pattern")[:5])
    demo.finish()
    library = Library(Disk(), car / "recordings", FakeClock())
    library.lock(SegmentName("front", 1, 1), Lock("m-7", "manual", "window"))
    library.note(SegmentName("front", 1, 1), Note("a \x1b[31mtruck", "me"))
    return car


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["list", "--set", "time.zone=Asia/Seoul", *words]) == Exit.OK
    return capsys.readouterr().out


def test_it_tells_all_of_it_in_words(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, str(data))
    assert "recordings: 3 trips, 5 segments, " in text.splitlines()[0]
    for line in (
        "Trip 1: 2026-09-21 23:14:00 KST · NTP ±6 ms, 9.6 s, front,",
        "1 gap, 3 frames lost (camera 1, mailbox 2), kept for 1 mark",
        "front-000001-00001: 2026-09-21 23:14:00 KST, 1.0 s,",
        "3 frames lost (camera 1, mailbox 2), kept for m-7, “a \\x1b[31mtruck”",
        "gap of 7.7 s before it",
        "1 segment ended by power loss",
        "front-000002-00001: 2026-09-21 23:14:00 KST, ended by power loss, 0.5 s",
        "Trip 3: time unknown, ",
        "front-000003-00001: time unknown (40.0 s after the start), not finished, 0.5 s so far",
        "demo: 1 trip, 1 segment",
        "recording was stopped",
    ):
        assert line in text, text
    assert "\x1b" not in text


def test_one_trip_and_one_camera(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--trip", "2", str(data))
    assert "Trip 2:" in text and "Trip 1:" not in text
    assert "Trip" not in shown(capsys, "--camera", "rear", str(data))


def test_for_programs(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "--json", str(data)))
    recordings, demo = found["libraries"]
    assert recordings["path"].endswith("recordings") and demo["trips"][0]["segments"][0]["origin"] == "pattern"
    numbers = [(t["number"], t["gaps"], t["power_losses"], t["utc_source"]) for t in recordings["trips"]]
    assert numbers == [(1, 1, 0, "ntp"), (2, 0, 1, "ntp"), (3, 0, 0, "")]
    assert recordings["trips"][0]["lost"] == {"mailbox": 2, "camera": 1}
    segments = recordings["trips"][0]["segments"]
    assert [s["gap_before_s"] for s in segments] == [None, None, pytest.approx(7.7, abs=0.1)]
    assert recordings["trips"][2]["utc_ns"] is None


@pytest.mark.parametrize("where", [".", "recordings", "recordings/000001"])
def test_any_folder_of_recordings_will_do(data: Path, capsys: pytest.CaptureFixture[str], where: str) -> None:
    assert "front-000001-00001" in shown(capsys, str(data / where))


def test_it_changes_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(data)
    shown(capsys, str(data))
    assert tree(data) == before


def test_what_it_lists_plays(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file it lists is decoded to the last picture it claims."""
    for library in json.loads(shown(capsys, "--json", str(data)))["libraries"]:
        for one in (s for trip in library["trips"] for s in trip["segments"] if s["state"] == "finished"):
            (path,) = Path(library["path"]).rglob(one["name"] + ".mp4")
            with av.open(str(path)) as container:
                assert sum(1 for _ in container.decode(video=0)) == one["frames"] > 0


def test_wrong_words_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(tmp_path / "nowhere")]) == Exit.USAGE
    assert capsys.readouterr().err.endswith("nowhere: no such folder\n")
    for wrong in ("0", "x", "-1"):
        with pytest.raises(SystemExit):
            main(["list", "--trip", wrong])
    assert main(["list", str(tmp_path)]) == Exit.OK
    assert "0 trips, 0 segments" in capsys.readouterr().out
