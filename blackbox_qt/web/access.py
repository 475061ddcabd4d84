"""Who may come in: the key itself in a header (programs), or a cookie that was signed with it (browsers)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterable
from enum import Enum

from blackbox_qt.web.key import normal

Headers = Iterable[tuple[bytes, bytes]]

COOKIE_DAYS = 365
_TOKEN = re.compile(rb"v1\.(\d{1,12})\.([0-9a-f]{64})")
_MOST_CREDENTIAL = 512  # bytes; nothing true is longer


class Credential(Enum):
    """How somebody showed that they may come in.

    Threads: immutable, any.
    """

    NONE = "none"
    COOKIE = "cookie"  # a browser sends it by itself: what changes something needs an Origin too
    HEADER = "header"  # a program put it there on purpose


class Access:
    """Checks keys and signs cookies. There is no list of sessions: a new key ends all of them, a restart none.

    The time in a cookie is when it was given out; it is not checked, because the box has no clock to trust. The
    browser forgets the cookie after a year. Roles will be decided here too.

    Threads: any.
    """

    def __init__(self, key: str, port: int) -> None:
        self.key = key
        self.cookie_name = f"blackbox-{port}"  # browsers share cookies between all ports of one machine
        self._secret = hashlib.sha256(b"blackbox-qt session\0" + key.encode()).digest()

    def knows(self, typed: str) -> bool:
        """Whether that is the key, as typed or as kept. Takes the same time for every wrong one."""
        if len(typed) > _MOST_CREDENTIAL:
            return False
        return hmac.compare_digest(normal(typed).encode(), self.key.encode())

    def session(self) -> str:
        """A new cookie value."""
        issued = str(max(0, int(time.time())))
        return f"v1.{issued}.{self._sign(issued.encode())}"

    def set_cookie(self) -> str:
        """The Set-Cookie header that lets a browser in."""
        return f"{self.cookie_name}={self.session()}; {_attributes(COOKIE_DAYS * 86_400)}"

    def drop_cookie(self) -> str:
        """The Set-Cookie header that makes a browser forget."""
        return f"{self.cookie_name}=; {_attributes(0)}"

    def credential(self, headers: Headers) -> Credential:
        """The best credential among a request's headers (names in small letters, as in ASGI)."""
        found = Credential.NONE
        for name, value in headers:
            if name == b"authorization" and self._header(value):
                return Credential.HEADER
            if name == b"cookie" and self._cookies(value):
                found = Credential.COOKIE
        return found

    def _header(self, value: bytes) -> bool:
        """`Bearer KEY`, or `Basic` with the key as password and any name (RFC 6750, RFC 7617)."""
        if len(value) > _MOST_CREDENTIAL:
            return False
        scheme, _, rest = value.strip().partition(b" ")
        if scheme.lower() == b"bearer":
            return self.knows(rest.decode("latin-1"))
        if scheme.lower() != b"basic":
            return False
        try:
            _, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        return self.knows(password.decode("latin-1"))

    def _cookies(self, value: bytes) -> bool:
        wanted = self.cookie_name.encode()
        for pair in value.split(b";"):
            name, _, token = pair.strip().partition(b"=")
            if name == wanted and self._token(token):
                return True
        return False

    def _token(self, token: bytes) -> bool:
        match = _TOKEN.fullmatch(token)
        return match is not None and hmac.compare_digest(self._sign(match[1]).encode(), match[2])

    def _sign(self, issued: bytes) -> str:
        return hmac.new(self._secret, b"v1." + issued, hashlib.sha256).hexdigest()


def _attributes(seconds: int) -> str:
    # Not "Secure": a phone on the car's Wi-Fi has plain HTTP only.
    return f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
