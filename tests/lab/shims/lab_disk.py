"""Writes down what the program may call durable, for the power cuts: only where LAB_SYNCS names a file for it.

After every sync of a file has returned, one JSON line (the file, its size, a number), and that number is written to
the disk itself, to the bare sector that LAB_MARKS names (`/dev/vdb:OFFSET`). The disk's log has it in its place: what
comes later in the log was asked for after that sync had returned. No clock is needed for that.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from types import ModuleType
from typing import Any

SECTOR = 512
_lock = threading.Lock()


class Marks:
    """Numbers written past every cache, to one sector.

    Threads: one at a time.
    """

    def __init__(self, where: str) -> None:
        device, _, offset = where.rpartition(":")
        self._fd = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)  # what O_DIRECT writes must be aligned
        self._offset = int(offset)
        self._count = 0

    def next(self) -> int:
        self._count += 1
        self._page[:8] = self._count.to_bytes(8, "little")
        os.pwrite(self._fd, memoryview(self._page)[:SECTOR], self._offset)
        return self._count


def apply(module: ModuleType) -> None:
    """Change blackbox_qt.storage.disk."""
    log = os.environ.get("LAB_SYNCS")
    if log is None:
        return
    marks, disk = Marks(os.environ["LAB_MARKS"]), module.Disk
    datasync = disk.datasync

    def witnessed(self: Any, fd: int) -> None:
        size = os.fstat(fd).st_size
        datasync(self, fd)
        with _lock, open(log, "a") as file:
            line = {"file": os.readlink(f"/proc/self/fd/{fd}"), "size": size, "mark": marks.next()}
            file.write(json.dumps(line) + "\n")

    disk.datasync = witnessed
