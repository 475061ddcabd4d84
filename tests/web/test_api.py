"""Status, recording, health, stills and the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import simplejpeg

from blackbox_qt.app import Status
from blackbox_qt.sources.source import SourceError
from blackbox_qt.web import stills
from blackbox_qt.web.rules import RULES

from .conftest import Box, running, settings

Until = Callable[..., None]
MINUTES = " is not allowed; allowed: a number of minutes, more than 0 and at most 240."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    """A box of one's own, for what the others must not notice."""
    with running(settings(tmp_path)) as made:
        yield made


def test_the_status_is_the_app_s_own(box: Box) -> None:
    status = box.owner().ask("/api/v1/status").json
    assert set(status) == {*Status.__dataclass_fields__, "strip"}
    assert status["strip"] == {"mood": "well", "shape": "dot", "title": "REC", "words": ""}
    assert status["recording"] == "recording"
    camera = status["cameras"][0]
    assert (camera["name"], camera["width"], camera["state"]) == ("front", 320, "live")
    assert set(camera["buffers"]) >= {"free"}


def test_health_says_whether_it_records_and_no_more(box: Box) -> None:
    answer = box.visitor().ask("/healthz")
    assert (answer.status, answer.json) == (200, {"recording": True})
    head = box.visitor().ask("/healthz", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_recording_stops_for_a_time_and_goes_on_by_itself(own: Box, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["stopped by the user"]
    owner = own.owner()
    assert owner.ask("/api/v1/recording", "POST", {"recording": False, "minutes": 0.01}).json == {
        "recording": False, "resumes_in_s": 0.6,
    }  # fmt: skip
    until(lambda: owner.ask("/api/v1/status").json["recording"] == "paused")
    assert owner.ask("/healthz").status == 503
    until(lambda: owner.ask("/api/v1/status").json["recording"] == "recording")


def test_a_pause_without_minutes_takes_the_configured_ones_and_can_be_ended(
    own: Box, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["stopped by the user"]
    owner = own.owner()
    assert owner.ask("/api/v1/recording", "POST", {"recording": False}).json["resumes_in_s"] == 600
    until(lambda: owner.ask("/api/v1/status").json["recording"] == "paused")
    left = owner.ask("/api/v1/status").json["cameras"][0]["recording"]["resumes_in_s"]
    assert 590 < left <= 600
    assert owner.ask("/api/v1/recording", "POST", {"recording": True}).json == {"recording": True, "resumes_in_s": None}
    until(lambda: owner.ask("/healthz").status == 200)


@pytest.mark.parametrize(("body", "sentence"), [
    ({"recording": "no"}, "recording = no is not allowed; allowed: true or false."),
    ({"recording": 0}, "recording = 0 is not allowed; allowed: true or false."),
    ({"recording": False, "minutes": 0}, "minutes = 0" + MINUTES),
    ({"recording": False, "minutes": 241}, "minutes = 241" + MINUTES),
    ({"recording": False, "minutes": "ten"}, "minutes = ten" + MINUTES),
    ({"recording": False, "minutes": None, "x": 1}, "x is not known here."),
    ({}, "recording is missing; send true or false."),
    ([], "Send JSON, with Content-Type: application/json."),
    (b"nonsense", "Send JSON, with Content-Type: application/json."),
    (b"", "Send JSON, with Content-Type: application/json."),
    (b'{"recording": false, "minutes": NaN}', "minutes = nan" + MINUTES),
    (b'{"recording": false, "minutes": 1e999}', "minutes = inf" + MINUTES),
])  # fmt: skip
def test_bad_requests_get_one_sentence_and_change_nothing(box: Box, body: object, sentence: str) -> None:
    answer = box.owner().ask("/api/v1/recording", "POST", body, Content_Type="application/json")
    assert (answer.status, answer.error) == (422, sentence)
    assert box.app.status().recording == "recording"


def test_a_still_is_full_size_and_smaller_with_less_quality(box: Box) -> None:
    sizes = {}
    for quality in ("", "?quality=1", "?quality=100"):
        answer = box.owner().ask(f"/snapshot/front.jpg{quality}")
        assert (answer.status, answer.header("content-type")) == (200, "image/jpeg")
        assert simplejpeg.decode_jpeg(answer.body).shape == (240, 320, 3)
        sizes[quality] = len(answer.body)
    assert sizes["?quality=1"] < sizes[""] < sizes["?quality=100"]


@pytest.mark.parametrize("quality", ["0", "101", "-1", "", "high", "8.5", "1e1", "99999999999999999999", "%00"])
def test_a_bad_quality_gets_one_sentence(box: Box, quality: str) -> None:
    answer = box.owner().ask(f"/snapshot/front.jpg?quality={quality}")
    assert answer.status == 422
    assert "not allowed; allowed: a whole number from 1 to 100." in answer.error
    assert len(answer.error) < 130


def test_a_camera_without_pictures_gives_no_still_but_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str]
) -> None:
    from blackbox_qt.app import App

    def broken() -> object:
        raise SourceError("the cable is out")

    expected_alarms.append("the cable is out")
    monkeypatch.setattr(stills, "LIMIT_S", 0.1)
    config = settings(tmp_path)
    with App(config, sources={"front": broken}) as app, running(config, app) as box:  # type: ignore[dict-item]
        for _ in range(stills.MOST_WAITING):  # the same one is asked for once, however often
            answer = box.owner().ask("/snapshot/front.jpg")
            assert (answer.status, answer.error) == (503, "front gives no picture: the cable is out.")
        for quality in range(1, stills.MOST_WAITING):
            assert box.owner().ask(f"/snapshot/front.jpg?quality={quality}").status == 503
        assert box.owner().ask("/snapshot/front.jpg?quality=77").error.startswith("Too many pictures")
        assert box.visitor().ask("/healthz").status == 503


def test_the_schema_lists_every_route_for_programs(box: Box) -> None:
    schema = box.owner().ask("/api/openapi.json").json
    listed = {(path, method.upper()) for path, methods in schema["paths"].items() for method in methods}
    pages = {path for path in RULES if path.startswith(("/page/", "/public/"))} | {"/", "/sign-in", "/api/openapi.json"}
    assert listed == {(path, method) for path, rules in RULES.items() if path not in pages for method in rules}
    status = schema["paths"]["/api/v1/status"]["get"]
    assert status["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/StatusAnswer"
    }
    assert status["security"] == [{"bearer": []}, {"basic": []}]
    assert schema["paths"]["/healthz"]["get"]["security"] == []
    assert schema["components"]["schemas"]["CameraStatus"]["properties"]["state"]["enum"]
    assert (
        "multipart/x-mixed-replace; boundary=blackbox-frame"
        in (schema["paths"]["/video_feed"]["get"]["responses"]["200"]["content"])
    )


def test_a_handler_that_fails_gives_a_sentence_to_the_visitor_and_the_rest_to_the_log(
    hand: Box, expected_alarms: list[str]
) -> None:
    expected_alarms.append("the page failed at GET /healthz")
    answer = hand.visitor().ask("/healthz")  # this app has no status
    assert (answer.status, answer.error) == (
        500,
        "The page failed at this; the box's log says how. The recording is not affected.",
    )
    assert answer.header("x-content-type-options") == "nosniff"
