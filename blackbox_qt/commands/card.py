"""`blackbox-qt card remove|use|status`: asks the recorder that runs on this box to let go of its card."""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import NotDoneError, ask, refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config

_PATH = "/api/v1/card"
_LIMIT_S = 60.0
_LOOK_S = 0.2
_STATES = {
    "none": "no card: recordings go to a folder of the system's disk",
    "fine": "the card is there and is recorded to",
}


def run_card(args: argparse.Namespace) -> int:
    """Do it, wait until it is done, and say how the card is. Returns an Exit."""
    try:
        config = installed_configuration(args)
        if args.action != "status":
            ask(config, "POST", _PATH, {"action": args.action})
        told = _when_done(config)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    except NotDoneError as error:
        return refuse(error, Exit.FAILED)
    for line in lines(told):
        print(line)
    bad = ("missing", "broken", "removed") if args.action == "use" else ("missing", "broken")
    return Exit.FAILED if told["state"] in bad else Exit.OK


def _when_done(config: Config) -> dict[str, Any]:
    until = time.monotonic() + _LIMIT_S
    while True:
        told: dict[str, Any] = ask(config, "GET", _PATH)
        if not told["doing"]:
            return told
        if time.monotonic() > until:
            raise NotDoneError(f"the recorder is still {told['doing']} the card; do not pull it yet")
        threading.Event().wait(_LOOK_S)


def lines(told: dict[str, Any]) -> list[str]:
    """How the card is, for a person.

    Threads: any.
    """
    said = [told["words"] or _STATES.get(told["state"], told["state"])]
    if told["id"]:
        said.append(f"card: {told['id']}")
    if told["state"] not in ("none", "fine"):
        said.append(_meanwhile(told))
    if told["moving_bytes"]:
        said.append(f"on the system's disk, waiting for the card: {told['moving_bytes'] / 1e6:.0f} MB")
    return said


def _meanwhile(told: dict[str, Any]) -> str:
    if not told["ring_limit"]:
        return "nothing is recorded meanwhile (emergency.enabled)"
    return f"meanwhile the last {told['ring_s'] / 60:.0f} min at most are kept on the system's disk"
