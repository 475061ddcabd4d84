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
from tests.storage.fakes import SECOND, FakeClock

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
