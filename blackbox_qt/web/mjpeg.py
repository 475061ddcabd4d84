"""MJPEG to browsers: one JPEG per frame for all, and for each viewer the newest one when its socket has room."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractContextManager, ExitStack, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from blackbox_qt.app.camera import Camera
from blackbox_qt.sinks.jpeg import JpegFrame, JpegSink
from blackbox_qt.web.connection import SCOPE_KEY, Connection
from blackbox_qt.web.gate import SECURITY_HEADERS
from blackbox_qt.web.room import Room

BOUNDARY = "blackbox-frame"
CONTENT_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
MIXED_TYPE = f"multipart/mixed; boundary={BOUNDARY}"
"""The same bytes for whoever asks for multipart/mixed: Safari's fetch() cannot see inside the other type."""
STUCK_S = 20.0
"""A viewer that has not taken one whole picture for so long is put out."""
_CHECK_S = 0.5
_DELIMITER = f"--{BOUNDARY}\r\n".encode()
# Neither Content-Length nor chunks: the stream ends with the connection, which HTTP/1.0 and 1.1 clients all take.
_REST = b"".join(b"%s: %s\r\n" % pair for pair in [(b"connection", b"close"), *SECURITY_HEADERS]) + b"\r\n" + _DELIMITER


def part(frame: JpegFrame) -> bytes:
    """One picture with its headers (RFC 2046, section 5.1) and the boundary after it.

    Browsers paint a picture when the next boundary arrives: sent with the next picture it would show each frame one
    frame late. X-Timestamp is the sensor's time on the boot clock, s.

    Threads: any.
    """
    stopped = "X-Stopped: 1\r\n" if frame.stopped else ""
    head = (
        f"Content-Type: image/jpeg\r\nContent-Length: {len(frame.data)}\r\n"
        f"X-Timestamp: {frame.t_ns / 1e9:.6f}\r\n{stopped}\r\n"
    )
    return b"".join((head.encode(), frame.data, b"\r\n", _DELIMITER))


class Viewer:
    """One connection that takes a stream. It never has more than one picture underway.

    Threads: the web loop's.
    """

    __slots__ = ("_broadcast", "_connection", "_transport", "busy_since", "fd", "seen", "watch")

    def __init__(self, broadcast: Broadcast, connection: Connection) -> None:
        self.watch = ExitStack()  # its place among the JPEG sink's listeners: what `watchers` counts
        self.seen: JpegFrame | None = None
        self.busy_since: float | None = None
        self._broadcast = broadcast
        self._connection = connection
        self._transport = connection.transport
        self.fd = self._transport.get_extra_info("socket").fileno()  # ours as long as the transport is not closing

    def begin(self, content_type: str) -> None:
        """Write the answer's head."""
        self._connection.drained = self._drained
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n" % content_type.encode() + _REST)
        self._note_rest()

    def end(self) -> None:
        self._connection.drained = None
        self.watch.close()

    def offer(self, frame: JpegFrame, data: bytes) -> None:
        """Send it, unless an older picture is still on its way out: then `_drained` takes the newest of that time."""
        if self.busy_since is not None or frame is self.seen or self._transport.is_closing():
            return
        self.seen = frame
        sent = self._send(data)
        if sent < len(data):
            self._transport.write(memoryview(data)[sent:])
            self._note_rest()

    def _send(self, data: bytes) -> int:
        """What the kernel takes at once, past the transport, whose buffer is empty (the page speaks plain HTTP)."""
        try:
            return os.write(self.fd, data)
        except OSError:  # no room, or the visitor has left: the transport meets the same, and knows what to do
            return 0

    def _note_rest(self) -> None:
        if self._transport.get_write_buffer_size():
            self.busy_since = self._broadcast.now()

    def hang_up(self) -> None:
        self._transport.abort()

    def _drained(self) -> None:
        self.busy_since = None
        self._broadcast.serve(self)


