"""The ear is told the truth, soon, and not more often than it can bear."""

from __future__ import annotations

import runpy
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.app.alarms import AGAIN_NS, BEGIN_NS, NS, SETTLE_NS, Heard, Sound, Truth, hear, truth
from blackbox_qt.app.fault_status import CardStatus
from blackbox_qt.app.player import Player
from blackbox_qt.core import resources
from tests.ui.helpers import WELL, camera_status

STEP_NS = NS // 5


class Ear:
    """Looks five times a second, as the guard does."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.now = 100 * NS
        self.sounds: list[tuple[float, Sound]] = []

    def __call__(self, what: Truth, seconds: float, recording: bool = False) -> list[Sound]:
        """Sounds during so long of this."""
        begin, end = len(self.sounds), self.now + round(seconds * NS)
        while self.now < end:
            self.heard, sound = hear(self.heard, what, self.now, recording)
            if sound:
                self.sounds.append((self.now / NS, sound))
            self.now += STEP_NS
        return [sound for _, sound in self.sounds[begin:]]


def test_a_chime_when_recording_has_begun_and_a_tone_within_a_second_when_it_ends() -> None:
    ear = Ear()
    assert ear("silent", 3) == [] and ear("well", 3) == ["chime"]
    assert ear("well", 600) == []
    assert ear("wrong", 0.9) == ["alarm"]
    assert ear("well", 8) == ["chime"]


def test_an_alarm_that_lasts_sounds_every_half_minute() -> None:
    ear = Ear()
    ear("well", 10)
    assert ear("wrong", 95) == ["alarm"] * 4


def test_recording_that_goes_on_elsewhere_is_an_alarm_once() -> None:
    ear = Ear()
    ear("well", 10)
    assert ear("wrong", 600, recording=True) == ["alarm"]


def test_a_fault_that_heals_at_once_and_a_user_who_pauses_are_none() -> None:
    ear = Ear()
    ear("well", 10)
    assert ear("wrong", 0.2) == [] and ear("well", 20) == []
    assert ear("paused", 600) == []
    assert ear("well", 5) == ["chime"], "it has started"


def test_a_recorder_that_never_begins_is_an_alarm() -> None:
    ear = Ear()
    assert ear("silent", 14.9) == [] and ear("silent", 1) == ["alarm"]


TRUTHS: list[Truth] = ["well", "silent", "wrong", "paused"]


@given(st.lists(st.tuples(st.sampled_from(TRUTHS), st.floats(0.2, 40)), max_size=30))
def test_whatever_happens_it_neither_cries_wolf_nor_sleeps(story: list[tuple[Truth, float]]) -> None:
    ear = Ear()
    for what, seconds in story:
        ear(what, seconds)
        if what in ("wrong",) and seconds >= 5.5:
            assert ear.heard.on, "wrong for so long is an alarm"
        if what == "well" and seconds >= 7:
            assert not ear.heard.on
        if what == "silent" and seconds > BEGIN_NS / NS + 5.5:
            assert ear.heard.on
    for (before, one), (after, other) in zip(ear.sounds, ear.sounds[1:], strict=False):
        assert after - before >= SETTLE_NS / NS - 1e-6 or (one, other) == ("chime", "alarm")
    assert ear.heard.alarms + ear.heard.chimes == len(ear.sounds)
    assert AGAIN_NS > SETTLE_NS


def test_what_a_status_means_for_the_ear() -> None:
    assert truth(WELL) == "well"
    assert truth(replace(WELL, recording="paused")) == "paused"
    assert truth(replace(WELL, recording="fault")) == "wrong"
    fresh = camera_status(state="idle", frames=0)
    assert truth(replace(WELL, recording="idle", cameras=(fresh,))) == "silent"
    for state, means in (("missing", "wrong"), ("broken", "wrong"), ("removed", "well"), ("fine", "well")):
        assert truth(replace(WELL, card=CardStatus(state))) == means


# ---- playing


def program(folder: Path, body: str) -> Path:
    path = folder / "aplay"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def ended(player: Player) -> bool:
    player.look()
    return player._child is None


def test_a_sound_is_played_and_nobody_waits_for_it(bin: Path, until) -> None:  # type: ignore[no-untyped-def]
    program(bin, f'echo "$@" >> {bin}/played')
    player = Player(environ={})
    player.play("chime")
    until(lambda: ended(player))
    player.play("alarm")
    until(lambda: ended(player))
    played = (bin / "played").read_text().splitlines()
    assert [line.rpartition("/")[2] for line in played] == ["chime.wav", "alarm.wav"] and player.words == ""


def test_a_second_sound_ends_the_first_and_no_child_stays(bin: Path) -> None:
    program(bin, "exec sleep 60")
    player = Player(environ={})
    player.play("chime")
    first = player._child
    player.play("alarm")
    assert first is not None and first.returncode is not None
    player.close()
    assert player._child is None


def test_a_player_that_fails_is_said_once(bin: Path, until, expected_alarms: list[str]) -> None:  # type: ignore[no-untyped-def]
    expected_alarms.append("no sound is heard: aplay found no way to play it (code 1)")
    program(bin, "exit 1")
    player = Player(environ={})
    for _ in range(3):
        player.play("chime")
        until(lambda: ended(player))
    assert "code 1" in player.words


def test_without_a_program_and_without_the_wish_there_is_no_sound(bin: Path) -> None:
    none = Player(environ={}, find=lambda _: None)
    none.play("alarm")
    assert none.words == "no sound is played: aplay or pw-play or paplay is not installed"
    assert Player("paplay", environ={}, find=lambda _: None).words == "no sound is played: paplay is not installed"
    assert Player(enabled=False, environ={}).words == Player(environ={"BLACKBOX_MUTE": "1"}).words != ""


def test_the_sounds_are_those_that_the_script_makes(tmp_path: Path) -> None:
    runpy.run_path(str(Path(__file__).parents[2] / "packaging" / "sounds.py"))["make"](tmp_path)
    for name in ("chime", "alarm"):
        made = (tmp_path / f"{name}.wav").read_bytes()
        assert made == resources.path(f"sounds/{name}.wav").read_bytes() and len(made) < 32_000
