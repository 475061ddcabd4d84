"""Erasing over the network: asked from our own page only, exactly one thing at a time, refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths

from .conftest import Box, running, settings

ERASE = "/api/v1/erase"
Until = Callable[..., None]


@pytest.fixture
def recorder(tmp_path: Path, until: Until) -> Iterator[Box]:
    with running(settings(tmp_path, "record.key_interval_s=0.3")) as box:
        until(lambda: all(library.loaded.is_set() for library in box.app.libraries.values()))
        yield box


def test_everything_goes_and_recording_goes_on(recorder: Box, expected_alarms: list[str]) -> None:
    expected_alarms.append("(everything, by page)")
    data = recorder.app.data
    (data / "snapshots").mkdir()
    (data / "snapshots/front-1.jpg").write_bytes(b"a still")
    begun = recorder.app.cameras["front"].status().recording.segment
    browser = recorder.browser()
    answer = browser.ask(ERASE, "POST", {"everything": True, "by": "page"}, Origin=browser.origin)
    assert (answer.status, answer.json) == (200, {"words": "Erased: 1 segment."}), answer.json
    assert not list(data.rglob(f"{begun}*")) and not list(data.rglob("*.jpg"))
    assert recorder.app.status().recording == "recording"
    assert all(not report.damage for report in check_paths([data]).segments)


def test_a_trip_by_its_number(recorder: Box, expected_alarms: list[str]) -> None:
    expected_alarms.append("(trip 1, by program)")
    owner = recorder.owner()
    answer = owner.ask(ERASE, "POST", {"trip": 2, "demo": True})
    assert (answer.status, answer.error) == (409, "There is no trip 2; the last ones are: 1.")
    recorder.app.cameras["front"].cut()
    answer = owner.ask(ERASE, "POST", {"trip": 1})
    assert (answer.status, answer.error) == (409, "There is no trip 1; the last ones are: none."), (
        "it is a test picture's"
    )
    assert owner.ask(ERASE, "POST", {"trip": 1, "demo": True}).status == 200


@pytest.mark.parametrize("body", [{}, {"trip": 1, "everything": True}, {"trip": None}, {"everything": False}])
def test_what_to_erase_must_be_said(box: Box, body: dict[str, object]) -> None:
    answer = box.owner().ask(ERASE, "POST", body)
    assert (answer.status, answer.error) == (
        422,
        "Say what to erase: trip, with its number, or everything: true; not both.",
    )


@pytest.mark.parametrize(
    "body", [{"trip": 0}, {"trip": "all"}, {"everything": 1}, {"everything": True, "now": True}, []]
)
def test_nonsense_is_refused(box: Box, body: object) -> None:
    answer = box.owner().ask(ERASE, "POST", body)
    assert answer.status == 422 and answer.error


def test_another_page_cannot_ask_for_it(box: Box) -> None:
    browser = box.browser()
    assert browser.ask(ERASE, "POST", {"everything": True}, Origin="http://elsewhere").status == 403
    assert browser.ask(ERASE, "POST", {"everything": True}).status == 403
    assert box.visitor().ask(ERASE, "POST", {"everything": True}).status == 401
