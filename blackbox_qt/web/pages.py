"""The page's own files: a fixed list, read once. No folder is served, so no path can lead out of it."""

from __future__ import annotations

import json

from fastapi import FastAPI
from starlette.responses import Response

from blackbox_qt.core import resources

FILES = {
    "/": "live.html",
    "/sign-in": "sign-in.html",
    "/public/base.css": "base.css",
    "/public/sign-in.js": "sign-in.js",
    "/public/icon.svg": "icon.svg",
    "/page/alarm.js": "alarm.js",
    "/page/live.css": "live.css",
    "/page/live.js": "live.js",
    "/page/mark.js": "mark.js",
    "/page/picture.js": "picture.js",
    "/page/time.js": "time.js",
    "/page/words.js": "words.js",
}
TOKENS = "/public/tokens.css"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def add_to(site: FastAPI) -> None:
    """A route for every file; FileNotFoundError where the installation is incomplete.

    Threads: any.
    """
    for address, name in FILES.items():
        body = resources.path(f"web/{name}").read_bytes()
        _add(site, address, body, _TYPES[name.rpartition(".")[2]])
    tokens = tokens_css(resources.path("tokens.json").read_text("utf-8"))
    _add(site, TOKENS, tokens.encode(), "text/css")


def tokens_css(tokens: str) -> str:
    """The colours as CSS variables, `--background` and so on; `tokens` is JSON: {"day": {name: "#rrggbb"}, "night": …}.

    Threads: any.
    """
    themes = {name: " ".join(f"--{key}: {value};" for key, value in json.loads(tokens)[name].items())
              for name in ("day", "night")}  # fmt: skip
    night = " ".join(f"--night-{key}: {value};" for key, value in json.loads(tokens)["night"].items())
    return (
        f":root {{ color-scheme: light dark; {themes['day']} {night} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {themes['night']} }} }}\n"
    )


def _add(site: FastAPI, address: str, body: bytes, media_type: str) -> None:
    async def serve() -> Response:
        return Response(body, media_type=f"{media_type}; charset=utf-8")

    site.add_api_route(address, serve, methods=["GET"], include_in_schema=False)
