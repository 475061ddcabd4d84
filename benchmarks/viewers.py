"""MJPEG viewers on plain sockets, in a process of their own whose CPU is nobody's."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType

from benchmarks.procs import BenchmarkError, end
from benchmarks.setup import ROOT

_BLOCK = 1 << 18
_SLICE_S = 0.02  # how often a slow reader reads


@dataclass(frozen=True)
class Seen:
    """What the viewers got since the last look.

    Threads: immutable, any.
    """

    frames: list[int]  # whole pictures, per viewer
    bytes: int  # of pictures, all viewers
    ages_ms: list[float]  # sensor time to last byte of each picture, where the server tells the sensor time
    ended: int  # connections the server has closed, since the start

    @property
    def total(self) -> int:
        return sum(self.frames)


class Viewers:
    """`count` viewers of `path` on a local port; without a path the server sends parts at once (GStreamer's does).

    rate: bytes/s that each reads at most; 0 as fast as they come.

    Threads: one.
    """

    def __init__(self, port: int, count: int, path: str = "/video_feed", rate: int = 0) -> None:
        self._command = [sys.executable, "-m", "benchmarks.viewers", str(port), str(count), path, str(rate)]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Viewers:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.look()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        end(self._process)

    def look(self) -> Seen:
        """What came since the last look. The first one returns when all are connected."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchmarkError("the viewers could not connect, or died")
        return Seen(**json.loads(answer))


# ---- in their own process


class Viewer:
    """One connection: counts pictures without keeping them.

    Threads: one.
    """

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if path:
            self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.socket.setblocking(False)
        self.frames = 0
        self.bytes = 0
        self.ages_ms: list[float] = []
        self.owed = 0.0  # bytes a slow reader may read by now
        self._owed_at = time.monotonic()
        self._head = b""
        self._left = 0  # bytes of the picture still to come
        self._t_s = 0.0
        self._size = 0

    def may_read(self, rate: int) -> None:
        """A slow reader's time has passed: by the clock, because this process too may be late."""
        now = time.monotonic()
        self.owed = min(self.owed + rate * (now - self._owed_at), rate)
        self._owed_at = now

    def take(self, data: memoryview) -> None:
        """Bytes from the socket, in order."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                at += step
                self._left -= step
                if not self._left:
                    self._whole()
            else:
                at = self._read_head(data, at)

    def _read_head(self, data: memoryview, at: int) -> int:
        """Look for the end of a part's (or the answer's) headers; where the search ended."""
        known = len(self._head)
        text = self._head + bytes(data[at : at + 4096])
        end = text.find(b"\r\n\r\n", max(0, known - 3))
        if end < 0:
            self._head = text
            return at + len(text) - known
        self._head = b""
        self._begin(text[:end].lower())
        return at + end + 4 - known

    def _begin(self, head: bytes) -> None:
        fields = dict(field.partition(b":")[::2] for field in head.split(b"\r\n"))
        self._left = self._size = int(fields.get(b"content-length", 0))
        live = b"x-timestamp" in fields and b"x-stopped" not in fields
        self._t_s = float(fields[b"x-timestamp"]) if live else 0.0

    def _whole(self) -> None:
        self.frames += 1
        self.bytes += self._size
        if self._t_s:
            self.ages_ms.append((time.clock_gettime(time.CLOCK_BOOTTIME) - self._t_s) * 1000)

    def look(self) -> tuple[int, int, list[float]]:
        seen = self.frames, self.bytes, self.ages_ms
        self.frames, self.bytes, self.ages_ms = 0, 0, []
        return seen


def main(port: int, count: int, path: str, rate: int) -> None:
    """Read until standard input ends; each line there is answered by one of JSON."""
    viewers = [Viewer(port, path) for _ in range(count)]
    ended = 0
    buffer = memoryview(bytearray(_BLOCK))
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        if not rate:
            for viewer in viewers:
                selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        while True:
            for key, _ in selector.select(_SLICE_S if rate else None):
                if key.data is None:
                    if not os.read(sys.stdin.fileno(), 1):
                        return
                    _answer(viewers, ended)
                elif not _read(key.data, buffer):
                    selector.unregister(key.data.socket)
                    ended += 1
            for viewer in viewers if rate else ():
                viewer.may_read(rate)
                _read(viewer, buffer[: int(viewer.owed)])


def _read(viewer: Viewer, buffer: memoryview) -> bool:
    """Take what is there; False when the server has closed."""
    try:
        count = viewer.socket.recv_into(buffer)
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    viewer.owed -= count
    viewer.take(buffer[:count])
    return count > 0


def _answer(viewers: list[Viewer], ended: int) -> None:
    looks = [viewer.look() for viewer in viewers]
    seen = Seen([frames for frames, _, _ in looks], sum(size for _, size, _ in looks),
                [age for _, _, ages in looks for age in ages], ended)  # fmt: skip
    print(json.dumps(vars(seen)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
