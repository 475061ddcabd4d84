"""The bench: its parts by hand, and once whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackbox_qt.doctor import bench, bench_text
from blackbox_qt.doctor.bench import BenchError, Measured, Part, folder_beside
from blackbox_qt.doctor.viewer import Parts
from blackbox_qt.sinks.jpeg import JpegFrame
from blackbox_qt.web.mjpeg import part

CPU = {"enc-front": 10.0, "enc-rear": 5.0, "cam-front": 2.0, "MainThread": 0.5, "care-front": 0.25}


def measured(**change: object) -> Measured:
    one = Part("unwatched", 10, CPU, 90.4, 80.0, 300, {"camera": 0}, (100.0, 140.0), (), 0)
    two = Part("watched", 10, {**CPU, "web": 1.0, "jpeg-front": 7.0}, 120.0, 100.0, 300, {"camera": 2}, (150.0,),
               (8.0, 9.0, 30.0), 300)  # fmt: skip
    return Measured(("front: pattern",), (one, two), **{"small_given": False, "celsius": (50.0, 61.5), **change})  # type: ignore[arg-type]


def test_the_table_stands_beside_the_claims() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in bench_text.table(measured()) if "|" in line
    ]
    table = {row[0]: row[1:] for row in rows}
    assert table["CPU, % of one core"] == ["17.8", "25.8", "40 -> 15"]
    assert table["- encoder"] == ["15.0", "15.0", ""] and table["- the rest"] == ["0.8", "0.8", ""]
    assert "- writing" not in table, "a part that costs nothing needs no row"
    assert table["memory, RSS, MB"] == ["90", "120", "120 -> 60"]
    assert table["frame to viewer, ms"] == ["-", "9 / 30", "80 -> 20"]
    assert table["copies on the way to the encoder"] == ["0", "1", "3-4 -> 1-2 -> 0-1"]
    assert table["frames lost"] == ["0", "2 camera", ""] and table["temperature, °C"] == ["", "50 -> 62", ""]
    assert "scaled by the processor" in "\n".join(bench_text.table(measured()))
    assert "comes from the camera" in "\n".join(bench_text.table(measured(small_given=True)))


def test_the_json_has_the_same_keys_with_and_without_samples() -> None:
    answer = json.loads(json.dumps(bench_text.as_dict(measured(celsius=(None, None)))))
    assert set(answer) == {"schema", "program", "cameras", "small_picture_from_camera", "celsius", "claims", "parts"}
    first, second = answer["parts"]
    assert set(first) == set(second) == {
        "name", "seconds", "frames", "lost", "cpu_percent", "cpu_percent_by_part", "rss_mb", "pss_mb", "to_viewer_ms",
        "to_disk_ms", "copies_per_frame",
    }  # fmt: skip
    assert first["to_viewer_ms"] is None and second["to_viewer_ms"] == {"p50": 9.0, "p99": 30.0, "samples": 3}


def test_the_folder_is_on_the_same_disk_and_goes(tmp_path: Path) -> None:
    data = tmp_path / "blackbox"
    data.mkdir()
    with folder_beside(data) as folder:
        (folder / "file").write_text("x")
        assert folder.parent == tmp_path
    with folder_beside(tmp_path / "not" / "yet") as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == [data]


def test_a_card_is_not_left_for_the_system_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tmp_path / "card"
    card.mkdir()
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **more: Other if self == card else real(self, **more))
    with folder_beside(card) as folder:
        assert folder.parent == card


class Other:
    """What stat says of a mount point."""

    st_dev = -1
    st_mode = 0o040755


def test_a_place_where_nothing_can_be_made_is_one_sentence() -> None:
    with pytest.raises(BenchError, match="no folder can be made in /proc"), folder_beside(Path("/proc/nowhere")):
        raise AssertionError("it must not get here")


def test_a_viewer_counts_what_the_page_sends_however_it_is_cut() -> None:
    stream = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n--blackbox-frame\r\n"
    stream += part(JpegFrame(1, 2_000_000_000, b"x" * 1000)) + part(
        JpegFrame(2, 2_000_000_000, b"y" * 10, stopped=True)
    )
    stream += part(JpegFrame(3, 2_010_000_000, b"\r\n\r\n" * 100))
    for step in (1, 7, 100, len(stream)):
        parts = Parts()
        for at in range(0, len(stream), step):
            parts.take(stream[at : at + step], 2.02)
        assert (parts.frames, parts.bytes) == (3, 1410)
        assert [round(age) for age in parts.ages_ms] == [20, 10], "a card that says STOPPED is no live picture"


def test_memory_of_this_process() -> None:
    rss, pss = bench.memory_mb()
    assert 10 < pss <= rss
