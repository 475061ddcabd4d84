"""`retention` and `erase` as they are typed: on real recordings, with and without a recorder that runs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.commands import Exit
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock
from tests.storage.cards_full import Drive
from tests.web.conftest import running, settings

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    """Exit code, output and errors of a command on the data folder of this test."""

    def run(*words: str, more: tuple[str, ...] = ()) -> tuple[int, str, str]:
        fixed = [f"storage.data={tmp_path / 'data'}", f"storage.state={tmp_path / 'state'}", "web.port=1", *more]
        code = main([*words, *(word for setting in fixed for word in ("--set", setting))])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def recorded(tmp_path: Path) -> Drive:
    """Two trips of five segments."""
    for boot in ("one", "two"):
        drive = Drive(tmp_path / "data")
        drive.clock.machine_boot = boot
        drive.go(5)
        drive.end()
    return drive


def test_what_an_empty_card_would_keep(said: Said) -> None:
    code, told, _ = said("retention", "--simulate", "--disk", "128GB", "--cameras", "2", "--marks-per-day", "6")
    assert code == Exit.OK
    assert told == (
        "128 GB, 2 cameras: keeps the last 17 h 04, 9 days at 2 h a day\n"
        "6 marks a day: kept marks reach their share of 37.2 GB on day 21, new ones are refused then; "
        "the last 11 h 54 of everything else stay\n"
    )


def test_a_card_that_is_too_small_is_called_so(said: Said) -> None:
    _, told, _ = said("retention", "--simulate", "--disk", "60MB", "--cameras", "4")
    assert told.startswith("60 MB, 4 cameras: that is too small to record on;")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [(["--disk", "3kb"], "give a size as 128GB or 500MB"), (["--cameras", "0"], "give a whole number from 1 on"),
     (["--bitrate", "-1"], "give a number above 0"), (["--marks-per-day", "inf"], "give a number above 0")],
)  # fmt: skip
def test_wrong_numbers_are_refused(option: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["retention", "--simulate", *option])
    assert left.value.code == Exit.USAGE and sentence in capsys.readouterr().err


def test_what_is_kept_and_what_goes_next(said: Said, recorded: Drive) -> None:
    before = sorted(recorded.store.data.rglob("*"))
    code, told, _ = said("retention")
    assert code == Exit.OK and sorted(recorded.store.data.rglob("*")) == before, "it only reads"
    assert "front: 0 min in 10 segments, 1 MB, since 2026-" in told
    library = recorded.library
    library.lock(SegmentName("front", 1, 1), Lock("m1", "manual", "a test"))
    assert "next would be front-000001-00002" in said("retention")[1]
    assert "nothing is ever deleted" in said("retention", more=("retention.enabled=false",))[1]
    assert "1 camera: keeps the last" in said("retention", "--simulate", str(recorded.store.data))[1]
    assert said("retention", str(library.root))[0] == Exit.OK


def test_where_nothing_was_recorded_it_says_so(said: Said, tmp_path: Path) -> None:
    code, _, error = said("retention", str(tmp_path))
    assert code == Exit.STORAGE
    assert error.startswith(f"blackbox-qt: There are no recordings in {tmp_path}: give a data folder")


def test_a_trip_is_erased_without_a_recorder(said: Said, recorded: Drive) -> None:
    data = recorded.store.data
    assert said("erase", "--trip", "1")[:2] == (Exit.OK, "Erased: 5 segments.\n")
    assert {file.name[6:12] for file in data.rglob("*.mp4")} == {"000002"}
    code, _, error = said("erase", "--trip", "1")
    assert (code, error) == (Exit.FAILED, "blackbox-qt: There is no trip 1; the last ones are: 2.\n")
    assert said("erase", "--everything")[0] == Exit.USAGE and len(list(data.rglob("*.mp4"))) == 5
    assert said("erase", "--everything", "--yes")[:2] == (Exit.OK, "Erased: 5 segments.\n")
    assert not list(data.rglob("*.mp4*"))


def test_what_is_marked_is_refused(said: Said, recorded: Drive) -> None:
    recorded.library.lock(SegmentName("front", 2, 1), Lock("m1", "manual", "a test"))
    code, _, error = said("erase", "--trip", "2")
    assert code == Exit.FAILED and error.startswith("blackbox-qt: Some of trip 2 is kept by marks")
    assert said("erase", "--trip", "2", "--marked-too")[0] == Exit.OK


def test_a_recorder_that_runs_does_it_itself(
    tmp_path: Path, said: Said, until: Callable[..., None], expected_alarms: list[str]
) -> None:
    expected_alarms.append("(everything, by command line)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = f"web.port={free.getsockname()[1]}"
    with running(settings(tmp_path, port)) as box:
        until(lambda: all(library.loaded.is_set() for library in box.app.libraries.values()))
        code, told, error = said("erase", "--everything", "--yes", more=(port, "web.host=127.0.0.1"))
        assert (code, told) == (Exit.OK, "Erased: 1 segment.\n"), error
        assert box.app.status().recording == "recording"
    assert check_paths([tmp_path / "data"]).ok