class Broadcast:
    """One camera's stream to all its viewers.

    The JPEG thread wakes the loop once per frame, whatever the number of viewers; each is then served in turn without
    a task switch. Without viewers nothing listens and the sink sleeps. A sink that died is replaced by the App: the
    viewers are moved to the new one within half a second.

    Threads: the web loop's; `_told` on the JPEG thread.
    """

    def __init__(self, camera: Camera, loop: asyncio.AbstractEventLoop) -> None:
        self._camera = camera
        self._loop = loop
        self._viewers: dict[int, Viewer] = {}  # by their sockets' descriptors
        self._room = Room()
        self._sink: JpegSink = camera.jpeg
        self._announced: JpegFrame | None = None
        self._frame: JpegFrame | None = None
        self._part = b""
        self._check: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The loop's time, s."""
        return self._loop.time()

    def add(self, connection: Connection, content_type: str) -> Viewer:
        """Begin a stream on `connection`; `remove` ends it."""
        viewer = Viewer(self, connection)
        self._follow()
        viewer.watch.enter_context(self._listen())
        self._viewers[viewer.fd] = viewer
        self._room.add(viewer.fd)
        viewer.begin(content_type)
        self.serve(viewer)
        if self._check is None:
            self._check = self._loop.call_later(_CHECK_S, self._look_after)
        return viewer

    def remove(self, viewer: Viewer) -> None:
        """Twice is harmless."""
        viewer.end()
        if self._viewers.get(viewer.fd) is viewer:  # else its socket is closed, and the number is a newcomer's
            del self._viewers[viewer.fd]
            self._room.discard(viewer.fd)
        if not self._viewers:
            self._frame, self._announced, self._part = None, None, b""
            if self._check is not None:
                self._check.cancel()
                self._check = None

    def hang_up(self) -> None:
        """End all streams now; each viewer's request then removes it."""
        for viewer in self._viewers.values():
            viewer.hang_up()

    def serve(self, viewer: Viewer) -> None:
        """Give one viewer the newest picture, if it has not seen it."""
        if self._take_newest() and self._frame is not None and viewer.fd in self._room.now():
            viewer.offer(self._frame, self._part)

    def _listen(self) -> AbstractContextManager[None]:
        return self._sink.watch(self._told)

    def _told(self) -> None:
        """On the JPEG thread, once per viewer and frame; only the first of them says anything."""
        latest = self._sink.latest
        if latest is None or latest is self._announced:
            return
        self._announced = latest
        with suppress(RuntimeError):  # the loop has just closed; this listener was on its way out
            self._loop.call_soon_threadsafe(self._spread)

    def _spread(self) -> None:
        if not self._take_newest() or self._frame is None:
            return
        for fd in self._room.now():  # the others are tried again with the next frame
            self._viewers[fd].offer(self._frame, self._part)

    def _take_newest(self) -> bool:
        """Build the newest picture's part, once. False when there is none."""
        latest = self._sink.latest
        if latest is None:
            return False
        if latest is not self._frame:
            self._frame, self._part = latest, part(latest)
        return True

    def _look_after(self) -> None:
        self._follow()
        now = self.now()
        for viewer in self._viewers.values():
            if viewer.busy_since is not None and now - viewer.busy_since > STUCK_S:
                viewer.hang_up()
        self._check = self._loop.call_later(_CHECK_S, self._look_after)

    def _follow(self) -> None:
        """Move to the sink that the App has put in the place of a dead one."""
        if self._camera.jpeg is self._sink:
            return
        self._sink = self._camera.jpeg
        for viewer in self._viewers.values():
            viewer.watch.close()
            viewer.watch.enter_context(self._listen())


class MjpegResponse(Response):
    """The answer that lasts as long as the viewer stays.

    It writes to the connection itself, past ASGI's `send`: one bytes object for all viewers, no copy per viewer.

    Threads: the web loop's.
    """

    media_type = CONTENT_TYPE

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__()
        self._broadcast = broadcast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mixed = any(name == b"accept" and value == b"multipart/mixed" for name, value in scope["headers"])
        content_type = MIXED_TYPE if mixed else CONTENT_TYPE
        if scope.get("head"):
            head = [(b"content-type", content_type.encode()), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": b""})
            return
        viewer = self._broadcast.add(scope[SCOPE_KEY], content_type)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._broadcast.remove(viewer)
            viewer.hang_up()
