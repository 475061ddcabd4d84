"""`cameras`, `camera-test`, `doctor` and `bench` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.commands import Exit, camera_test, cameras, doctor, settings
from blackbox_qt.core.holders import Holder
from blackbox_qt.doctor import bench
from blackbox_qt.doctor.finding import Finding, Line, broken, look, ok
from blackbox_qt.doctor.found import Found, Search

SOURCE = ("--source", "pattern:64x64@100")
IMX = Found("picamera", "imx708", "cam0", "picamera:imx708@cam0")
WEBCAM = Found("v4l2", "HD Webcam", "usb-1.2", "v4l2:5A1B", "5A1B", "/dev/video0", ("MJPG up to 1920x1080 at 30",),
               (Holder(812, "motion"),))  # fmt: skip
Capsys = pytest.CaptureFixture[str]


def plugged(monkeypatch: pytest.MonkeyPatch, *found: Found, trouble: tuple[str, ...] = ()) -> None:
    for module in (cameras, camera_test):
        monkeypatch.setattr(module, "find_cameras", lambda _: Search(found, trouble))


# ---- cameras


def test_cameras_says_what_to_write_and_who_holds_them(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    plugged(monkeypatch, IMX, WEBCAM, trouble=("Something could not be looked at",))
    assert main(["cameras"]) == Exit.OK
    shown = capsys.readouterr().out
    for words in ("0  imx708", "source   picamera:imx708@cam0", "1  HD Webcam", "held by  motion (pid 812)",
                  "camera-test --camera 0", "Note: Something could not be looked at"):  # fmt: skip
        assert words in shown


def test_no_camera_is_no_error_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    plugged(monkeypatch)
    assert main(["cameras"]) == Exit.OK
    shown = capsys.readouterr().out
    assert shown.startswith("No camera found.") and "ribbon cable" in shown


def test_cameras_as_json(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    plugged(monkeypatch, WEBCAM)
    assert main(["cameras", "--json"]) == Exit.OK
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"schema", "cameras", "trouble"}
    assert answer["cameras"] == [{
        "number": 0, "kind": "v4l2", "model": "HD Webcam", "where": "usb-1.2", "spec": "v4l2:5A1B", "serial": "5A1B",
        "device": "/dev/video0", "formats": ["MJPG up to 1920x1080 at 30"],
        "holders": [{"pid": 812, "name": "motion"}], "words": "",
    }]  # fmt: skip


# ---- camera-test


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_qt.doctor.camera_test.watch.__defaults__", (0.05,))


@pytest.mark.usefixtures("soon")
def test_a_picture_is_tested_and_kept(tmp_path: Path, capsys: Capsys) -> None:
    still = tmp_path / "still.jpg"
    assert main(["camera-test", *SOURCE, "--seconds", "0.1", "--output", str(still)]) == Exit.OK
    shown = capsys.readouterr().out
    assert still.read_bytes()[:3] == b"\xff\xd8\xff" and str(still) in shown
    assert "64x64 YU12" in shown and "This was no camera" in shown


@pytest.mark.usefixtures("soon")
def test_the_still_lies_here_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["camera-test", "--source", "rear=pattern:64x64@100", "--seconds", "0.1", "--json"]) == Exit.OK
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"schema", "camera", "source", "device", "verdict", "checks"}
    assert [check["name"] for check in answer["checks"]] == ["pictures", "losses", "light", "exposure", "still"]
    assert (tmp_path / "camera-test-rear.jpg").exists() and answer["verdict"] == "ok"


@pytest.mark.usefixtures("soon")
def test_a_camera_that_is_not_as_it_should_be_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(camera_test, "findings", lambda *_: [Line("light", broken("black", "Take the cap off."))])
    assert main(["camera-test", *SOURCE, "--seconds", "0.1", "--output", str(tmp_path / "s.jpg")]) == Exit.FAILED
    assert "Take the cap off." in capsys.readouterr().out


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--source", "file:/no/such.mp4"], Exit.SOURCE, "video file /no/such.mp4 does not exist"),
        (["--source", "nonsense:1"], Exit.SOURCE, "'nonsense:1' is not known"),
        (["--camera", "rear"], Exit.USAGE, "--camera rear: there is no such camera; configured: front; or a number"),
        (["--camera", "3"], Exit.USAGE, "--camera 3: 1 found, numbered from 0"),
        ([*SOURCE, "--output", "/proc/no/still.jpg"], Exit.STORAGE, "cannot be written"),
    ],
)
def test_what_cannot_be_tested_is_one_sentence(
    words: list[str], code: Exit, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    plugged(monkeypatch, WEBCAM)
    assert main(["camera-test", "--seconds", "0.1", *words]) == code
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("blackbox-qt: ") and error.count("\n") == 1


def test_a_number_is_the_camera_of_the_list(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    plugged(monkeypatch, IMX, Found("v4l2", "Pattern", "", "nonsense:of the list"))
    assert main(["camera-test", "--camera", "1"]) == Exit.SOURCE
    assert "nonsense:of the list" in capsys.readouterr().err


# ---- doctor


def found(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    lines = [Line(f"check {number}", finding) for number, finding in enumerate(findings)]
    monkeypatch.setattr(doctor, "examine", lambda _: iter(lines))


def test_the_doctors_exit_code_is_the_worst_line(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    found(monkeypatch, ok("well"), look("odd", "Look."))
    assert main(["doctor", *SOURCE]) == Exit.OK
    found(monkeypatch, ok("well"), broken("dead", "Mend."), look("odd", "Look."))
    assert main(["doctor", *SOURCE]) == Exit.FAILED
    assert capsys.readouterr().out.endswith("1 of 3 things are broken, and 1 more to look at: start with the first.\n")


def test_ctrl_c_ends_the_doctor_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> Iterator[Line]:
        yield Line("model", ok("well"))
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupted)
    assert main(["doctor", *SOURCE]) == Exit.INTERRUPTED


def test_the_doctor_for_scripts_and_for_the_table(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    found(monkeypatch, ok("well", figure=1))
    assert main(["doctor", *SOURCE, "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["checks"][0]["data"] == {"figure": 1}
    assert main(["doctor", *SOURCE, "--report"]) == Exit.OK
    assert "| doctor: check 0 | ok | well |" in capsys.readouterr().out


def test_without_a_configuration_the_installed_one_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    installed = tmp_path / "config.toml"
    installed.write_text("[record]\nbitrate_kbit = 1\n")
    monkeypatch.setattr(settings, "SYSTEM_CONFIG", installed)
    for typed in (["doctor"], ["camera-test"], ["bench"], ["hotspot", "status"], ["power", "off"]):
        assert main(typed) == Exit.USAGE
        assert f"{installed}: record.bitrate_kbit = 1 is not allowed" in capsys.readouterr().err


# ---- bench


def test_the_bench_measures_the_real_program_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys, possible_alarms: list[str]
) -> None:
    possible_alarms.append("frames lost so far")  # on a busy machine
    monkeypatch.setattr(bench, "SETTLE_S", 0.5)
    words = ["--source", "pattern:320x180@30", "--seconds", "1", "--set", f"storage.data={tmp_path / 'data'}", "--json"]
    assert main(["bench", *words]) == Exit.OK
    shown = capsys.readouterr()
    unwatched, watched = json.loads(shown.out)["parts"]
    assert unwatched["frames"] >= 20 and watched["frames"] >= 20 and unwatched["cpu_percent_by_part"]["encoder"] > 0
    assert watched["to_viewer_ms"]["samples"] >= 10 and unwatched["to_viewer_ms"] is None
    assert 0 < unwatched["to_disk_ms"]["p50"] < 2000 and unwatched["copies_per_frame"] == 0
    assert watched["cpu_percent_by_part"]["JPEG for viewers"] > unwatched["cpu_percent_by_part"]["JPEG for viewers"]
    assert "with nobody watching" in shown.err and not list(tmp_path.iterdir())


def test_a_bench_that_cannot_begin_is_one_sentence(tmp_path: Path, capsys: Capsys, expected_alarms: list[str]) -> None:
    expected_alarms.append("does not exist")
    words = ["--source", "file:/no/such.mp4", "--set", f"storage.data={tmp_path / 'data'}"]
    assert main(["bench", *words]) == Exit.SOURCE
    assert "does not exist" in capsys.readouterr().err and not list(tmp_path.iterdir())
