"""Asks the recorder that runs on this box, over its own address, with its key: for the commands that need it."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any

from blackbox_qt.commands import Exit
from blackbox_qt.config import Config
from blackbox_qt.web.key import read_key

_LIMIT_S = 5.0


class NotDoneError(Exception):
    """Why the recorder did not do it: one sentence."""


class NoRecorderError(NotDoneError):
    """Nothing answers: none runs, or one that cannot be asked."""


def refuse(why: object, code: Exit) -> Exit:
    """Say why not on standard error; the code to end with.

    Threads: any.
    """
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code


def ask(config: Config, method: str, path: str, body: object = None) -> Any:
    """The recorder's answer, from JSON. Raises NotDoneError.

    Threads: any; blocks for 5 s at the most.
    """
    host, port = _address(config)
    headers = {"Content-Type": "application/json", **_credential(config)}
    connection = http.client.HTTPConnection(host, port, timeout=_LIMIT_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except ConnectionRefusedError:
        raise NoRecorderError(f"no recorder runs here: nothing answers on port {port} (web.port)") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotDoneError(f"the recorder on port {port} does not answer as it should ({error or 'nothing'})") from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise NotDoneError(_why(answer.status, told, config))
    return told


def _why(status: int, told: Any, config: Config) -> str:
    if status == 401:
        return f"the recorder does not take the key in {config.storage.state}: it runs with other settings (--config)"
    return str(told.get("error", status)) if isinstance(told, dict) else str(status)


def _address(config: Config) -> tuple[str, int]:
    if not config.web.enabled:
        raise NoRecorderError("the recorder cannot be asked: its page is switched off (web.enabled)")
    if config.web.port == 0:
        raise NoRecorderError("the recorder cannot be found: its port is any free one (web.port = 0)")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(config.web.host, config.web.host)
    return host, config.web.port


def _credential(config: Config) -> dict[str, str]:
    if not config.web.auth:
        return {}
    try:
        return {"Authorization": f"Bearer {read_key(config.storage.state)}"}
    except FileNotFoundError:
        why = f"no recorder has run here with these settings: there is no key in {config.storage.state}"
        raise NoRecorderError(why) from None
    except PermissionError:
        why = f"the key in {config.storage.state} may not be read by this user; run it with sudo"
    except (OSError, ValueError) as error:
        why = f"the key in {config.storage.state} cannot be read ({error})"
    raise NotDoneError(why)
