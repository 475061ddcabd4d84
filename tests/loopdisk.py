"""Small real file systems on loop devices: filled, frozen, made read-only, pulled and put back. As root only.

What Linux offers without device-mapper: FIFREEZE stalls everything that writes, FS_IOC_SHUTDOWN makes ext4 answer EIO
from one moment to the next, as a card that was pulled.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("ext4", "vfat", "exfat")
_MAKE = {"ext4": ["mkfs.ext4", "-q", "-m", "0"], "vfat": ["mkfs.vfat"], "exfat": ["mkfs.exfat"]}
_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878  # linux/fs.h
_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
_WITHOUT_LOG = struct.pack("=I", 2)  # nothing that is not durable by now will be
_MB = 1 << 20


class LoopDisk:
    """An image and where it is mounted."""

    def __init__(self, folder: Path, kind: str, size_mb: int) -> None:
        self.kind = kind
        self.image = folder / f"{kind}.img"
        self.point = folder / f"{kind}-card"
        self.device = ""
        self.point.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(size_mb * _MB)
        run(*_MAKE[kind], str(self.image))

    def attach(self) -> None:
        """Plug it in."""
        self.device = run("losetup", "--find", "--show", str(self.image)).strip()

    def mount(self, *options: str) -> None:
        if not self.device:
            self.attach()
        run("mount", "-t", self.kind, *(("-o", ",".join(options)) if options else ()), self.device, str(self.point))

    def unmount(self, *, lazily: bool = False) -> None:
        run("umount", *(["-l"] if lazily else []), str(self.point))

    def remount(self, option: str) -> None:
        run("mount", "-o", f"remount,{option}", str(self.point))

    def die(self) -> None:
        """From now on it answers EIO to everything (ext4 only)."""
        with self._folder() as fd:
            fcntl.ioctl(fd, _SHUTDOWN, _WITHOUT_LOG)

    def pull(self) -> None:
        """Taken out while it is written to: EIO, and a moment later the mount is gone."""
        if self.kind == "ext4":
            self.die()
        self.unmount(lazily=True)

    def freeze(self) -> None:
        """Everything that writes waits, in the kernel."""
        with self._folder() as fd:
            fcntl.ioctl(fd, _FIFREEZE, 0)

    def thaw(self) -> None:
        with self._folder() as fd:
            fcntl.ioctl(fd, _FITHAW, 0)

    def fill(self, leave: int = 0) -> Path:
        """One file that takes all free space but `leave` bytes."""
        path = self.point / "filler"
        free = self.free() - leave
        with open(path, "wb") as file:
            try:
                while free > 0:
                    free -= file.write(bytes(min(free, _MB)))
                    file.flush()
            except OSError:  # it is full: what was wanted
                pass
            finally:
                os.fsync(file.fileno())
        return path

    def free(self) -> int:
        found = os.statvfs(self.point)
        return found.f_bavail * found.f_frsize

    @contextmanager
    def _folder(self) -> Iterator[int]:
        fd = os.open(self.point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def close(self) -> None:
        """Whatever happened to it."""
        while os.path.ismount(self.point):
            try:
                self.thaw()
            except OSError:  # it is not frozen
                pass
            run("umount", "-l", str(self.point))
        if self.device:
            run("losetup", "--detach", self.device)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def why_not(kind: str) -> str:
    """Why a file system of this kind cannot be made here; "" when it can."""
    if os.geteuid():
        return "needs root, for loop devices and mounts"
    if shutil.which(_MAKE[kind][0]) is None:
        return f"{_MAKE[kind][0]} is not installed"
    if shutil.which("modprobe"):  # a minimal system has no modules to load
        subprocess.run(["modprobe", "-q", kind], capture_output=True, check=False)
    known = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    if kind not in known:
        return f"this kernel has no {kind}"
    return "" if Path("/dev/loop-control").exists() else "there are no loop devices here"


MakeDisk = Callable[..., LoopDisk]


@pytest.fixture
def loop_disk(tmp_path: Path) -> Iterator[MakeDisk]:
    """`loop_disk("ext4", 64)`: a mounted card of so many MB; skips, with the reason, where that cannot be."""
    made: list[LoopDisk] = []

    def make(kind: str, size_mb: int = 64) -> LoopDisk:
        if why := why_not(kind):
            pytest.skip(why)
        try:
            made.append(LoopDisk(tmp_path, kind, size_mb))
            made[-1].mount()
        except AssertionError as error:
            pytest.skip(f"a container without the right to mount? {error}")
        return made[-1]

    yield make
    for disk in made:
        disk.close()
