"""The real program, with a witness beside its Disk: `python -m tests.crash.witness FILE ARGUMENTS…`.

FILE gets a line for each recording that is made, and for each sync of one that has returned, with the size it had
before: what the program may call durable. Written by one system call each, so that a SIGKILL leaves no half line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from blackbox_qt.__main__ import main
from blackbox_qt.storage.disk import Disk


def bear_witness(file: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    create, datasync = Disk.create, Disk.datasync

    def witnessed_create(self: Disk, path: Path) -> int:
        fd = create(self, path)
        os.write(log, f"made 0 {path}\n".encode())
        return fd

    def witnessed_sync(self: Disk, fd: int) -> None:
        size = os.fstat(fd).st_size
        datasync(self, fd)
        os.write(log, f"synced {size} {os.readlink(f'/proc/self/fd/{fd}')}\n".encode())

    Disk.create = witnessed_create  # type: ignore[method-assign]
    Disk.datasync = witnessed_sync  # type: ignore[method-assign]


if __name__ == "__main__":
    bear_witness(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
