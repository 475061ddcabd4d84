"""A JPEG sink that is fed by hand, an app around it, and a visitor that speaks HTTP by hand."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from blackbox_qt.sinks.jpeg import JpegFrame

BOUNDARY = b"--blackbox-frame\r\n"


class HandSink:
    """What the broadcast needs of a JpegSink; `feed` is the next frame."""

    def __init__(self) -> None:
        self.latest: JpegFrame | None = None
        self.listeners: tuple[Callable[[], None], ...] = ()
        self.number = 0

    @property
    def watchers(self) -> int:
        return len(self.listeners)

    @contextmanager
    def watch(self, listener: Callable[[], None]) -> Iterator[None]:
        self.listeners = (*self.listeners, listener)
        try:
            yield
        finally:
            left = list(self.listeners)
            left.remove(listener)
            self.listeners = tuple(left)

    def feed(self, size: int = 1000, *, stopped: bool = False) -> JpegFrame:
        self.number += 1
        data = self.number.to_bytes(4, "big") * (size // 4)
        self.latest = JpegFrame(self.number, time.clock_gettime_ns(time.CLOCK_BOOTTIME), data, stopped)
        for listener in self.listeners:
            listener()
        return self.latest


def hand_app(config: Any, *sinks: HandSink) -> Any:
    """Stands for the App where only streams are looked at: cameras "front", "rear"."""
    names = ("front", "rear")
    cameras = {name: SimpleNamespace(name=name, jpeg=sink) for name, sink in zip(names, sinks, strict=False)}
    return SimpleNamespace(cameras=cameras, config=config)


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one sentence; fails when the answer has another shape."""
        assert list(self.json) == ["error"]
        text: str = self.json["error"]
        assert "Traceback" not in text
        assert text.endswith(".")
        return text


@dataclass
class Visitor:
    """Asks a server; keeps no connection open between two questions."""

    address: str
    key: str = ""
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> tuple[str, int]:
        parts = urlsplit(self.address)
        return parts.hostname or "", parts.port or 80

    @property
    def authority(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def origin(self) -> str:
        return f"http://{self.authority}"

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*self.host, timeout=10)
        try:
            sent = {**self.credentials(), **self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, {"Connection": "close", **sent})
            got = connection.getresponse()
            return Answer(got.status, got.getheaders(), got.read())
        finally:
            connection.close()

    def credentials(self) -> dict[str, str]:
        if self.cookie:
            return {"Cookie": self.cookie}
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def stream(self, path: str = "/video_feed", version: str = "1.1", method: str = "GET", **more: str) -> Stream:
        return Stream(self, path, version, method, more)


class Stream:
    """A raw socket that asked for a stream."""

    def __init__(self, visitor: Visitor, path: str, version: str, method: str, more: dict[str, str]) -> None:
        self.socket = socket.create_connection(visitor.host, timeout=10)
        self.buffer = b""
        headers = {"Host": visitor.authority, **visitor.credentials(), **more}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode())

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self) -> str:
        return self.until(b"\r\n\r\n").decode()

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self.more()
        taken, _, self.buffer = self.buffer.partition(end)
        return taken

    def more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the stream has ended")
        self.buffer += data

    def part(self) -> tuple[dict[str, str], bytes]:
        """The next picture's headers and data; the boundary must follow at once."""
        head = dict(re.findall(r"([\w-]+): ([^\r]*)", self.until(b"\r\n\r\n").decode()))
        length = int(head["Content-Length"])
        while len(self.buffer) < length + 2 + len(BOUNDARY):
            self.more()
        data, rest = self.buffer[:length], self.buffer[length:]
        assert rest.startswith(b"\r\n" + BOUNDARY)
        self.buffer = rest[2 + len(BOUNDARY) :]
        return head, data

    def begin(self) -> str:
        """Read the head and the first boundary."""
        head = self.head()
        while len(self.buffer) < len(BOUNDARY):
            self.more()
        assert self.buffer.startswith(BOUNDARY)
        self.buffer = self.buffer[len(BOUNDARY) :]
        return head

    def ended(self) -> bool:
        """Read on; True when the server ends it."""
        try:
            while True:
                self.buffer = b""
                self.more()
        except (EOFError, ConnectionResetError):
            return True


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
