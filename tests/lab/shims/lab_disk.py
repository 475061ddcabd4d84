"""Writes down what the program may call durable, for the power cuts: only where LAB_SYNCS names a file for it.

After every sync of a file has returned, one JSON line: the file, its size, and how many flushes the disk had then
finished (the 16th number in its `stat`, Documentation/block/stat.rst). The disk's own log has the same flushes in the
same order; so a line belongs to a place in the log without any clock.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

_lock = threading.Lock()


def apply(module: ModuleType) -> None:
    """Change blackbox_qt.storage.disk."""
    log = os.environ.get("LAB_SYNCS")
    if log is None:
        return
    disk = module.Disk
    datasync = disk.datasync

    def witnessed(self: Any, fd: int) -> None:
        size = os.fstat(fd).st_size
        datasync(self, fd)
        line = {"file": os.readlink(f"/proc/self/fd/{fd}"), "size": size, "flushes": flushes(os.fstat(fd).st_dev)}
        with _lock, open(log, "a") as file:
            file.write(json.dumps(line) + "\n")

    disk.datasync = witnessed


def flushes(device: int) -> int:
    """Flushes that a whole disk has finished since the system started."""
    return int(_stat(device).read_text().split()[15])


@functools.cache
def _stat(device: int) -> Path:
    return Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").resolve()
