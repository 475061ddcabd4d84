"""`blackbox-qt mark`: asks the recorder that runs on this box, over its own address, with its key."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from typing import Any
from urllib.parse import quote

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config
from blackbox_qt.web.key import read_key

_LIMIT_S = 5.0
_PATH = "/api/v1/marks"


class _NotDone(Exception):
    """One sentence."""


def run_mark(args: argparse.Namespace) -> int:
    """Mark, undo or list, and say what came of it. Returns an Exit."""
    try:
        config = installed_configuration(args)
        lines = _told(args, config)
    except ConfigError as error:
        return _refuse(error, Exit.USAGE)
    except _NotDone as error:
        return _refuse(error, Exit.FAILED)
    for line in lines:
        print(line)
    return Exit.OK


def _refuse(why: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code


def _told(args: argparse.Namespace, config: Config) -> list[str]:
    if args.list:
        return [_line(mark) for mark in _ask(config, "GET", _PATH)] or ["There are no marks."]
    if args.undo:
        return [_ask(config, "DELETE", f"{_PATH}/{quote(args.undo, safe='')}")["words"]]
    wish = {"note": args.note, "reason": args.reason, "whole_trip": args.whole_trip, "by": "command line"}
    mark = _ask(config, "POST", _PATH, wish)
    return [f"{mark['words']} ({mark['id']})"]


def _line(mark: dict[str, Any]) -> str:
    what = "undone" if mark["undone"] else "waits for the card" if mark["state"] == "waiting" else mark["kind"]
    trip = "the whole trip" if mark["whole_trip"] else ""
    parts = (mark["id"], mark["when"], what, f"by {mark['by']}", trip, mark["reason"], mark["note"])
    return "  ".join(part for part in parts if part)


def _ask(config: Config, method: str, path: str, body: object = None) -> Any:
    """The recorder's answer. Raises _NotDone."""
    host, port = _address(config)
    headers = {"Content-Type": "application/json", **_credential(config)}
    connection = http.client.HTTPConnection(host, port, timeout=_LIMIT_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except ConnectionRefusedError:
        raise _NotDone(f"no recorder runs here: nothing answers on port {port} (web.port)") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _NotDone(f"the recorder on port {port} does not answer as it should ({error or 'nothing'})") from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise _NotDone(_why(answer.status, told, config))
    return told


def _why(status: int, told: Any, config: Config) -> str:
    if status == 401:
        return f"the recorder does not take the key in {config.storage.state}: it runs with other settings (--config)"
    return str(told.get("error", status)) if isinstance(told, dict) else str(status)


def _address(config: Config) -> tuple[str, int]:
    if not config.web.enabled:
        raise _NotDone("the recorder cannot be asked: its page is switched off (web.enabled)")
    if config.web.port == 0:
        raise _NotDone("the recorder cannot be found: its port is any free one (web.port = 0)")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(config.web.host, config.web.host)
    return host, config.web.port


def _credential(config: Config) -> dict[str, str]:
    if not config.web.auth:
        return {}
    try:
        return {"Authorization": f"Bearer {read_key(config.storage.state)}"}
    except FileNotFoundError:
        why = f"no recorder has run here with these settings: there is no key in {config.storage.state}"
    except PermissionError:
        why = f"the key in {config.storage.state} may not be read by this user; run it with sudo"
    except (OSError, ValueError) as error:
        why = f"the key in {config.storage.state} cannot be read ({error})"
    raise _NotDone(why)
