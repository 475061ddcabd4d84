"""A small disk for the soak: an ext4 image where this process may mount one, else a folder that says it is small."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blackbox_qt.storage.disk import Disk


class SoakDisk(Disk):
    """A card that stalls, fails and fills up when told. `room`: bytes that all files together may take, 0: as it is.

    Threads: any.
    """

    def __init__(self, root: Path, room: int = 0) -> None:
        self.root = root
        self.room = room
        self.faulty = False  # a fault is under way: whoever waits for the disk waits in vain
        self._gate = threading.Event()
        self._gate.set()
        self._broken = False

    def stall(self) -> None:
        self.faulty = True
        self._gate.clear()

    def fail(self) -> None:
        self.faulty = self._broken = True

    def heal(self) -> None:
        self.faulty = self._broken = False
        self._gate.set()

    def _pass(self, path: Path) -> None:
        """Only this disk is broken: the system's own goes on."""
        if not self.faulty or not path.is_relative_to(self.root):
            return
        self._gate.wait()
        if self._broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def _pass_file(self, fd: int) -> None:
        if self.faulty:
            self._pass(Path(os.readlink(f"/proc/self/fd/{fd}")))

    def create(self, path: Path) -> int:
        self._pass(path)
        return super().create(path)

    def replace(self, path: Path) -> int:
        self._pass(path)
        return super().replace(path)

    def rename(self, old: Path, new: Path) -> None:
        self._pass(new)
        super().rename(old, new)

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        self._pass_file(fd)
        if self.room and self._used() > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(fd, parts)

    def datasync(self, fd: int) -> None:
        self._pass_file(fd)
        super().datasync(fd)

    def space(self, path: Path) -> tuple[int, int]:
        if not self.room:
            return super().space(path)
        return max(0, self.room - self._used()), self.room

    def _used(self) -> int:
        """Looked at seldom enough: a write is a fragment of some kB."""
        return sum(
            os.stat(entry, follow_symlinks=False).st_blocks * 512
            for folder, _, names in os.walk(self.root)
            for entry in (os.path.join(folder, name) for name in names)
            if os.path.lexists(entry)
        )


@contextmanager
def small_disk(megabytes: int) -> Iterator[SoakDisk]:
    """In memory: no other program's disk shall be worn out or waited for."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="blackbox-soak-", dir=shm if shm.is_dir() else None))
    mount = folder / "card"
    mount.mkdir()
    try:
        is_mounted = _mounted(folder / "card.img", mount, megabytes)
        yield SoakDisk(mount, 0 if is_mounted else megabytes << 20)
        if is_mounted:
            subprocess.run(["umount", mount], check=True)
    finally:
        if os.path.ismount(mount):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _mounted(image: Path, mount: Path, megabytes: int) -> bool:
    """False where this may not be done: the soak then uses a folder."""
    if os.geteuid() != 0 or not shutil.which("mke2fs"):
        return False
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", image], check=True)
    done = subprocess.run(["mount", "-o", "loop", image, mount], check=False, capture_output=True)
    return done.returncode == 0
