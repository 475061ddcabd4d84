"""MARK over the network: answered in words, refused without harm, and only from our own page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.app import mark_requests
from blackbox_qt.app.mark_requests import Asked
from blackbox_qt.commands import Exit
from blackbox_qt.core.clock import Anchor

from .conftest import Box, running, settings

Until = Callable[..., None]
MARKS = "/api/v1/marks"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    """A box of one's own: its marks are nobody else's."""
    with running(settings(tmp_path)) as made:
        yield made


def test_a_mark_is_saved_listed_extended_and_undone(own: Box, until: Until) -> None:
    owner = own.owner()
    assert owner.ask(MARKS).json == []
    made = owner.ask(MARKS, "POST", {"note": "ABC 123", "reason": "crash"})
    assert (made.status, made.json["words"]) == (201, "Saved: 30 s before to 60 s after")
    name = made.json["id"]
    again = owner.ask(MARKS, "POST", {})
    assert (again.json["id"], again.json["words"]) == (name, "Saved: 60 s more from now")
    (listed,) = owner.ask(MARKS).json
    assert (listed["note"], listed["reason"], listed["by"], listed["kind"]) == ("ABC 123", "crash", "program", "manual")
    assert not listed["undone"] and listed["words"] == ""
    until(lambda: owner.ask("/api/v1/status").json["marks"]["running"] == name)
    assert 55 < owner.ask("/api/v1/status").json["marks"]["left_s"] <= 60
    undone = owner.ask(f"{MARKS}/{name}", "DELETE")
    assert (undone.status, undone.json["undone"]) == (200, True)
    until(lambda: owner.ask("/api/v1/status").json["marks"]["running"] == "")


def test_a_request_without_a_body_is_enough(own: Box) -> None:
    answer = own.owner().ask(MARKS, "POST")
    assert answer.status == 201 and not answer.json["whole_trip"]
    trip = own.owner().ask(MARKS, "POST", {"whole_trip": True, "by": "page"})
    assert (trip.json["words"], trip.json["by"]) == ("Saved: the whole trip", "page")


def test_when_is_said_as_soon_as_the_time_is_known(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    real = own.app.clock.anchor()
    monkeypatch.setattr(own.app.clock, "anchor", lambda: replace(real, source="unsynced"))
    made = own.owner().ask(MARKS, "POST", {}).json
    assert (made["when"], made["utc_ns"]) == ("time unknown", None)
    known = Anchor(real.boot_ns, 1_790_000_000 * 10**9, "phone", 10**9)
    monkeypatch.setattr(own.app.clock, "anchor", lambda: known)
    (listed,) = own.owner().ask(MARKS).json
    assert listed["when"].startswith("2026-09-21") and listed["utc_ns"] is not None


def test_only_our_own_page_may(box: Box) -> None:
    """By cookie an Origin is wanted; anybody else's is refused; without a credential nothing is told."""
    browser, before = box.browser(), box.app.marking.marks()
    assert browser.ask(MARKS, "POST", {}).status == 403
    assert browser.ask(MARKS, "POST", {}, Origin="http://elsewhere.example").status == 403
    assert browser.ask(f"{MARKS}/m1", "DELETE", None, Origin="http://elsewhere.example").status == 403
    assert box.visitor().ask(MARKS).status == 401
    assert box.visitor().ask(MARKS, "POST", {}).status == 401
    assert box.app.marking.marks() == before, "nothing was marked"


@pytest.mark.parametrize(("body", "sentence"), [
    ({"note": "x" * 501}, "note = " + "x" * 40 + " is not allowed; allowed: a text of at most 500 letters."),
    ({"note": 7}, "note = 7 is not allowed; allowed: a text of at most 500 letters."),
    ({"whole_trip": "yes"}, "whole_trip = yes is not allowed; allowed: true or false."),
    ({"by": "the king"}, "by = the king is not allowed; allowed: page, command line or program."),
    ({"speed": 7}, "speed is not known here."),
    (b"nonsense", "Send JSON, with Content-Type: application/json."),
])  # fmt: skip
def test_bad_requests_get_one_sentence_and_mark_nothing(box: Box, body: object, sentence: str) -> None:
    before = box.app.marking.marks()
    answer = box.owner().ask(MARKS, "POST", body, Content_Type="application/json")
    assert (answer.status, answer.error) == (422, sentence)
    assert box.app.marking.marks() == before


