"""All probes together, on machines made of files and on this one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.config import Config
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.checkup import CHECKS, as_dict, examine, verdict
from blackbox_qt.doctor.finding import Finding, Line, broken, look, ok, worst
from blackbox_qt.doctor.text import lines_of, report, summary
from tests.doctor.trees import healthy_pi, pc, sick_pi

NAMES = [
    "model", "system", "kernel", "memory", "power", "temperature", "clock", "libraries", "window", "camera stack",
    "cameras", "camera memory", "screen", "encoder", "data folder", "card", "space", "sync", "page", "hotspot",
    "service",
]  # fmt: skip


def states(lines: list[Line]) -> dict[str, str]:
    return {line.name: line.finding.state for line in lines}


def test_a_healthy_pi_has_nothing_to_say(tmp_path: Path) -> None:
    case = healthy_pi(tmp_path).case()
    # A real camera is configured, and the encoder is measured at a size that any machine can do.
    configured = case.config.model_copy(
        update={"camera": (case.config.camera[0].model_copy(update={"source": "picamera:imx708", "width": 64,
                                                                     "height": 64}),)}
    )  # fmt: skip
    lines = list(examine(replace(case, config=configured)))
    assert not [line for line in lines if line.finding.state != "ok"]
    assert [line.name for line in lines] == NAMES == [name for name, _ in CHECKS]


def test_a_sick_pi_is_told_what_to_do(tmp_path: Path) -> None:
    case = sick_pi(tmp_path).case(source="picamera:0", width=64, height=64)
    lines = list(examine(case))
    assert states(lines) == {
        "model": "ok", "system": "ok", "kernel": "ok", "memory": "broken", "power": "broken", "temperature": "broken",
        "clock": "look here", "libraries": "broken", "window": "broken", "camera stack": "broken", "cameras": "broken",
        "camera memory": "ok", "screen": "look here", "encoder": "ok", "data folder": "broken", "card": "broken",
        "space": "broken",
        "sync": "ok", "page": "look here", "hotspot": "look here", "service": "broken",
    }  # fmt: skip
    do = {line.name: line.finding.do for line in lines}
    assert "5 V at 5 A" in do["power"] and "Active Cooler" in do["temperature"] and "BAT connector" in do["clock"]
    assert "6.12.0 aborts on Python 3.11" in do["window"] and "PyAV" in do["libraries"]
    assert "python3-picamera2" in do["camera stack"] and "ribbon cable" in do["cameras"]
    assert "replace it now" in do["card"] and "dmesg" in do["data folder"] and "fstrim.timer" in do["data folder"]
    assert "wifi_country" in do["hotspot"] and "journalctl -u blackbox-recorder" in do["service"]
    assert verdict(lines) == "broken"


def test_a_pc_is_a_machine_to_try_it_on(tmp_path: Path) -> None:
    lines = {line.name: line.finding for line in examine(pc(tmp_path).case())}
    assert "no Raspberry Pi" in lines["model"].found and lines["model"].state == "ok"
    assert "motion (pid 812)" in lines["cameras"].found and lines["cameras"].state == "look here"
    assert lines["screen"].state == "look here" and "llvmpipe" in lines["screen"].found
    assert {lines[name].state for name in ("power", "temperature", "camera stack", "camera memory", "service")} == {
        "ok"
    }


def test_this_machine_leaves_no_probe_without_an_answer(tmp_path: Path) -> None:
    config = Config.model_validate(
        {"camera": [{"source": "pattern:64x64@100"}], "storage": {"data": str(tmp_path / "new"), "fragment_ms": 50}}
    )
    lines = list(examine(Case(config=config, sync_s=0.1, encode_s=0.1)))
    assert [line.name for line in lines] == NAMES
    assert not [line for line in lines if "could not be looked at" in line.finding.found]
    assert not list(tmp_path.iterdir()), "the doctor left something behind"


def test_a_probe_that_fails_is_a_line_and_the_others_go_on() -> None:
    def fails(_: Case) -> Finding:
        raise ZeroDivisionError("no luck")

    lines = list(examine(Case(), [("first", fails), ("second", lambda _: ok("well"))]))
    assert states(lines) == {"first": "look here", "second": "ok"}
    assert re.search(
        r"could not be looked at \(ZeroDivisionError: no luck \(test_checkup.py:\d+\)\)", lines[0].finding.found
    )


def test_what_is_not_ok_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="says what to do"):
        broken("the card is dead", "")


def test_the_worst_of_several_and_everything_to_do() -> None:
    whole = worst([ok("a", one=1), look("b", "Do b."), broken("", "Do c.", two=2), ok("")])
    assert (whole.state, whole.found, whole.do, whole.data) == ("broken", "a; b", "Do b.\nDo c.", {"one": 1, "two": 2})


DATA_KEYS = {
    "model": {"model", "pi", "memory_bytes", "cores"},
    "system": {"system", "codename", "bits"},
    "kernel": {"kernel", "arch", "up_s"},
    "memory": {"free_bytes", "cma_bytes", "cma_free_bytes", "cameras_need_bytes"},
    "power": {"throttled", "undervoltage_now", "undervoltage_ever", "throttled_now", "throttled_ever"},
    "temperature": {"celsius", "fan_rpm"},
    "clock": {"synchronised", "rtc", "battery_v", "charging_v"},
    "libraries": {"python", "ffmpeg", "versions"},
    "window": {"pyside6", "shiboken6", "qasync"},
    "camera stack": {"picamera2", "libcamera", "libcamera_python"},
    "cameras": {"found", "trouble", "configured"},
    "camera memory": {"heaps", "usable"},
    "screen": {"display", "why", "vendor", "renderer", "version", "dmabuf_import"},
    "encoder": {"cameras", "cores", "cores_used", "cores_left"},
    "data folder": {"folder", "mount", "kind", "device", "options", "system_disk"},
    "card": {"disk", "name", "maker", "serial", "made", "kind", "bytes", "life_time", "pre_eol"},
    "space": {"free_bytes", "total_bytes", "hours"},
    "sync": {"p50_ms", "p99_ms", "max_ms", "syncs", "bytes"},
    "page": {"addresses", "port", "listening"},
    "hotspot": {"wifi", "blocked", "on", "name"},
    "service": {"systemd", "recorder_active", "recorder_enabled", "screen_active", "screen_enabled"},
}


@pytest.mark.parametrize("make", [healthy_pi, sick_pi])
def test_the_json_is_the_same_for_well_and_sick(make: object, tmp_path: Path) -> None:
    """Scripts read it: a key that is renamed or dropped here needs a higher `schema`."""
    lines = list(examine(make(tmp_path).case()))  # type: ignore[operator]
    answer = json.loads(json.dumps(as_dict(lines)))
    assert set(answer) == {"schema", "program", "verdict", "checks"} and answer["schema"] == 1
    assert all(set(check) == {"name", "state", "found", "do", "data"} for check in answer["checks"])
    assert {check["name"]: set(check["data"]) for check in answer["checks"]} == DATA_KEYS


def test_lines_for_a_terminal_fit_and_show_what_to_do() -> None:
    long = " ".join(["word"] * 60)
    shown = list(lines_of(Line("card", look(long, "Do this.\nThen that."))))
    assert shown[0].startswith("look here  card           word") and max(map(len, shown)) <= 118
    assert [line.strip() for line in shown[-2:]] == ["-> Do this.", "-> Then that."]
    coloured = next(lines_of(Line("card", ok("fine")), colour=True))
    assert re.sub(r"\033\[\d+m", "", coloured) == "ok         card           fine"


def test_the_summary_counts() -> None:
    well, odd, bad = Line("a", ok("")), Line("b", look("", "do")), Line("c", broken("", "do"))
    assert summary([well]) == "All 1 things are well."
    assert summary([well, odd]) == "Nothing is broken; 1 of 2 things are worth a look."
    assert summary([well, odd, bad]) == "1 of 3 things are broken, and 1 more to look at: start with the first."
    assert (verdict([]), verdict([well, odd]), verdict([odd, bad])) == ("ok", "look here", "broken")


def test_the_report_is_a_table_whatever_the_lines_say() -> None:
    rows = report([Line("card", ok("a | b\nc"))])
    assert rows[:2] == ["| what | state | this machine |", "|---|---|---|"]
    assert rows[-1] == "| doctor: card | ok | a / b c |"
    assert all(row.count("|") == 4 for row in rows)
