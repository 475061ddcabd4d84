"""The window's strip: the shared words, and the clock."""

from __future__ import annotations

import time
from dataclasses import replace

from blackbox_qt.ui.strip_view import strip_view
from tests.ui.helpers import WELL, camera_status


def test_recording_is_a_dot_and_nothing_more() -> None:
    view = strip_view(WELL)
    assert (view.mood, view.shape, view.title, view.words, view.watching) == ("well", "dot", "REC", "", "")


def test_the_clock_is_local_and_only_shown_when_somebody_vouches_for_it() -> None:
    assert strip_view(WELL).clock == time.strftime("%H:%M", time.localtime(1_790_000_000))
    assert strip_view(replace(WELL, utc_source="unsynced")).clock == "–:–– no time"


def test_the_clock_is_that_of_the_zone_that_was_set() -> None:
    seoul = replace(WELL.time, zone="Asia/Seoul")
    assert strip_view(replace(WELL, time=seoul, utc_ns=1_795_151_251 * 10**9)).clock == "14:07"


def test_an_alarm_has_no_room_for_an_unknown_time() -> None:
    status = replace(WELL, recording="idle", utc_source="unsynced", cameras=(camera_status(state="idle"),))
    assert strip_view(status).clock == ""


def test_who_watches_is_said_when_somebody_does() -> None:
    assert strip_view(replace(WELL, viewers=2)).watching == "2 watching"
