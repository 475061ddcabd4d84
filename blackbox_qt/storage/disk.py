"""Everything done to a disk goes through one object: the seam where tests put faults and crashes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)
_IOV_MAX = 1024  # Linux: writev(2) takes no more parts at a time


class StorageError(Exception):
    """The storage cannot do its work; the message is one sentence for the user."""


class CardError(OSError):
    """The card is not to be written to; `words` say why, to the user."""

    def __init__(self, words: str, place: Path) -> None:
        super().__init__(errno.ENODEV, words, str(place))
        self.words = words


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory.

    Threads: immutable, any.
    """

    name: str
    is_dir: bool  # a symbolic link is neither followed nor a directory
    is_file: bool


class Found(NamedTuple):
    """One name in a directory, with what tells whether its content is still the one that was seen.

    Threads: immutable, any.
    """

    name: str
    is_file: bool
    size: int  # bytes
    mtime_ns: int  # steps of 2 s on FAT


class Disk:
    """The real disk. Every method may block as long as the card does, and raises OSError.

    Threads: any; a descriptor belongs to one thread.
    """

    def create(self, path: Path) -> int:
        """Make a new file for writing; FileExistsError when there is one: names are never reused."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def replace(self, path: Path) -> int:
        """Open for writing, emptied; for temporary files only."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def append(self, path: Path) -> int:
        """Open for writing at the end, made when there is none; one writer at a time."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.lseek(fd, 0, os.SEEK_END)
        return fd

    def update(self, path: Path) -> int:
        """Open a file that is there for `write_at`; its content stays."""
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def cut(self, fd: int, size: int) -> None:
        """Take away what is behind the first `size` bytes."""
        os.ftruncate(fd, size)

    def hold(self, fd: int) -> bool:
        """Claim an open file until it is closed; False when another program has it.

        A file system that knows no locks keeps nobody out, and stops nobody.
        """
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        """Write in place: where the file has its full length already it needs no room on the disk."""
        done = 0
        while done < len(data):
            done += os.pwrite(fd, data[done:], offset + done)

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        """Append all parts, in one system call where the kernel takes them whole."""
        written = os.writev(fd, parts[:_IOV_MAX])
        if written < sum(map(len, parts)):
            self._write_rest(fd, b"".join(parts), written)

    def _write_rest(self, fd: int, data: bytes, done: int) -> None:
        view = memoryview(data)
        while done < len(data):
            done += os.write(fd, view[done:])

    def datasync(self, fd: int) -> None:
        """Return when the content of the file is on the medium."""
        os.fdatasync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def mkdir(self, path: Path) -> bool:
        """Make one directory; False when it is there already. Its parent must exist."""
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
            return False
        return True

    def sync_dir(self, path: Path) -> None:
        """Return when the names in this directory are on the medium."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_all(self, path: Path) -> None:
        """Return when everything on the file system that holds this directory is on the medium; syncfs(2)."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(fd):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(path))
        finally:
            os.close(fd)

    def list(self, path: Path) -> tuple[Entry, ...]:
        """The names in a directory, sorted."""
        with os.scandir(path) as found:
            entries = [Entry(e.name, e.is_dir(follow_symlinks=False), e.is_file()) for e in found]
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def look(self, path: Path) -> tuple[Found, ...]:
        """The names in a directory with size and time, in no order; one that goes away meanwhile is left out."""
        found = []
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                found.append(Found(entry.name, stat.S_ISREG(seen.st_mode), seen.st_size, seen.st_mtime_ns))
        return tuple(found)

    def exists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def is_dir(self, path: Path) -> bool:
        return path.is_dir()

    def device(self, path: Path) -> int:
        """Which file system a path is on: a number that holds until it is unmounted."""
        return os.stat(path).st_dev

    def space(self, path: Path) -> tuple[int, int]:
        """(free for an ordinary user, size of the file system), bytes."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def open_read(self, path: Path) -> int:
        """Open an ordinary file; OSError for anything else, and never waits for a pipe's other end."""
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        return fd

    def size(self, fd: int) -> int:
        """Bytes."""
        return os.fstat(fd).st_size

    def read_at(self, fd: int, count: int, offset: int) -> bytes:
        """Up to `count` bytes; fewer at the end of the file only."""
        data = os.pread(fd, count, offset)
        while data and len(data) < count and (more := os.pread(fd, count - len(data), offset + len(data))):
            data += more
        return data

    def uncached(self, fd: int) -> None:
        """What is read next comes from the medium, not from memory; of synced content only."""
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def read_small(self, path: Path, limit: int = 65536) -> bytes:
        """A small file, cut at `limit` bytes."""
        fd = self.open_read(path)
        try:
            return self.read_at(fd, limit, 0)
        finally:
            self.close(fd)

    def write_small(self, path: Path, data: bytes) -> None:
        """Put a small file in place of the old one: after a crash the old or the new one is there, whole."""
        new = temporary(path)
        fd = self.replace(new)
        try:
            self.write(fd, [data])
            self.datasync(fd)
        finally:
            self.close(fd)
        self.rename(new, path)
        self.sync_dir(path.parent)

    def probe(self, folder: Path) -> None:
        """Find out whether files can be made in `folder`: permission bits do not tell (root, read-only mounts)."""
        path = folder / ".blackbox-probe.tmp"
        fd = self.replace(path)
        self.close(fd)
        with contextlib.suppress(FileNotFoundError):
            self.unlink(path)


def temporary(path: Path) -> Path:
    """Where `write_small` prepares the file; found there after a crash or an error only."""
    return path.with_name(path.name + ".tmp")


_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether the disk had no room; for the user it may be full although others still have some.

    Threads: any.
    """
    return error.errno in _FULL


def words_for(error: OSError, place: Path) -> str:
    """What the user is told about an I/O error while recording to `place`."""
    if isinstance(error, CardError):
        return error.words
    if is_full(error):
        return f"Disk full: free space on {place}"
    if error.errno == errno.EROFS:
        return f"Disk is read-only: {place}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"No permission to write in {place}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"Data folder is gone: {place}"
    if error.errno == errno.ENODEV:
        return f"Card missing: nothing is mounted at {place} any more"
    return f"Card error: {error.strerror or error} on {place}"
