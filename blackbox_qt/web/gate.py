"""The one door: every request passes here, and everything that is not allowed ends here."""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blackbox_qt.web import words
from blackbox_qt.web.access import Access, Credential
from blackbox_qt.web.rules import Rule, Rules

log = logging.getLogger(__name__)

MOST_BODY = 64 * 1024  # bytes

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
]
"""With every answer."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request ends here.

    Threads: immutable, any.
    """

    status: int
    words: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Gate:
    """ASGI middleware, written by hand because Starlette's BaseHTTPMiddleware breaks streams.

    `access` None: nobody has to sign in, but then only a browser on this very machine may come (config sees to the
    address, this to the name: a web site that points its own name at 127.0.0.1 is refused).

    Threads: the web loop's.
    """

    def __init__(self, app: ASGIApp, access: Access | None, rules: Rules) -> None:
        self._app = app
        self._access = access
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.refuse(refusal)
            return
        # HEAD is GET here, so that no route can forget it; uvicorn keeps the body back by its own scope.
        inner = dict(scope, method="GET", head=True) if scope["method"] == "HEAD" else scope
        try:
            await self._app(inner, _Limited(receive), answer.send)
        except Exception:  # the web's door: the visitor gets a sentence, the log gets the rest
            log.exception("the page failed at %s %s", scope["method"], scope["path"])
            await answer.refuse(Refusal(500, words.FAILED))

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal = self._host(scope, headers) or _length(headers)
        rule = self._rules.of(scope["method"], scope["path"])
        if refusal is not None or rule is Rule.PUBLIC:
            return refusal
        if self._access is None:
            return _foreign(rule, headers, origin_needed=False)
        if rule is Rule.ENTER:
            return _foreign(rule, headers, origin_needed=False)
        credential = self._access.credential(scope["headers"])
        if credential is Credential.NONE:
            return _sign_in_first(scope, headers)
        if rule is Rule.CONTROL:
            return _foreign(rule, headers, origin_needed=credential is Credential.COOKIE)
        return None

    def _host(self, scope: Scope, headers: dict[bytes, bytes]) -> Refusal | None:
        """One Host at most, and without access control only this machine's own names (DNS rebinding)."""
        count = sum(1 for name, _ in scope["headers"] if name == b"host")
        if count > 1 or (count == 0 and scope["http_version"] != "1.0"):
            return Refusal(400, words.NO_HOST)
        if self._access is None and count and not _is_loopback(headers[b"host"].decode("latin-1")):
            return Refusal(403, words.WRONG_HOST)
        return None


class _Answer:
    """`send`, with the security headers, and knowing whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            given = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(h for h in SECURITY_HEADERS if h[0] not in given)]
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        if self._started:
            return
        body = json.dumps({"error": refusal.words}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send(
            {"type": "http.response.start", "status": refusal.status, "headers": [*headers, *refusal.headers]}
        )
        await self.send({"type": "http.response.body", "body": body})


class _Limited:
    """`receive`, up to MOST_BODY bytes."""

    __slots__ = ("_left", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MOST_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            # FastAPI's own, because it turns any other exception into "400 error parsing the body".
            raise HTTPException(413, words.BODY_TOO_LARGE, {"connection": "close"})
        return message


def _length(headers: dict[bytes, bytes]) -> Refusal | None:
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) <= MOST_BODY:
        return None
    return Refusal(413, words.BODY_TOO_LARGE, ((b"connection", b"close"),))


def _sign_in_first(scope: Scope, headers: dict[bytes, bytes]) -> Refusal:
    """A person is led to the sign-in page, a program is told how to show its key."""
    if scope["path"] == "/" and scope["method"] in ("GET", "HEAD") and b"text/html" in headers.get(b"accept", b""):
        return Refusal(303, words.SIGN_IN, ((b"location", b"/sign-in"),))
    return Refusal(401, words.SIGN_IN, tuple(_challenges(headers)))


def _challenges(headers: dict[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """ffmpeg and GStreamer show a password only when asked; a browser would open a dialog of its own."""
    yield b"www-authenticate", b'Bearer realm="Blackbox Qt"'
    if not headers.get(b"user-agent", b"").startswith(b"Mozilla/"):
        yield b"www-authenticate", b'Basic realm="Blackbox Qt", charset="UTF-8"'


def _foreign(rule: Rule, headers: dict[bytes, bytes], *, origin_needed: bool) -> Refusal | None:
    """Refuse what another web site made a browser send. `origin_needed`: a browser's word is all there is."""
    site = headers.get(b"sec-fetch-site", b"none")
    if rule is Rule.VIEW:
        if site in (b"cross-site", b"same-site") and headers.get(b"sec-fetch-mode") != b"navigate":
            return Refusal(403, words.FOREIGN)
        return None
    if site not in (b"none", b"same-origin"):
        return Refusal(403, words.FOREIGN)
    origin = headers.get(b"origin")
    if origin is None:
        return Refusal(403, words.NO_ORIGIN) if origin_needed else None
    own = headers.get(b"host", b"").lower()
    if not own or origin.lower() not in (b"http://" + own, b"https://" + own):
        return Refusal(403, words.FOREIGN)
    return None


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    name = name.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
