"""Byte-identical copies: read once, written, synced, read back from the medium and compared."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.bundle.progress import BundleError, Work
from blackbox_qt.storage.disk import Disk

_CHUNK = 1 << 20


class SourceGoneError(Exception):
    """The recording cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A file of the bundle.

    Threads: immutable, any.
    """

    path: Path
    bytes: int
    sha256: str


def copy(disk: Disk, source: Path, target: Path, work: Work) -> Copied:
    """Copy what the file holds now. SourceGoneError when it cannot be read; OSError, BundleError from the target."""
    try:
        fd = disk.open_read(source)
    except OSError as error:
        raise SourceGoneError(f"{source.name} cannot be read: {error.strerror or error}") from error
    try:
        size = disk.size(fd)
        digest = _write(disk, fd, size, target, work)
    finally:
        disk.close(fd)
    if hashed(disk, target, work) != digest:
        raise BundleError(
            f"{target.name} was not written as it was read; the disk at {target.parent} cannot be trusted."
        )
    return Copied(target, size, digest)


def _write(disk: Disk, fd: int, size: int, target: Path, work: Work) -> str:
    sha = hashlib.sha256()
    out = disk.create(target)
    try:
        for at in range(0, size, _CHUNK):
            data = _read(disk, fd, min(_CHUNK, size - at), at, target.name)
            sha.update(data)
            disk.write(out, [data])
            work.move(len(data))
        disk.datasync(out)
    except OSError as error:
        if error.errno == errno.EFBIG:
            words = f"{target.name} has {size / 1e9:.1f} GB, more than a file may have there (FAT: 4 GB)"
            raise BundleError(f"{words}; choose a disk with exFAT or ext4.") from error
        raise
    finally:
        disk.close(out)
    return sha.hexdigest()


def _read(disk: Disk, fd: int, count: int, at: int, name: str) -> bytes:
    try:
        data = disk.read_at(fd, count, at)
    except OSError as error:
        raise SourceGoneError(f"{name} cannot be read from byte {at} on: {error.strerror or error}") from error
    if len(data) < count:
        raise SourceGoneError(f"{name} became shorter while it was copied")
    return data


def hashed(disk: Disk, path: Path, work: Work | None = None) -> str:
    """SHA-256 of a file, read from the medium where the system allows it."""
    sha = hashlib.sha256()
    fd = disk.open_read(path)
    try:
        disk.uncached(fd)
        for at in range(0, disk.size(fd), _CHUNK):
            data = disk.read_at(fd, _CHUNK, at)
            sha.update(data)
            if work is not None:
                work.move(len(data))
    finally:
        disk.close(fd)
    return sha.hexdigest()
