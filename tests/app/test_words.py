"""Window and page say the same, and the truth: every mood has a shape and words of its own."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from blackbox_qt.app import words
from blackbox_qt.app.status import RetentionStatus
from blackbox_qt.app.words import Strip, fault_sentences, picture_title, span, strip
from blackbox_qt.core import resources
from blackbox_qt.storage.retention import FULL
from tests.ui.helpers import WELL, camera_status


def test_recording_is_a_dot_and_nothing_more() -> None:
    assert strip(WELL) == Strip("well", "dot", "REC", "")


@pytest.mark.parametrize("state", ["idle", "fault", "paused"])
def test_no_other_state_shows_the_dot(state: str) -> None:
    said = strip(replace(WELL, recording=state, cameras=(camera_status(state=state),)))  # type: ignore[arg-type]
    assert said.shape != "dot"
    assert said.mood != "well"


def test_an_alarm_says_why() -> None:
    camera = camera_status(state="fault", words="no card")
    said = strip(replace(WELL, recording="fault", words="FRONT: no card", cameras=(camera,)))
    assert said == Strip("alarm", "square", "NOT RECORDING", "FRONT: no card")


def test_an_alarm_names_the_camera_when_the_other_one_records() -> None:
    cameras = (camera_status(), camera_status("rear", state="idle", words="no camera (cable?)"))
    said = strip(replace(WELL, recording="idle", words="REAR: no camera (cable?)", cameras=cameras))
    assert (said.title, said.words) == ("REAR NOT RECORDING", "no camera (cable?)")


def test_a_card_that_will_be_full_is_said_although_it_records() -> None:
    filling = replace(WELL, retention=RetentionStatus(words="Marks keep 25.0 GB of the 30.0 GB they may: …"))
    assert strip(filling) == strip(WELL), "that asks for nothing now"
    status = replace(WELL, retention=RetentionStatus(words=FULL, stuck=True))
    assert strip(status) == Strip("danger", "triangle", "CARD NEARLY FULL", FULL)


@pytest.mark.parametrize(("uptime", "why"), [(2.0, "starting"), (60.0, "no picture comes")])
def test_idle_without_a_reason_has_words_too(uptime: float, why: str) -> None:
    status = replace(WELL, recording="idle", uptime_s=uptime, cameras=(camera_status(state="idle"),))
    assert strip(status).words == why


def test_paused_says_that_it_ends() -> None:
    status = replace(WELL, recording="paused", cameras=(camera_status(state="paused", resumes_in_s=530.2),))
    assert strip(status) == Strip("paused", "bars", "RECORDING PAUSED", "goes on by itself in 9 min")


def test_a_card_that_lags_is_said_although_it_records() -> None:
    said = strip(replace(WELL, cameras=(camera_status(unsynced_s=3.4, late=True),)))
    assert said == Strip("danger", "triangle", "CARD SLOW", "the last 3 s are not saved yet")


def test_a_card_that_is_synced_rarely_on_purpose_is_not_slow() -> None:
    assert strip(replace(WELL, cameras=(camera_status(unsynced_s=4.2, late=False),))).mood == "well"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1 s"), (59.2, "1 min"), (45, "45 s"), (61, "2 min"), (600, "10 min"), (3600, "1 h"), (3900, "1 h 5 min")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_picture_that_is_not_live_says_so() -> None:
    never = replace(camera_status(words="no camera (cable?)"), state="fault", frames=0)
    assert picture_title(never, seen=False) == "NO CAMERA"
    assert picture_title(replace(never, state="starting", words=""), seen=False) == "NO CAMERA"
    assert picture_title(camera_status(), seen=False) == "STARTING"
    assert picture_title(None, seen=False) == "STARTING"
    assert picture_title(camera_status(), seen=True) == "PICTURE STOPPED"
    assert picture_title(replace(camera_status(), state="stopped"), seen=False) == "PICTURE STOPPED"


def test_every_camera_in_trouble_gets_a_sentence() -> None:
    starting = replace(camera_status("cabin"), state="starting", frames=0)
    cameras = (camera_status(), camera_status("rear", words="no camera (cable?)"), starting)
    assert fault_sentences(replace(WELL, cameras=cameras)) == ["REAR: no camera (cable?)", "CABIN: starting"]


def test_the_page_s_own_words_are_the_window_s() -> None:
    """The strip's come with the status; these the page must say by itself, at once."""
    page = dict(re.findall(r'(?m)^  (\w+): (?:\(\w+\) => )?["`](.*)["`],$', resources.path("web/words.js").read_text()))
    assert page["noCamera"] == words.NO_CAMERA
    assert page["pictureStopped"] == words.PICTURE_STOPPED
    assert page["starting"] == words.STARTING
    assert page["noTime"] == words.NO_TIME
    assert page["watching"].replace("${", "{") == words.WATCHING
