"""The guard sees what goes wrong, says it, gives up what it must, and notes it; recording comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.app import Status
from blackbox_qt.app.alarms import Sound
from blackbox_qt.app.guard import Guard
from blackbox_qt.app.player import Player
from blackbox_qt.app.shedding import Limits
from blackbox_qt.config import load
from blackbox_qt.core.board import Board
from blackbox_qt.storage.check import check_paths
from tests.app.test_app import Box
from tests.fakes import HandClock
from tests.ui.helpers import WELL, camera_status

Until = Callable[[Callable[[], object]], None]


class Loudspeaker(Player):
    def __init__(self) -> None:
        super().__init__(enabled=False)
        self.played: list[Sound] = []

    def play(self, sound: Sound) -> None:
        self.played.append(sound)


class HandCamera:
    limits = Limits()

    def give_up(self, limits: Limits) -> None:
        self.limits = limits


class Watch:
    """A guard that is looked for by hand, on a board of paper."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.clock, self.camera, self.loud = HandClock(), HandCamera(), Loudspeaker()
        self.status: Status = WELL
        self.zone = folder / "sys/class/thermal/thermal_zone0/temp"
        self.zone.parent.mkdir(parents=True)
        self.heat(50)
        config = load(None, [f"storage.data={folder}", f"storage.state={folder}", *settings])
        self.guard = Guard(
            config, lambda: self.status, lambda: [self.camera], self.clock, Board(folder), self.loud,  # type: ignore[list-item]
        )  # fmt: skip

    def heat(self, celsius: float) -> None:
        self.zone.write_text(f"{celsius * 1000:.0f}\n")

    def look(self, seconds: float, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        for _ in range(round(seconds * 5)):
            self.clock.advance(0.2)
            self.guard.look()

    def load(self, headroom: float) -> None:
        camera = camera_status()
        self.status = replace(WELL, cameras=(replace(camera, encoder=replace(camera.encoder, headroom=headroom)),))


def test_an_alarm_is_heard_within_a_second_and_says_why(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.look(5)
    assert watch.loud.played == ["chime"]
    watch.look(0.8, recording="fault", words="FRONT: no card", cameras=(camera_status(state="fault", words="no card"),))
    assert watch.loud.played == ["chime", "alarm"]
    told = watch.guard.alarm()
    assert (told.on, told.words, told.alarms) == (True, "NOT RECORDING: FRONT: no card", 1)
    watch.look(10, recording="recording", words="", cameras=(camera_status(),))
    assert watch.loud.played[-1] == "chime" and not watch.guard.alarm().on


def test_a_hot_board_sheds_and_is_told(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("given up so that recording goes on: the board is too hot (83 °C)")
    watch = Watch(tmp_path)
    watch.look(21)
    watch.heat(83)
    watch.look(8)
    assert watch.guard.shedding().level >= 1 and "too hot" in watch.guard.shedding().words
    assert watch.guard.board().celsius == 83 and watch.camera.limits == watch.guard.limits != Limits()
    watch.heat(60)
    watch.look(400)
    told = watch.guard.shedding()
    assert (told.level, told.words) == (0, "") and told.undone == told.taken and watch.camera.limits == Limits()


def test_nothing_is_given_up_while_the_program_starts_or_if_so_configured(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    watch = Watch(tmp_path / "one")
    watch.load(0.01)
    watch.look(19)
    assert watch.guard.shedding().level == 0
    expected_alarms.append("the encoder is too slow")
    watch.look(10)
    assert watch.guard.shedding().level > 0
    off = Watch(tmp_path / "two", "shedding.enabled=false")
    off.load(0.01)
    off.look(60)
    assert off.guard.shedding().level == 0


def test_a_camera_that_gives_up_frames_counts_them_and_files_agree(tmp_path: Path, until: Until) -> None:
    box = Box(tmp_path / "data", until)
    with box.app:
        camera = box.app.cameras["front"]
        box.run(10)
        camera.give_up(Limits(stream_fps=3, bitrate=0.5, fps=20))
        assert camera.jpeg.fps_limit == 3
        box.run(60)
        camera.give_up(Limits())
        box.run(10)
        box.clock.advance(0.3)
        until(lambda: box.camera().recording.queue_frames == 0)
        lost = box.camera().lost
        assert lost["shed"] == pytest.approx(20, abs=1) and sum(lost.values()) == lost["shed"]
        assert box.camera().recording.frames + lost["shed"] == 80
    result = check_paths([box.data / "recordings"])
    assert result.ok and sum(report.lost.get("shed", 0) for report in result.segments) == lost["shed"]
