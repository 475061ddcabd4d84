"""When the whole program starts anew for one camera, and what holds that back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.app import App
from blackbox_qt.app.healing import Policy, worth_a_restart
from blackbox_qt.commands import Exit
from blackbox_qt.config import load
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.check import check_paths
from tests.fakes import HandClock, HandSource
from tests.ui.helpers import camera_status

Until = Callable[[Callable[[], object]], None]
IDLE, RECORDS, PAUSED = "idle", "recording", "paused"


@pytest.mark.parametrize(
    ("policy", "front", "front_why", "rear", "rear_why", "uptime_s", "held_back"),
    [
        ("alone", IDLE, "wedged", IDLE, "", 31, ""),
        ("alone", IDLE, "wedged", IDLE, "wedged too", 31, ""),
        ("always", IDLE, "wedged", "fault", "", 31, "the recording of rear is in trouble"),
        ("alone", IDLE, "wedged", RECORDS, "", 31, "rear records"),
        ("alone", RECORDS, "wedged", IDLE, "", 31, ""),  # its own last seconds count for nothing
        ("alone", IDLE, "wedged", PAUSED, "", 31, "rear is paused"),
        ("always", IDLE, "wedged", RECORDS, "", 31, ""),
        ("always", IDLE, "wedged", PAUSED, "", 31, "rear is paused"),
        ("always", PAUSED, "wedged", RECORDS, "", 31, "front is paused"),
        ("never", IDLE, "wedged", IDLE, "", 31, "recovery.restart_process is never"),
        ("alone", IDLE, "wedged", IDLE, "", 29, "the program has only just started"),
    ],
)
def test_what_holds_a_restart_back(
    policy: Policy, front: str, front_why: str, rear: str, rear_why: str, uptime_s: float, held_back: str
) -> None:
    cameras = [(camera_status("front", state=front), front_why), (camera_status("rear", state=rear), rear_why)]
    reason, back = worth_a_restart(policy, cameras, uptime_s)
    assert back == held_back and "front: wedged" in reason


def test_cameras_in_ordinary_trouble_are_no_reason() -> None:
    cameras = [(replace(camera_status(state=IDLE), words="no camera (cable?)"), "")]
    assert worth_a_restart("always", cameras, 1000) == ("", "")


class Wedged:
    """An App whose rear camera only a fresh process can heal."""

    def __init__(self, tmp_path: Path, *settings: str, restart: bool = True) -> None:
        self.clock = HandClock()
        self.asked: list[str] = []
        self.front, self.rear = HandSource("front", clock=self.clock), HandSource("rear", clock=self.clock)
        self.rear.fail_open = SourceError("the camera stack is wedged", process=True)
        config = load(None, [f"storage.data={tmp_path}", *settings], sources=[("front", "hand"), ("rear", "hand")])
        sources: dict[str, Any] = {"front": lambda: self.front, "rear": lambda: self.rear}
        ask = (lambda: self.asked.append("restart")) if restart else None
        self.app = App(config, self.clock, sources=sources, restart=ask)

    def records(self, until: Until) -> None:
        """The front camera does, and the rear one is known to be lost."""
        until(self.front.running.is_set)
        until(self.app.cameras["rear"].care.helpless)
        self.clock.advance(31)
        for _ in range(3):
            self.clock.advance(1 / 30)
            self.front.tick()
        until(lambda: self.app.cameras["front"].status().recording.state == "recording")


@pytest.mark.parametrize("policy", ["alone", "always"])
def test_a_camera_that_records_holds_it_back_unless_told_otherwise(
    tmp_path: Path, until: Until, expected_alarms: list[str], possible_alarms: list[str], policy: str
) -> None:
    expected_alarms.append("rear: the camera stack is wedged; only a restart of the program can help")
    possible_alarms += ["gives no pictures", "pictures again"]
    alone = policy == "alone"
    expected_alarms.append("not restarted: front records" if alone else "wedged; restarting the program")
    box = Wedged(tmp_path, f"recovery.restart_process={policy}")
    with box.app:
        box.records(until)
        for _ in range(3):
            box.app.look_after()
        assert box.asked == ([] if alone else ["restart"]), "asked once"
        assert bool(box.app.restarting) is not alone
        assert "only a restart" in box.app.cameras["rear"].status().words


def test_nobody_to_start_it_again_means_words_only(
    tmp_path: Path, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    expected_alarms.append("only a restart of the program can help")
    possible_alarms += ["gives no pictures", "pictures again"]
    box = Wedged(tmp_path, "recovery.restart_process=always", restart=False)
    with box.app:
        box.records(until)
        box.app.look_after()
    assert not box.app.restarting


PROGRAM = """
import sys
import threading
import blackbox_qt.app.camera as camera
import blackbox_qt.app.healing as healing
from blackbox_qt.__main__ import main
from blackbox_qt.sources import SourceError
from blackbox_qt.sources.pattern import PatternSource

HANGS = False

class Wedges(PatternSource):
    def open(self):
        super().open()
        if self.camera == "rear" and HANGS:
            threading.Event().wait()
        if self.camera == "rear":
            raise SourceError("the camera stack is wedged", process=True)

camera.make = lambda config, small: Wedges(config.name, config.buffers, 64, 64, 30)
healing.YOUNG_S = 1.0
healing.HANGS_AFTER_S["opening"] = 1.0
sys.exit(main(sys.argv[1:]))
"""


def run(data: Path, *args: str, env: dict[str, str], program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    settings = ["--set", "web.enabled=false", "--set", f"storage.state={data.parent / 'state'}", *args]
    cameras = ["--source", "front=pattern", "--source", "rear=pattern"]
    command = [sys.executable, "-c", program, "run", "--headless", "--data", str(data), *cameras, *settings]
    whole = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"} | env
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=whole)


def test_the_program_ends_politely_with_a_code_of_its_own(tmp_path: Path) -> None:
    always = ("--set", "recovery.restart_process=always")
    done = run(tmp_path / "data", *always, env={"NOTIFY_SOCKET": f"{tmp_path}/notify"})
    assert done.returncode == Exit.RESTART, done.stderr
    assert "rear: the camera stack is wedged; restarting the program" in done.stderr
    result = check_paths([tmp_path / "data" / "demo"])
    assert result.ok and result.frames > 0 and all(r.state == "finished" for r in result.segments)


def test_a_driver_that_never_returns_does_not_keep_it(tmp_path: Path) -> None:
    always = ("--set", "recovery.restart_process=always")
    program = PROGRAM.replace("HANGS = False", "HANGS = True")
    done = run(tmp_path / "data", *always, env={"NOTIFY_SOCKET": f"{tmp_path}/notify"}, program=program)
    assert done.returncode == Exit.RESTART, done.stderr
    assert "the driver hangs while opening the camera" in done.stderr and "care-rear did not end" in done.stderr
    result = check_paths([tmp_path / "data" / "demo"])
    assert result.ok and result.frames > 0 and all(r.state == "finished" for r in result.segments)


def test_started_by_hand_it_stays(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "--set", "recovery.restart_process=always", "--duration", "3", env={})
    assert done.returncode == Exit.OK, done.stderr
