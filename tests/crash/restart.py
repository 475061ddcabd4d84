"""What the next start of the program does to a disk by itself: heal, look, drive what was promised."""

from __future__ import annotations

from pathlib import Path

from blackbox_qt.app.marking import Marking
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.healing_round import heal_library
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.moving import Mover
from blackbox_qt.storage.ring import Kept, Ring, RingSettings
from tests.storage.fakes import SECOND, FakeClock


def move(disk: Disk, root: Path, clock: FakeClock) -> None:
    """What the ring holds goes to the card, as the keeper does it."""
    ring = Ring(disk, root / "ring", RingSettings(), lambda library: 0)

    def heal(kept: Kept) -> bool:
        healer = Healer(disk, kept.folder.parent, clock, "the next start")
        return healer.heal(kept.folder, kept.name, followed=False) is not None

    mover = Mover(disk, ring, root / "car", heal)
    while mover.step(1 << 20):
        pass


LATER_NS = 5000 * SECOND


class Restart:
    """The program's second life on the data folder `data`. `heal` and `drive` may be cut short like anything else."""

    def __init__(self, data: Path, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.root = data / "recordings"
        self.clock = FakeClock(LATER_NS)
        self.clock.machine_boot = "the next"
        self.library = Library(self.disk, self.root, self.clock)
        self.journal = Journal(self.disk, self.root, self.clock)
        self.marking = Marking(
            self.clock, self.disk, MarksConfig(), lambda: self.root, lambda: (self.library,), lambda: {"front"}
        )

    def run(self) -> None:
        ring = self.root.parents[1] / "ring"
        if ring.is_dir():
            self.disk.mkdir(self.root.parent)
            move(self.disk, ring.parent, self.clock)
        if self.root.is_dir():
            self.heal()
            self.library.load()
            self.drive()

    def heal(self) -> None:
        """Every unfinished segment, as the keeper does."""
        heal_library(self.disk, self.root, (), Healer(self.disk, self.root, self.clock, "the next start"))

    def drive(self) -> None:
        """Marks of before the crash end in locks."""
        self.marking.drive()
        self.marking.work()
