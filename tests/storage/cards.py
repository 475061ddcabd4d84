"""A card that can be pulled, put back, changed and broken, at the Disk seam; a Recording with a ring beside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from blackbox_qt.storage.card import Card
from blackbox_qt.storage.recording import Recording
from blackbox_qt.storage.ring import Ring, RingSettings
from blackbox_qt.storage.shelter import Shelter

from .fakes import Bench, FaultDisk

SYSTEM, CARD = 1, 7


class SlotDisk(FaultDisk):
    """`slot` is a mount point while a card is in it; the folder below it is the system disk's."""

    def __init__(self, slot: Path) -> None:
        super().__init__()
        self.slot = slot
        self.number: int | None = CARD
        self.broken = 0  # an errno for everything that is written to the card
        self._writing: dict[int, Path] = {}

    def device(self, path: Path) -> int:
        os.stat(path)
        on_card = self.number is not None and path.is_relative_to(self.slot)
        return self.number if on_card and self.number is not None else SYSTEM

    def pull(self) -> Path:
        """Take the card out; where it lies now."""
        away = self.slot.with_name(f"{self.slot.name}-away-{self.number}")
        self.slot.rename(away)
        self.slot.mkdir()
        self.number = None
        return away

    def put(self, card: Path, number: int = CARD) -> None:
        """Put one in. Nothing may have been written to the folder below the mount point."""
        left = list(self.slot.rglob("*"))
        assert not left, f"written below the mount point: {left}"
        self.slot.rmdir()
        card.rename(self.slot)
        self.number = number

    def _on_card(self, path: Path) -> None:
        if self.broken and path.is_relative_to(self.slot):
            raise OSError(self.broken, os.strerror(self.broken), str(path))

    def create(self, path: Path) -> int:
        self._on_card(path)
        fd = super().create(path)
        self._writing[fd] = path
        return fd

    def replace(self, path: Path) -> int:
        self._on_card(path)
        fd = super().replace(path)
        self._writing[fd] = path
        return fd

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        self._on_card(self._writing.get(fd, Path()))
        super().write(fd, parts)

    def datasync(self, fd: int) -> None:
        self._on_card(self._writing.get(fd, Path()))
        super().datasync(fd)

    def mkdir(self, path: Path) -> bool:
        self._on_card(path)
        return super().mkdir(path)


class Slot(Bench):
    """A Recording on a card in a slot, with a ring on the system's disk. `look()` is what a thread does each second."""

    def __init__(self, folder: Path, *, ring: int | None = 2_000_000, stop_when_removed: bool = False,
                 inside: bool = True, policy: str = "remembered", **settings: object) -> None:  # fmt: skip
        slot, state = folder / "slot", folder / "state"
        if inside:
            slot.mkdir(exist_ok=True)
        disk = SlotDisk(slot)
        if not inside:
            disk.number = None
        super().__init__(folder / "unused", disk, **settings)
        self.slot, self.state = slot, state
        self.card = Card(disk, slot, state, policy, sys=folder / "sys")  # type: ignore[arg-type]
        self.ring = None
        if ring is not None:
            self.ring = Ring(disk, state / "emergency", RingSettings(ring, 0, 1), self.card.last_start)
        self.shelter = Shelter(disk, slot, self.card, self.ring, stop_when_removed=stop_when_removed)
        self.store = self.shelter
        self.seam = disk
        self.shelter.check_writable()
        self.recording = Recording(self.shelter, self.clock, self.settings, self.finished.append)

    def look(self) -> None:
        self.card.look()

    def everywhere(self) -> list[Path]:
        """Every recorded file, on the card and in the ring."""
        return sorted([*self.slot.rglob("*.mp4*"), *self.state.rglob("*.mp4*")])


EIO, EROFS = errno.EIO, errno.EROFS
