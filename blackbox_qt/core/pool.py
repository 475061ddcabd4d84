"""A fixed number of buffers to lend: what a camera driver has, for sources that are not one."""

from __future__ import annotations

import mmap
import threading


class Lending:
    """Counts what is out. At most `count` at once, and a way to wait until all is home.

    Threads: any.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._out = 0
        self._home = threading.Condition()

    @property
    def out(self) -> int:
        return self._out

    def acquire(self) -> bool:
        """Take one; False when all are out. Never waits."""
        with self._home:
            if self._out >= self.count:
                return False
            self._out += 1
            return True

    def release(self) -> None:
        """Give one back."""
        with self._home:
            self._out -= 1
            if not self._out:
                self._home.notify_all()

    def wait_home(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing is out."""
        with self._home:
            return self._home.wait_for(lambda: not self._out, timeout)


class BufferPool:
    """`count` page-aligned buffers of `size` bytes, most recently used first (so that unused ones cost no memory).

    Threads: any.
    """

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self.lending = Lending(count)
        self._free: list[tuple[int, mmap.mmap]] = []
        self._made = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[int, mmap.mmap] | None:
        """A buffer and its number, or None when all are out. Never waits."""
        if not self.lending.acquire():
            return None
        with self._lock:
            if self._free:
                return self._free.pop()
            self._made += 1
            return self._made - 1, mmap.mmap(-1, self.size)

    def give(self, buffer: tuple[int, mmap.mmap]) -> None:
        """Bring a buffer back, from any thread."""
        with self._lock:
            self._free.append(buffer)
        self.lending.release()
