"""A disk that keeps a log of everything done to it, from which `model.py` builds what a power cut may leave."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.storage.disk import Disk
from tests.storage.fakes import FaultDisk

LOOKS = {
    *("close", "list", "look", "hold", "exists", "is_dir", "device", "space"),
    *("open_read", "size", "read_at", "read_small", "uncached"),
}
"""Operations of the Disk that change nothing, and so are not in the log."""
COMPOSED = {"write_small", "probe"}
"""Those made of others by calling them: what they do is in the log by itself."""


@dataclass(frozen=True)
class Op:
    """One line of the log. `node` says which file, whatever it is called meanwhile; paths are below the root."""

    kind: str  # open | write | cut | sync | rename | unlink | mkdir | sync_dir | sync_all
    node: int = -1
    path: Path = Path()
    to: Path = Path()
    data: bytes = b""
    at: int = 0  # where in the file, or the size that is left of it

    def __str__(self) -> str:
        what = f"{self.path} -> {self.to}" if self.kind == "rename" else str(self.path)
        size = {"write": f" {len(self.data)} bytes at {self.at}", "cut": f" to {self.at} bytes"}.get(self.kind, "")
        return f"{self.kind} {what}{size}"


class RecordingDisk(Disk):
    """The real disk, with a log. What fails is not in it, and neither is what `forgets` names: as if never asked for.

    Threads: any; the log's order is that of the operations' ends.
    """

    def __init__(self, root: Path, forgets: Sequence[str] = ()) -> None:
        self.root = root
        self.log: list[Op] = []
        self.forgets = set(forgets)
        self._nodes: dict[Path, int] = {}
        self._open: dict[int, tuple[int, Path]] = {}
        self._next = 0
        self._lock = threading.RLock()
        self._adopt()

    def _adopt(self) -> None:
        """What is there already was there before: it is durable, and the model begins with it."""
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                self._nodes[path] = self._next
                self.log.append(Op("found", self._next, self._below(path), data=path.read_bytes()))
                self._next += 1
            else:
                self.log.append(Op("found_dir", path=self._below(path)))

    @property
    def begin(self) -> int:
        """Operations that only tell what was there before."""
        return next((i for i, op in enumerate(self.log) if not op.kind.startswith("found")), len(self.log))

    def _below(self, path: Path) -> Path:
        return path.relative_to(self.root)

    def _note(self, op: Op) -> None:
        if op.kind not in self.forgets:
            self.log.append(op)

    def _opened(self, fd: int, path: Path, *, fresh: bool) -> int:
        with self._lock:
            if fresh or path not in self._nodes:
                self._nodes[path], self._next = self._next, self._next + 1
                self._note(Op("open", self._nodes[path], self._below(path)))
            self._open[fd] = self._nodes[path], self._below(path)
        return fd

    def create(self, path: Path) -> int:
        return self._opened(super().create(path), path, fresh=True)

    def replace(self, path: Path) -> int:
        fd = super().replace(path)
        with self._lock:
            known = path in self._nodes
            self._opened(fd, path, fresh=False)
            if known:
                self._note(Op("cut", self._nodes[path], self._below(path)))
        return fd

    def append(self, path: Path) -> int:
        return self._opened(super().append(path), path, fresh=False)

    def update(self, path: Path) -> int:
        return self._opened(super().update(path), path, fresh=False)

    def cut(self, fd: int, size: int) -> None:
        super().cut(fd, size)
        with self._lock:
            node, path = self._open[fd]
            self._note(Op("cut", node, path, at=size))

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        super().write_at(fd, data, offset)
        with self._lock:
            node, path = self._open[fd]
            self._note(Op("write", node, path, data=bytes(data), at=offset))

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        at = os.lseek(fd, 0, os.SEEK_CUR)
        super().write(fd, parts)
        with self._lock:
            node, path = self._open[fd]
            self._note(Op("write", node, path, data=b"".join(parts), at=at))

    def datasync(self, fd: int) -> None:
        super().datasync(fd)
        with self._lock:
            node, path = self._open[fd]
            self._note(Op("sync", node, path))

    def rename(self, old: Path, new: Path) -> None:
        with self._lock:
            super().rename(old, new)
            assert old in self._nodes, f"{old} is no file: the model knows no renamed folders"
            node = self._nodes[new] = self._nodes.pop(old)
            self._note(Op("rename", node, self._below(old), self._below(new)))

    def unlink(self, path: Path) -> None:
        with self._lock:
            super().unlink(path)
            self._note(Op("unlink", self._nodes.pop(path, -1), self._below(path)))

    def mkdir(self, path: Path) -> bool:
        with self._lock:
            made = super().mkdir(path)
            if made:
                self._note(Op("mkdir", path=self._below(path)))
        return made

    def sync_all(self, path: Path) -> None:
        super().sync_all(path)
        with self._lock:
            self._note(Op("sync_all", path=self._below(path)))

    def sync_dir(self, path: Path) -> None:
        super().sync_dir(path)
        with self._lock:
            self._note(Op("sync_dir", path=self._below(path)))


class FaultyRecordingDisk(FaultDisk, RecordingDisk):
    """With faults on top: a write that is refused half-way is in the log with its half."""

    def __init__(self, root: Path, forgets: Sequence[str] = ()) -> None:
        FaultDisk.__init__(self)
        RecordingDisk.__init__(self, root, forgets)


class InPlaceDisk(RecordingDisk):
    """Small files written over the old ones: what `write_small` must not do."""

    def write_small(self, path: Path, data: bytes) -> None:
        fd = self.replace(path)
        try:
            self.write(fd, [data])
            self.datasync(fd)
        finally:
            self.close(fd)
        self.sync_dir(path.parent)
