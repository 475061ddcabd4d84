"""The strip tells the truth: every state has a shape and words of its own."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from blackbox_qt.ui.strip_view import duration_text, fault_sentences, picture_title, strip_view
from tests.ui.helpers import WELL, camera_status


def test_recording_is_a_dot_and_nothing_more() -> None:
    view = strip_view(WELL)
    assert (view.mood, view.shape, view.title, view.words, view.watching) == ("well", "dot", "REC", "", "")


@pytest.mark.parametrize("state", ["idle", "fault", "paused"])
def test_no_other_state_shows_the_dot(state: str) -> None:
    view = strip_view(replace(WELL, recording=state, cameras=(camera_status(state=state),)))  # type: ignore[arg-type]
    assert view.shape != "dot"
    assert view.mood != "well"


def test_an_alarm_says_why() -> None:
    camera = camera_status(state="fault", words="no card")
    view = strip_view(replace(WELL, recording="fault", words="FRONT: no card", cameras=(camera,)))
    assert (view.shape, view.title, view.words) == ("square", "NOT RECORDING", "FRONT: no card")


def test_an_alarm_names_the_camera_when_the_other_one_records() -> None:
    cameras = (camera_status(), camera_status("rear", state="idle", words="no camera (cable?)"))
    status = replace(WELL, recording="idle", words="REAR: no camera (cable?)", cameras=cameras)
    view = strip_view(status)
    assert (view.title, view.words) == ("REAR NOT RECORDING", "no camera (cable?)")


@pytest.mark.parametrize(("uptime", "words"), [(2.0, "starting"), (60.0, "no picture comes")])
def test_idle_without_a_reason_has_words_too(uptime: float, words: str) -> None:
    status = replace(WELL, recording="idle", uptime_s=uptime, cameras=(camera_status(state="idle"),))
    assert strip_view(status).words == words


def test_paused_says_when_it_ends() -> None:
    status = replace(WELL, recording="paused", cameras=(camera_status(state="paused", resumes_in_s=544.2),))
    view = strip_view(status)
    assert (view.mood, view.shape, view.title, view.words) == ("paused", "bars", "PAUSED", "records again in 9:05")


def test_a_card_that_lags_is_said_although_it_records() -> None:
    view = strip_view(replace(WELL, cameras=(camera_status(unsynced_s=3.4),)))
    assert (view.mood, view.shape, view.title) == ("danger", "triangle", "CARD SLOW")
    assert "3 s" in view.words


def test_the_clock_is_local_and_only_shown_when_somebody_vouches_for_it() -> None:
    assert strip_view(WELL).clock == time.strftime("%H:%M", time.localtime(1_790_000_000))
    assert strip_view(replace(WELL, utc_source="unsynced")).clock == "–:–– no time"


def test_an_alarm_has_no_room_for_an_unknown_time() -> None:
    status = replace(WELL, recording="idle", utc_source="unsynced", cameras=(camera_status(state="idle"),))
    assert strip_view(status).clock == ""


def test_who_watches_is_said_when_somebody_does() -> None:
    assert strip_view(replace(WELL, viewers=2)).watching == "2 watching"


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:01"), (65, "1:05"), (3600, "1:00:00"), (599.5, "10:00")])
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_picture_that_is_not_live_says_so() -> None:
    broken = camera_status(words="no camera (cable?)")
    assert picture_title(camera_status(), stopped=False, seen=True) == ""
    assert picture_title(camera_status(), stopped=True, seen=True) == "PICTURE STOPPED"
    assert picture_title(camera_status(), stopped=True, seen=False) == "STARTING"
    assert picture_title(broken, stopped=True, seen=False) == "NO PICTURE"


def test_every_camera_in_trouble_gets_a_sentence() -> None:
    cameras = (camera_status(), camera_status("rear", words="no camera (cable?)"))
    assert fault_sentences(replace(WELL, cameras=cameras)) == ["REAR: no camera (cable?)"]
