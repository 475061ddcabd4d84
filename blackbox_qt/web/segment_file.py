"""A finished segment, sent as it is: whole, or the part that was asked for (RFC 9110, section 14)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from blackbox_qt.storage.disk import Disk
from blackbox_qt.web.errands import Errands

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class SegmentFile:
    """An open file and how much of it there is.

    Threads: `open`, `read`, `close` may block on the disk: one at a time, beside the loop.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self.name = path.name
        self._disk = disk
        self._fd = disk.open_read(path)
        self.size = disk.size(self._fd)

    def read(self, at: int, count: int) -> bytes:
        return self._disk.read_at(self._fd, count, at)

    def close(self) -> None:
        self._disk.close(self._fd)


def span(asked: str, size: int) -> tuple[int, int] | None:
    """(first byte, byte after the last) that a Range header asks for: all of it where it asks for nothing we know, as
    several parts; None where there are no such bytes.

    Threads: any.
    """
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return 0, size
    if not found[1]:
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < begin:
            return 0, size  # no range at all
    return (begin, end) if begin < end else None


class SegmentResponse(Response):
    """Sends a file and closes it, whatever happens to the visitor.

    Threads: the web loop's.
    """

    def __init__(self, file: SegmentFile, errands: Errands, done: Callable[[], None]) -> None:
        super().__init__()
        self._file = file
        self._errands = errands
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        finally:
            self._errands.leave(self._file.close)
            self._done()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        etag = f'"{self._file.name}-{self._file.size}"'
        fresh = headers.get(b"if-range", etag) == etag
        asked = headers.get(b"range", "") if fresh else ""
        found = span(asked, self._file.size)
        begin, end = found or (0, 0)
        given = [
            (b"content-type", b"video/mp4" if found else b"application/json"),
            (b"accept-ranges", b"bytes"),
            (b"etag", etag.encode()),
        ]
        status = 416 if found is None else 206 if (begin, end) != (0, self._file.size) else 200
        body = b'{"error": "The recording has no such bytes."}' if found is None else b""
        if status != 200:
            part = f"{begin}-{end - 1}" if found else "*"
            given.append((b"content-range", f"bytes {part}/{self._file.size}".encode()))
        given.append((b"content-length", str(len(body) or end - begin).encode()))
        await send({"type": "http.response.start", "status": status, "headers": given})
        if found and not scope.get("head"):
            await self._send(begin, end, receive, send)
        await send({"type": "http.response.body", "body": body})

    async def _send(self, begin: int, end: int, receive: Receive, send: Send) -> None:
        """Chunk by chunk, as fast as the visitor takes them; ends when the visitor has gone."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            for at in range(begin, end, _CHUNK):
                chunk = await self._errands.do(partial(self._file.read, at, min(_CHUNK, end - at)))
                if gone.done() or not chunk:
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
