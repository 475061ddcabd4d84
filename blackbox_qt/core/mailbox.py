"""A mailbox keeps the newest frames for one consumer and never makes the camera wait."""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from blackbox_qt.core.frame import Frame


class Mailbox:
    """Keeps at most `depth` frames, the newest; an older one is closed and counted in `dropped`.

    The consumer holds at most `holds` frames it has taken (its promise to the buffer budget).

    Threads: `put` on the publisher's, `take` on the consumer's; all others any.
    """

    def __init__(self, name: str, depth: int = 1, holds: int = 1, *, paused: bool = False, keeps: bool = False) -> None:
        if depth < 1 or holds < 1:
            raise ValueError(f"mailbox {name}: depth and holds are at least 1")
        self.name = name
        self.depth = depth
        self.holds = holds
        self.keeps = keeps  # what waits is still wanted when the source has stopped
        self.dropped = 0  # frames that were here and went away unseen
        self.dropped_before = 0  # how many of them were older than the frame taken last
        self._frames: deque[Frame] = deque()
        self._lock = threading.Lock()
        # A Condition makes a lock for each wait; one consumer needs only this one, let go of to wake it.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._waiting = False
        self._paused = paused
        self._closed = False
        self._eventfd = -1

    @property
    def paused(self) -> bool:
        """Nobody watches: publish passes by. Setting it empties the mailbox (not counted as drops)."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        with self._lock:
            self._paused = value
            gone = self._empty() if value else ()
        for frame in gone:
            frame.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> None:
        """Leave another handle on `frame` here, unless paused or closed. Never blocks."""
        if self._paused or self._closed:
            return
        oldest: Frame | None = None
        with self._lock:
            if self._paused or self._closed:
                return
            if len(self._frames) == self.depth:
                oldest = self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame.share(self.name))
            if oldest is None and len(self._frames) == 1 and self._eventfd >= 0:
                os.eventfd_write(self._eventfd, 1)
            self._ring()
        if oldest is not None:  # outside the lock: the last close calls into the camera
            oldest.close()

    def take(self, timeout: float | None = None) -> Frame | None:
        """The oldest frame waiting; the caller closes it.

        Waits up to `timeout` seconds (None: for ever, 0: not at all). None when there was nothing or it is closed.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                left = -1.0 if until is None else until - time.monotonic()
                if self._frames or self._closed or (until is not None and left <= 0):
                    return self._next()
                self._waiting = True
            self._bell.acquire(timeout=left)

    def _next(self) -> Frame | None:
        self._waiting = False
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self.dropped_before = self.dropped  # all older: what waits is always newer than what was dropped
        if not self._frames:
            self._quiet()
        return frame

    def _ring(self) -> None:
        """Wake the consumer. A ring that it has not heard yet is enough, and one too many does no harm."""
        if self._waiting and self._bell.locked():
            self._bell.release()

    def finish(self) -> None:
        """No more frames; what waits can still be taken, then there is None."""
        with self._lock:
            self._closed = True
            self._ring()

    def close(self) -> None:
        """No more frames; wakes the consumer, sends what waits home. Twice is harmless."""
        with self._lock:
            self._closed = True
            gone = self._empty()
            fd, self._eventfd = self._eventfd, -1
            self._ring()
        for frame in gone:
            frame.close()
        if fd >= 0:
            os.close(fd)

    def fileno(self) -> int:
        """A descriptor that is readable while a frame waits, for an event loop. Lives until `close`.

        Raises ValueError on a closed mailbox.
        """
        with self._lock:
            if self._closed:
                raise ValueError(f"mailbox {self.name} is closed")
            if self._eventfd < 0:
                self._eventfd = os.eventfd(len(self._frames) and 1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return self._eventfd

    def clear(self) -> None:
        """Send what waits home, not counted as drops."""
        with self._lock:
            gone = self._empty()
        for frame in gone:
            frame.close()

    def _empty(self) -> tuple[Frame, ...]:
        gone = tuple(self._frames)
        self._frames.clear()
        if gone:
            self._quiet()
        return gone

    def _quiet(self) -> None:
        if self._eventfd >= 0:
            os.eventfd_read(self._eventfd)
