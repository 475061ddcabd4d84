"""What was recorded: the libraries below the data folder, and the thread that heals, loads and looks after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import blackbox_qt
from blackbox_qt.app.keeper import Keeper
from blackbox_qt.core.clock import Clock
from blackbox_qt.storage.device_key import DeviceKey
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.healing import Healed, Healer
from blackbox_qt.storage.healing_round import heal_library
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.segment import SegmentName, Store

_KEY_RETRY_S = 60.0  # nothing is done when it is there
SAVE_S = 3600.0
"""Between two savings of what the libraries know: what a power cut takes is looked at again at the next start."""
_WORTH_SAVING = 50  # segments looked at: so many are read again in a moment


class Archive:
    """Libraries and their keeper. Other jobs are given to `keeper`; they begin when everything is healed and known.

    Threads: `start`, `ask_to_stop`, `join` by the App's owner; everything else any.
    """

    def __init__(self, disk: Disk, store: Store, clock: Clock, key: DeviceKey, settled: Callable[[], bool]) -> None:
        self.keeper = Keeper(settled, clock)
        self.healed: list[Healed] = []  # at this start, for whoever tells the user
        roots = {"recordings": store.library("camera"), "demo": store.library("pattern")}
        self.libraries: Mapping[str, Library] = {name: Library(disk, root, clock) for name, root in roots.items()}
        self._disk = disk
        self._store = store
        self._clock = clock
        self.sign = key.sign  # for whoever heals
        for library in self.libraries.values():
            library.sign_date = key.sign_date
        self.keeper.first("device key", key.load)  # before the healing, which signs
        self.keeper.every(_KEY_RETRY_S, key.load, "device key")
        self.begin_anew()
        self.keeper.every(SAVE_S, self._save, "saving what the libraries know")

    @property
    def current(self) -> Library:
        """The library that is being recorded to."""
        started = [library for library in self.libraries.values() if self._store.ours(library.root)]
        return started[0] if started else self.libraries["recordings"]

    def add(self, finished: FinishedSegment) -> None:
        """Take a segment that a Writer has finished, in whichever library it is; never blocks."""
        for library in self.libraries.values():
            if finished.path.is_relative_to(library.root):
                library.add(finished)

    def begin_anew(self) -> None:
        """Heal and read everything, again if need be: a card has been put in. Never blocks."""
        for name, library in self.libraries.items():
            self.keeper.first(f"healing of {name}", partial(self._heal, library))
        for name, library in self.libraries.items():
            self.keeper.first(f"reading of {name}", partial(self._load, library))

    def take_in(self, library: str, folder: Path, name: SegmentName) -> None:
        """A segment has come into a library's folder from elsewhere: it is read soon. Never blocks."""
        self.keeper.first(f"reading of {name.stem}", partial(self.libraries[library].look, folder, name))

    def start(self) -> None:
        """Begin to wait for the first fragments."""
        self.keeper.start()

    def ask_to_stop(self) -> None:
        self.keeper.ask_to_stop()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` s; True when the thread has ended."""
        return self.keeper.join(timeout)

    # While the card is away all of these are left: when it is back they begin anew.

    def _stopping(self) -> bool:
        return self.keeper.stopping

    def _heal(self, library: Library) -> None:
        if not self._store.present():
            return
        software = f"blackbox-qt {blackbox_qt.__version__}"
        rest, sign = self.keeper.rest, self.sign
        healer = Healer(self._disk, library.root, self._clock, software, rest, sign, self._stopping)
        ours = self._store.ours(library.root)
        self.healed += heal_library(self._disk, library.root, ours, healer, self._stopping)

    def _load(self, library: Library) -> None:
        if not self._store.present():
            return
        library.load(self.keeper.rest, self._stopping)
        library.settle(self._store.ours(library.root))
        library.save(_WORTH_SAVING)

    def _save(self) -> None:
        for library in self.libraries.values() if self._store.present() else ():
            library.save()
