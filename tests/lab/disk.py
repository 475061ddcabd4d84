"""A disk of the guest's whose every write and flush is written down, and what power cuts would have left of it.

QEMU's `blklogwrites` keeps the log; its format is that of the kernel's dm-log-writes target
(Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then for each request one sector that
describes it and its data.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")  # magic, version, entries, sector size
_ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, length of what follows
_FLUSH, _FUA, _DISCARD = 1, 2, 4


@dataclass(frozen=True)
class DataDisk:
    """`base`: as it was before the guest; `image`: what the guest uses; `log`: all that reached it.

    Its last MB is not the file system's: `shims/lab_disk.py` writes its marks there, to sector `mark`.
    The guest finds it by its serial number, `data`.
    """

    base: Path
    image: Path
    log: Path
    mark: int

    @classmethod
    def make(cls, folder: Path, size_mb: int) -> DataDisk:
        """An empty ext4 of `size_mb` MB with everything written out: nothing comes later by itself."""
        disk = cls(folder / "base.img", folder / "data.img", folder / "data.log", (size_mb - 1) << 11)
        with open(disk.base, "wb") as file:
            file.truncate(size_mb << 20)
        eager = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", eager, disk.base, f"{size_mb - 1}M"], check=True)
        subprocess.run(["cp", "--sparse=always", disk.base, disk.image], check=True)
        disk.log.touch()
        return disk

    def options(self) -> list[str]:
        """For QEMU: the disk says that it has a write cache, so the guest flushes where it must."""
        return [
            "-blockdev", f"driver=file,node-name=data-file,filename={self.image}",
            "-blockdev", f"driver=file,node-name=data-log,filename={self.log}",
            "-blockdev", "driver=blklogwrites,node-name=data,file=data-file,log=data-log,log-sector-size=512",
            "-device", "virtio-blk-pci,drive=data,serial=data,write-cache=on",
        ]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One request that reached the disk."""

    sector: int
    sectors: int
    flags: int
    offset: int  # of its data in the log

    @property
    def is_flush(self) -> bool:
        return bool(self.flags & _FLUSH)


@dataclass(frozen=True)
class Cut:
    """A power cut just before request number `at`.

    All that the last flush before it covered is there; of what came later each piece of `grain` bytes is there with
    the chance `kept`.
    """

    at: int
    kept: float
    grain: int
    seed: int


class Log:
    """The requests in the order in which the disk took them."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        magic, _, _, self.sector_size = _SUPER.unpack_from(self._data)
        if magic != _MAGIC:
            raise ValueError(f"{path} is no log of a disk")
        self.requests = self._requests()

    def _requests(self) -> list[Request]:
        """Read to the end: the number of entries in the superblock lags behind."""
        found, at, size = [], self.sector_size, self.sector_size
        while at + size <= len(self._data):
            sector, sectors, flags, follows = _ENTRY.unpack_from(self._data, at)
            if not (sectors or flags or follows):
                break
            found.append(Request(sector, sectors, flags, at + size))
            at += size + (0 if flags & _DISCARD else sectors * size)
        return found

    def flushes(self) -> int:
        """How many flushes there are."""
        return sum(request.is_flush for request in self.requests)

    def marks(self, sector: int) -> dict[int, int]:
        """Number written to that sector -> index of the first request after it."""
        found = [
            (i, request) for i, request in enumerate(self.requests) if (request.sector, request.sectors) == (sector, 1)
        ]
        return {struct.unpack_from("<Q", self._data, request.offset)[0]: i + 1 for i, request in found}

    def replay(self, base: Path, cut: Cut, out: Path) -> None:
        """Write to `out` what the disk would hold after the cut."""
        subprocess.run(["cp", "--sparse=always", base, out], check=True)
        chance = random.Random(cut.seed)
        safe = max((i for i, request in enumerate(self.requests[: cut.at]) if request.is_flush), default=-1)
        with open(out, "r+b") as disk:
            for index, request in enumerate(self.requests[: cut.at]):
                if request.flags & _DISCARD:
                    continue
                for start, piece in self._pieces(request, cut.grain):
                    if index <= safe or request.flags & _FUA or chance.random() < cut.kept:
                        disk.seek(start)
                        disk.write(piece)

    def _pieces(self, request: Request, grain: int) -> Sequence[tuple[int, bytes]]:
        size, start = request.sectors * self.sector_size, request.sector * self.sector_size
        data = self._data[request.offset : request.offset + size]
        return [(start + at, data[at : at + grain]) for at in range(0, size, grain)]


def random_cuts(count: int, log: Log, first: int, seed: int) -> list[Cut]:
    """`count` cuts anywhere after request `first`: drives that keep much or nothing, in sectors or in pages."""
    chance = random.Random(seed)
    return [
        Cut(
            chance.randint(first, len(log.requests)),
            chance.choice([0.0, 0.25, 0.5, 0.75, 1.0]),
            chance.choice([512, 4096]),
            chance.getrandbits(32),
        )
        for _ in range(count)
    ]
