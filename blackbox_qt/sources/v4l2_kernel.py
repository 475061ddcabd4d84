"""The few system calls a V4L2 device needs, in one place: where tests put a kernel of their own."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
import time
from typing import Protocol


class Kernel(Protocol):
    """What the source asks of the machine. All raise OSError as the kernel does.

    Threads: any.
    """

    def open(self, node: str) -> int:
        """A descriptor for reading and writing that never waits."""
        ...

    def close(self, fd: int) -> None: ...

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        """ioctl(2); the kernel writes its answer into `argument`."""
        ...

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        """Shared memory of `length` bytes, readable and writable."""
        ...

    def wait(self, fd: int | None, wake: int) -> int:
        """Sleep until `fd` has something to say or `wake` is readable. The poll(2) events of `fd`, 0 for none."""
        ...

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, the clock of V4L2's time stamps, ns."""
        ...


class SystemKernel:
    """The machine's own.

    Threads: any.
    """

    def open(self, node: str) -> int:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        while True:
            try:
                fcntl.ioctl(fd, request, argument)  # without the GIL
                return
            except InterruptedError:  # Python repeats other calls by itself, this one not
                continue

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        return mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, fd: int | None, wake: int) -> int:
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if fd is not None:
            poll.register(fd, select.POLLIN)
        return dict(poll.poll()).get(-1 if fd is None else fd, 0)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
