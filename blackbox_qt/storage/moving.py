"""What was recorded in the ring goes to the card when it is back: copied, synced, read again, named, then removed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from blackbox_qt.storage import sidecar
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.ring import Kept, Ring
from blackbox_qt.storage.segment import PART, SegmentName

log = logging.getLogger(__name__)

MOVING = ".moving"
"""After the final name of a copy that is not whole yet; nobody takes it for a segment."""
_PIECE = 1 << 18  # bytes between two rests
_SPARE, _SPARE_PART = 64 << 20, 20  # bytes, or a part of the card, that stay free: the recording needs them first


class _Copy:
    """One segment on its way.

    Threads: the Mover's.
    """

    def __init__(self, disk: Disk, kept: Kept, folder: Path) -> None:
        self.kept = kept
        self.folder = folder  # on the card
        self.final = folder / kept.name.final
        self.moving = folder / (kept.name.final + MOVING)
        self.at = 0
        self.digest = hashlib.sha256()
        self._disk = disk
        self._from = disk.open_read(kept.path)
        try:
            self._to = disk.replace(self.moving)
        except OSError:
            disk.close(self._from)
            raise

    def piece(self) -> int:
        """Copy one; its bytes, 0 at the end."""
        data = self._disk.read_at(self._from, _PIECE, self.at)
        if data:
            self._disk.write(self._to, [data])
            self.digest.update(data)
            self.at += len(data)
        return len(data)

    def sync(self) -> None:
        self._disk.datasync(self._to)

    def close(self) -> None:
        self._disk.close(self._from)
        self._disk.close(self._to)


class Mover:
    """Moves segments from a ring to the libraries in `data`, a piece at each step, the oldest first.

    Never renamed across disks: a copy gets its final name when it has been read back and is the same, and only then is
    the original removed. A crash in between leaves both, and the next run finds them the same. A segment whose name is
    taken on the card by another one stays in the ring, and `words` say so. Sidecars come along.

    `heal(kept)` finishes a segment that a crash left open; False: leave it. `moved(library, folder, name)` is told of
    each that has arrived. `rest()` is called after each piece.

    Threads: one; blocks on both disks.
    """

    def __init__(
        self,
        disk: Disk,
        ring: Ring,
        data: Path,
        heal: Callable[[Kept], bool],
        moved: Callable[[str, Path, SegmentName], None] = lambda *_: None,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.left = 0  # bytes in the ring that wait for the card
        self.count = 0  # segments that were moved since the program's start
        self._disk = disk
        self._ring = ring
        self._data = data
        self._heal = heal
        self._moved = moved
        self._rest = rest
        self._copy: _Copy | None = None
        self._stuck: set[SegmentName] = set()  # their names are taken on this card
        self._full = False

    @property
    def words(self) -> str:
        """Why some of it stays where it is; "" when none does."""
        if self._full:
            return "the card has no room for what was recorded without it"
        if self._stuck:
            names = ", ".join(sorted(name.stem for name in self._stuck))
            return f"{names}: stays on the system's disk, the card has another recording of that name"
        return ""

    @property
    def busy(self) -> bool:
        """A file on the card is open."""
        return self._copy is not None

    def step(self, budget: int) -> bool:
        """Copy up to `budget` bytes. False when nothing can be moved now. OSError: the same segment is tried again."""
        try:
            return self._step(budget)
        except OSError:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Let go of what is under way; it begins anew with the next step."""
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()

    def _step(self, budget: int) -> bool:
        done = 0
        while done < budget:
            copy = self._copy or self._begin()
            if copy is None:
                return False
            self._copy = copy
            count = copy.piece()
            done += count
            if not count:
                self._arrive(copy)
            self._rest()
        return True

    def _begin(self) -> _Copy | None:
        """The next one's copy; None when there is none that can be moved."""
        segments = [kept for kept in self._ring.segments() if kept.name not in self._stuck]
        self.left = sum(kept.bytes for kept in segments)
        for kept in segments:
            if kept.file.endswith(PART):
                if self._heal(kept):
                    return self._begin()
                continue
            if not self._has_room(kept):
                return None
            folder = self._folder(kept)
            if not self._disk.exists(folder / kept.name.final):
                return _Copy(self._disk, kept, folder)
            self._settle(kept, folder)
        return None

    def _has_room(self, kept: Kept) -> bool:
        free, size = self._disk.space(self._data)
        self._full = free < kept.bytes + min(_SPARE, size // _SPARE_PART)
        return not self._full

    def _folder(self, kept: Kept) -> Path:
        """Where it goes on the card, made durable."""
        root = self._data / kept.library
        folder = root / kept.folder.name
        for one in (root, folder):
            if self._disk.mkdir(one):
                self._disk.sync_dir(one.parent)
        return folder

    def _settle(self, kept: Kept, folder: Path) -> None:
        """Its name is there: a crash came before the original was removed, or it is another recording's."""
        if self._digest(folder / kept.name.final) == self._digest(kept.path):
            self._finish(kept, folder)
            return
        self._stuck.add(kept.name)
        log.error("%s", self.words)

    def _arrive(self, copy: _Copy) -> None:
        """All of it is copied: sync, read again, name, and only then remove the original."""
        copy.sync()
        copy.close()
        self._copy = None
        if self._digest(copy.moving) != copy.digest.digest():
            self._disk.unlink(copy.moving)
            raise OSError(f"{copy.kept.name.stem} reads differently from the card than it was written")
        self._disk.rename(copy.moving, copy.final)
        self._finish(copy.kept, copy.folder)

    def _finish(self, kept: Kept, folder: Path) -> None:
        with sidecar.turn(kept.folder, kept.name):  # a mark that is set now is set before or after, and not lost
            beside = sidecar.read(self._disk, kept.folder, kept.name)
            # Empty: a cut took it before its segment, when all of it was on the card already.
            gone = beside == sidecar.Sidecar(kept.name.stem)
            sidecar.change(self._disk, folder, kept.name, lambda there: there if gone else beside)
            self._disk.sync_dir(folder)
            self._ring.drop(kept)
        self.left = max(0, self.left - kept.bytes)
        self.count += 1
        log.info("%s was moved from the system's disk to the card", kept.name.stem)
        self._moved(kept.library, folder, kept.name)

    def _digest(self, path: Path) -> bytes:
        digest, at = hashlib.sha256(), 0
        fd = self._disk.open_read(path)
        try:
            self._disk.uncached(fd)
            while data := self._disk.read_at(fd, _PIECE, at):
                digest.update(data)
                at += len(data)
                self._rest()
        finally:
            self._disk.close(fd)
        return digest.digest()