def test_a_mark_that_is_not_there_is_one_sentence(box: Box) -> None:
    answer = box.owner().ask(f"{MARKS}/m00000000", "DELETE")
    assert (answer.status, answer.error) == (404, "There is no mark m00000000; `blackbox-qt mark --list` shows them.")


def test_a_refused_mark_says_why(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own.app.marking, "_refusal", lambda mark: "Not kept: marks have their share")
    answer = own.owner().ask(MARKS, "POST", {})
    assert (answer.status, answer.error) == (409, "Not kept: marks have their share.")
    assert own.owner().ask(MARKS).json == []


def test_a_card_that_does_not_answer_is_said(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = replace(mark_requests.NOBODYS, id="m1")
    monkeypatch.setattr(mark_requests.Asked.answered, "__defaults__", (0.05,))
    monkeypatch.setattr(own.app.marking, "ask", lambda *_, **__: Asked(mark, Future()))
    answer = own.owner().ask(MARKS, "POST", {})
    assert (answer.status, answer.json["state"]) == (202, "waiting")
    assert answer.json["words"] == "The card does not answer: saved as soon as it does"


# ---- the command line


def typed(box: Box, capsys: pytest.CaptureFixture[str], *words: str, key: Path | None = None) -> tuple[int, str, str]:
    port = box.server.address.rstrip("/").rpartition(":")[2]
    state = key or box.config.storage.state
    config = ["--set", f"web.port={port}", "--set", "web.host=127.0.0.1", "--set", f"storage.state={state}"]
    code = main(["mark", *words, *config])
    said: Any = capsys.readouterr()
    return code, said.out.strip(), said.err.strip()


def test_the_command_asks_the_running_recorder(own: Box, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(own, capsys, "--list") == (Exit.OK, "There are no marks.", "")
    code, out, _ = typed(own, capsys, "--note", "ABC 123")
    assert code == Exit.OK and out.startswith("Saved: 30 s before to 60 s after (m")
    name = out.partition("(")[2].rstrip(")")
    assert typed(own, capsys, "--whole-trip")[1].startswith("Saved: the whole trip")
    listed = typed(own, capsys, "--list")[1].splitlines()
    assert len(listed) == 2 and "the whole trip" in listed[0]
    assert listed[1].startswith(name) and "manual  by command line  ABC 123" in listed[1]
    assert typed(own, capsys, "--undo", name)[1].startswith("Undone")
    assert "undone" in typed(own, capsys, "--list")[1]


def test_the_command_says_in_one_sentence_what_is_wrong(
    box: Box, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, said = typed(box, capsys, "--undo", "m/../x")
    assert code == Exit.FAILED and said.startswith("blackbox-qt: There is no")
    code, _, said = typed(box, capsys, key=tmp_path)
    assert (code, said) == (
        Exit.FAILED, f"blackbox-qt: no recorder has run here with these settings: there is no key in {tmp_path}",
    )  # fmt: skip
    (tmp_path / "access-key").write_text("0" * 26)
    code, _, said = typed(box, capsys, key=tmp_path)
    assert code == Exit.FAILED and "does not take the key" in said and "\n" not in said
    (tmp_path / "access-key").write_text("nonsense")
    assert "it holds no access key" in typed(box, capsys, key=tmp_path)[2]
    assert main(["mark", "--set", "web.port=0"]) == Exit.FAILED
    assert "its port is any free one" in capsys.readouterr().err
    assert main(["mark", "--set", "web.enabled=false"]) == Exit.FAILED
    assert "its page is switched off" in capsys.readouterr().err


def test_the_command_says_that_no_recorder_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import socket

    from blackbox_qt.web.key import load_key

    load_key(tmp_path)
    with socket.socket() as taken:  # bound and not listening: nobody else can
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main(["mark", "--set", f"web.port={port}", "--set", f"storage.state={tmp_path}"]) == Exit.FAILED
    said = capsys.readouterr().err
    assert said == f"blackbox-qt: no recorder runs here: nothing answers on port {port} (web.port)\n"
