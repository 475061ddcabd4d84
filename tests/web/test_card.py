"""The card over the network and on the command line: what is done is said, what cannot be done is refused in words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.app.emergency import CardActionError
from blackbox_qt.app.fault_status import CardStatus
from blackbox_qt.commands import Exit
from blackbox_qt.commands import card as card_command
from blackbox_qt.commands.card import lines
from blackbox_qt.web.key import load_key

from .conftest import Box, running, settings

CARD = "/api/v1/card"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    with running(settings(tmp_path)) as made:
        yield made


def pretend(box: Box, monkeypatch: pytest.MonkeyPatch, **status: Any) -> None:
    monkeypatch.setattr(box.app.emergency, "status", lambda: CardStatus(**status))


def test_how_the_card_is(own: Box, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(own, monkeypatch, state="removed", words="Card removed: it can be pulled out now.", moving_bytes=7)
    told = own.owner().ask(CARD)
    assert told.status == 200 and told.json["state"] == "removed" and told.json["moving_bytes"] == 7
    until(lambda: own.owner().ask("/api/v1/status").json["card"] == told.json)  # the snapshot may be 0.1 s old


def test_what_cannot_be_done_is_one_sentence(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise CardActionError("There is no card to remove: recordings go to a folder of the system's disk.")

    monkeypatch.setattr(own.app.emergency, "remove", refuse)
    answer = own.owner().ask(CARD, "POST", {"action": "remove"})
    assert answer.status == 409 and answer.error.startswith("There is no card to remove")
    wrong = own.owner().ask(CARD, "POST", {"action": "eat"})
    assert wrong.status == 422 and wrong.error == "action = eat is not allowed; allowed: remove or use."


def test_it_is_begun_at_once_and_only_by_the_owner(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(own.app.emergency, "remove", lambda: asked.append("remove"))
    monkeypatch.setattr(own.app.emergency, "use", lambda: asked.append("use"))
    assert own.visitor().ask(CARD, "POST", {"action": "remove"}).status == 401 and asked == []
    for action in ("remove", "use"):
        assert own.owner().ask(CARD, "POST", {"action": action}).status == 202
    assert asked == ["remove", "use"]


def test_the_command_waits_until_it_is_done_and_says_how_the_card_is(
    own: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own.app.emergency, "remove", lambda: None)
    monkeypatch.setattr("blackbox_qt.commands.card._LOOK_S", 0.01)

    def status() -> CardStatus:
        """Under way until the command has asked a few times."""
        if len(asked) < 3:
            return CardStatus("removed", doing="removing")
        return CardStatus("removed", "Card removed: pull it.", id="a-b")

    asked: list[str] = []
    real = card_command.ask
    monkeypatch.setattr(card_command, "ask", lambda config, *how: (asked.append(how[0]), real(config, *how))[1])
    monkeypatch.setattr(own.app.emergency, "status", status)
    port = own.server.address.rstrip("/").rpartition(":")[2]
    options = ["--set", f"web.port={port}", "--set", "web.host=127.0.0.1"]
    assert main(["card", "remove", *options, "--set", f"storage.state={own.config.storage.state}"]) == Exit.OK
    assert asked == ["POST", "GET", "GET"]
    said = capsys.readouterr().out.splitlines()
    assert said == ["Card removed: pull it.", "card: a-b", "nothing is recorded meanwhile (emergency.enabled)"]


def test_no_recorder_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_key(tmp_path)
    options = ["--set", "web.port=1", "--set", f"storage.state={tmp_path}"]
    assert main(["card", "status", *options]) == Exit.FAILED
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_words_of_every_state() -> None:
    def said(**status: Any) -> list[str]:
        return lines(vars(argparse.Namespace(**{**empty(), **status})))

    def empty() -> dict[str, Any]:
        return {"state": "none", "words": "", "id": "", "ring_limit": 0, "ring_s": 0.0, "moving_bytes": 0}

    assert said() == ["no card: recordings go to a folder of the system's disk"]
    assert said(state="fine", id="x")[0] == "the card is there and is recorded to"
    missing = said(state="missing", words="Card missing", ring_limit=1, ring_s=1800.0, moving_bytes=3_000_000)
    assert missing[1:] == ["meanwhile the last 30 min at most are kept on the system's disk",
                           "on the system's disk, waiting for the card: 3 MB"]  # fmt: skip
