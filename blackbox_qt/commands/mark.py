"""`blackbox-qt mark`: asks the recorder that runs on this box, over its own address, with its key."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import NotDoneError, ask, refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config

_PATH = "/api/v1/marks"


def run_mark(args: argparse.Namespace) -> int:
    """Mark, undo or list, and say what came of it. Returns an Exit."""
    try:
        config = installed_configuration(args)
        lines = _told(args, config)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    except NotDoneError as error:
        return refuse(error, Exit.FAILED)
    for line in lines:
        print(line)
    return Exit.OK


def _told(args: argparse.Namespace, config: Config) -> list[str]:
    if args.list:
        return [_line(mark) for mark in ask(config, "GET", _PATH)] or ["There are no marks."]
    if args.undo:
        return [ask(config, "DELETE", f"{_PATH}/{quote(args.undo, safe='')}")["words"]]
    wish = {"note": args.note, "reason": args.reason, "whole_trip": args.whole_trip, "by": "command line"}
    mark = ask(config, "POST", _PATH, wish)
    return [f"{mark['words']} ({mark['id']})"]


def _line(mark: dict[str, Any]) -> str:
    what = "undone" if mark["undone"] else "waits for the card" if mark["state"] == "waiting" else mark["kind"]
    trip = "the whole trip" if mark["whole_trip"] else ""
    parts = (mark["id"], mark["when"], what, f"by {mark['by']}", trip, mark["reason"], mark["note"])
    return "  ".join(part for part in parts if part)
