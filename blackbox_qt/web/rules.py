"""THE table of every route and who may use it. What is not in it needs a credential and does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum


class Rule(Enum):
    """What a route asks of its visitor.

    Threads: immutable, any.
    """

    PUBLIC = "public"  # anybody
    ENTER = "enter"  # anybody, but from our own page: signing in
    VIEW = "view"  # whoever has a credential
    CONTROL = "control"  # changes something: a credential, and from our own page if it is a cookie


RULES: dict[str, dict[str, Rule]] = {
    "/healthz": {"GET": Rule.PUBLIC},
    "/sign-in": {"GET": Rule.PUBLIC},
    "/public/base.css": {"GET": Rule.PUBLIC},
    "/public/tokens.css": {"GET": Rule.PUBLIC},
    "/public/sign-in.js": {"GET": Rule.PUBLIC},
    "/public/icon.svg": {"GET": Rule.PUBLIC},
    "/api/v1/session": {"POST": Rule.ENTER, "DELETE": Rule.CONTROL},
    "/": {"GET": Rule.VIEW},
    "/page/alarm.js": {"GET": Rule.VIEW},
    "/page/live.css": {"GET": Rule.VIEW},
    "/page/live.js": {"GET": Rule.VIEW},
    "/page/mark.js": {"GET": Rule.VIEW},
    "/page/picture.js": {"GET": Rule.VIEW},
    "/page/time.js": {"GET": Rule.VIEW},
    "/page/words.js": {"GET": Rule.VIEW},
    "/video_feed": {"GET": Rule.VIEW},
    "/stream/{camera}.mjpg": {"GET": Rule.VIEW},
    "/snapshot/{camera}.jpg": {"GET": Rule.VIEW},
    "/api/v1/status": {"GET": Rule.VIEW},
    "/api/v1/recording": {"POST": Rule.CONTROL},
    "/api/v1/recordings": {"GET": Rule.VIEW},
    "/api/v1/segments": {"GET": Rule.VIEW},
    "/recordings/{library}/{segment}.mp4": {"GET": Rule.VIEW},
    "/api/v1/card": {"GET": Rule.VIEW, "POST": Rule.CONTROL},
    "/api/v1/erase": {"POST": Rule.CONTROL},
    "/api/v1/marks": {"GET": Rule.VIEW, "POST": Rule.CONTROL},
    "/api/v1/marks/{mark}": {"DELETE": Rule.CONTROL},
    "/api/v1/time": {"GET": Rule.VIEW, "POST": Rule.CONTROL, "PUT": Rule.CONTROL},
    "/api/openapi.json": {"GET": Rule.VIEW},
}
"""Path -> method -> rule. HEAD is GET without a body and follows its rule."""

_SAFE = ("GET", "HEAD", "OPTIONS")


class Rules:
    """Finds the rule of a request.

    Threads: immutable, any.
    """

    def __init__(self, table: dict[str, dict[str, Rule]] = RULES) -> None:
        self._plain = {path: rules for path, rules in table.items() if "{" not in path}
        self._patterns = [(_pattern(path), rules) for path, rules in table.items() if "{" in path]

    def of(self, method: str, path: str) -> Rule:
        """The rule; for what is not in the table CONTROL, or VIEW where the method changes nothing."""
        rules = self._plain.get(path)
        if rules is None:
            rules = next((rules for pattern, rules in self._patterns if pattern.fullmatch(path)), {})
        fallback = Rule.VIEW if method in _SAFE else Rule.CONTROL
        return rules.get("GET" if method == "HEAD" else method, fallback)


class RuleError(RuntimeError):
    """Routes and table differ: a bug, found at start."""


def check_complete(routes: Iterable[tuple[str, str]], table: dict[str, dict[str, Rule]] = RULES) -> None:
    """Raise RuleError unless `routes` (path, method) and the table name exactly the same.

    Threads: any.
    """
    real = {(path, method) for path, method in routes if method != "HEAD"}
    declared = {(path, method) for path, rules in table.items() for method in rules}
    if real != declared:
        odd = ", ".join(f"{method} {path}" for path, method in sorted(real ^ declared))
        raise RuleError(f"these routes are either without a rule or without a handler: {odd}")


def _pattern(path: str) -> re.Pattern[str]:
    """`{name}` is one path segment's part, as the router has it."""
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
