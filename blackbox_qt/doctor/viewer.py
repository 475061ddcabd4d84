"""One MJPEG viewer in a process of its own, whose CPU is nobody's: how old is each picture when it is all there.

`python -m blackbox_qt.doctor.viewer PORT PATH WARM_S SECONDS` prints "watching" when the first picture is there, and
{"frames": N, "bytes": N, "ages_ms": [...]} of the SECONDS that begin WARM_S after it.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any

_BLOCK = 1 << 18
_PATIENCE_S = 20.0  # the page's first picture, on a slow machine


class Parts:
    """Cuts a multipart stream into pictures without keeping them.

    Threads: one.
    """

    def __init__(self) -> None:
        self.frames = self.bytes = 0
        self.ages_ms: list[float] = []
        self._head = b""
        self._left = 0  # bytes of the picture still to come
        self._t_s = 0.0

    def take(self, data: bytes, now_s: float) -> None:
        """Bytes in order, and the boot clock when they had come."""
        while data:
            if self._left:
                step = min(self._left, len(data))
                self._left, data = self._left - step, data[step:]
                if not self._left:
                    self._whole(now_s)
            else:
                self._head += data
                head, found, data = self._head.partition(b"\r\n\r\n")
                if found:
                    self._head = b""
                    self._begin(head)

    def restart(self) -> None:
        """Count from here."""
        self.frames, self.bytes, self.ages_ms = 0, 0, []

    def _begin(self, head: bytes) -> None:
        fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n"))
        self._left = int(fields.get(b"content-length", 0))
        self.bytes += self._left
        live = b"x-stopped" not in fields
        self._t_s = float(fields.get(b"x-timestamp", 0)) if live else 0.0

    def _whole(self, now_s: float) -> None:
        self.frames += 1
        if self._t_s:
            self.ages_ms.append((now_s - self._t_s) * 1000)


def watch(port: int, path: str, warm_s: float, seconds: float) -> dict[str, Any]:
    """Look for so long after the first picture. Raises OSError when the page does not answer, or ends.

    Threads: one.
    """
    parts = Parts()
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as page:
        page.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while not parts.ages_ms:
            _take(page, parts)
        print("watching", flush=True)
        for length in (warm_s, seconds):
            parts.restart()
            until = time.monotonic() + length
            while time.monotonic() < until:
                _take(page, parts)
    return {"frames": parts.frames, "bytes": parts.bytes, "ages_ms": [round(age, 3) for age in parts.ages_ms]}


def _take(page: socket.socket, parts: Parts) -> None:
    data = page.recv(_BLOCK)
    if not data:
        raise ConnectionError("the page closed the stream")
    parts.take(data, time.clock_gettime(time.CLOCK_BOOTTIME))


if __name__ == "__main__":
    print(json.dumps(watch(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
