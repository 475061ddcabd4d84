"""The card that holds the recordings: is it there, and is it the one that was recorded to?"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from blackbox_qt.storage.card_file import Remembered, load, new_identity, parse, save, written
from blackbox_qt.storage.disk import CardError, Disk, is_full, words_for
from blackbox_qt.storage.numbering import last_number
from blackbox_qt.storage.segment import COUNTER

log = logging.getLogger(__name__)

IDENTITY = "blackbox-card"
"""A file in the data folder that tells one card from another, also on FAT, also in another reader."""
LIBRARIES = ("recordings", "demo")
_PROBE = "blackbox-card.probe"
_GONE = (errno.ENODEV, errno.ENXIO, errno.EROFS, errno.ESTALE, errno.ENOMEDIUM, errno.ENOTCONN)
_REFUSED = (errno.EACCES, errno.EPERM)

Policy = Literal["remembered", "required", "any"]
CardState = Literal["none", "fine", "missing", "broken", "removed"]
"""none: the data folder is one of the system's disk, and no card is expected."""


class Card:
    """Whether recordings may go to `data`, and if not, why.

    A card is expected once the data folder has been on a file system of its own; `state` is the folder on the system's
    disk that remembers which. Present means: that place is a mount point, its device has not been unplugged, and the
    identity file can be read (a card without one gets one: it is new).

    Threads: `enter` first; `look` one at a time, it blocks on the card; `check` any, it asks for two file systems'
    numbers only; everything else any, at once.
    """

    def __init__(
        self, disk: Disk, data: Path, state: Path, policy: Policy = "remembered", sys: Path = Path("/sys")
    ) -> None:
        self.data = data.absolute()
        self.id = ""  # of the card that is there, or was last
        self.point: Path | None = None  # where it is mounted, or should be
        self.number: int | None = None  # of its file system, while it is there
        self.changed: Callable[[], None] = lambda: None  # called when another card is there
        self._disk = disk
        self._state_folder = state
        self._policy = policy
        self._sys = sys
        self._fault: CardError | None = None
        self._kind: CardState = "none"
        self._lock = threading.Lock()  # never held while the disk is asked
        self._had_device = False
        self._in_a_row = 0  # errors without anything durable in between
        self._doubted = False  # it must prove that it takes data again
        self._removed_number: int | None = None
        self._removals = 0  # a look that began before the user's removal does not undo it
        self._kept = Remembered(str(self.data))
        self._saved: Remembered | None = None
        self._state_words = ""

    # ---- how it is

    @property
    def state(self) -> CardState:
        return self._kind

    @property
    def expected(self) -> bool:
        """Whether there should be a card: without one nothing is recorded in the data folder."""
        return self._kind != "none"

    @property
    def known(self) -> bool:
        """Whether this place has been recorded to as a card's, or the settings say that there is one."""
        return bool(self.id) or self._policy == "required"

    @property
    def fault(self) -> CardError | None:
        """Why nothing is written to it now; None while it is well, or while none is expected."""
        return self._fault

    @property
    def words(self) -> str:
        fault = self._fault
        return "" if fault is None else fault.words

    def last_start(self, library: str) -> int:
        """The highest number that a start of a library on the card is known to have."""
        return self._kept.starts.get(library, 0)

    # ---- looking

    def enter(self) -> None:
        """What is remembered, and the first look. No OSError leaves here."""
        self._saved = load(self._disk, self._state_folder)
        if self._policy != "any" and self._saved is not None and self._saved.data == str(self.data):
            self._kept, self.id, self.point = self._saved, self._saved.card, Path(self._saved.point)
        if self.point is not None or self._policy == "required":
            self._kind = "fine"
        self.look()

    def look(self) -> None:
        """Find out how it is; about once a second. No OSError leaves here."""
        if self._policy == "any":
            return
        removals = self._removals
        try:
            number = self._seat()
            if number is None or self._stays_removed(number):
                return
            if number != self.number or self._fault is not None:
                self._recognise(number)
            if self._doubted:
                self._prove()
        except OSError as error:
            self._lost(error)
            return
        self._found(removals)
        self._remember()

    def check(self) -> None:
        """Just before something is written to it: CardError when it is not to be. None expected: nothing to check."""
        if not self.expected:
            return
        if self._fault is not None:
            raise self._fault
        if self.point is None or not self._is_mounted(self.point):
            raise self._missing()

    def _seat(self) -> int | None:
        """The number of the file system at its place; None when no card is expected. CardError: there is none."""
        point = self.point or self._find_point()
        if point is None:
            if self.expected:
                raise self._missing()
            return None
        if not self._is_mounted(point):
            raise self._missing()
        number = self._disk.device(point)
        if self._is_unplugged(number):
            raise self._missing()
        self.point = point
        return number

    def _find_point(self) -> Path | None:
        """The mount point that the data folder is below, if it is not the system's own."""
        for folder in (self.data, *self.data.parents):
            if folder != folder.parent and self._disk.exists(folder) and self._is_mounted(folder):
                return folder
        return None

    def _is_mounted(self, point: Path) -> bool:
        try:
            return self._disk.device(point) != self._disk.device(point.parent)
        except FileNotFoundError:  # a desktop takes the mount point away with the card
            return False

    def _is_unplugged(self, number: int) -> bool:
        """A mount outlives its device: only the kernel's list of devices shows that it was pulled."""
        if number != self.number:
            self._had_device = self._device(number).exists()
        return self._had_device and not self._device(number).exists()

    def _device(self, number: int) -> Path:
        return self._sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"

    def _stays_removed(self, number: int) -> bool:
        """After the user's removal it is used again when it was away in between, or when the user says so."""
        return self._kind == "removed" and number == self._removed_number

    def _recognise(self, number: int) -> None:
        """Read who it is; a new one is made known. CardError or OSError when it cannot be."""
        self._make_folder()
        try:
            identity = parse(self._disk.read_small(self.data / IDENTITY, 4096))
        except FileNotFoundError:
            identity = ""
        if not identity:
            identity = new_identity()
            self._disk.write_small(self.data / IDENTITY, written(identity))
        another = bool(self.id) and identity != self.id
        self.id, self.number = identity, number
        if another:
            log.warning("another card is at %s (%s): recording begins anew on it", self.data, identity)
            self._kept = Remembered(str(self.data), str(self.point), identity)
            self.changed()
        for library in LIBRARIES:  # the number that will be given next: noted before it is
            self.started(library, last_number(self._disk, self.data / library, COUNTER) + 1)

    def _make_folder(self) -> None:
        assert self.point is not None
        below = [folder for folder in (self.data, *self.data.parents) if folder.is_relative_to(self.point)]
        for folder in reversed(below):
            if not self._disk.is_dir(folder):
                self._disk.mkdir(folder)

    def _prove(self) -> None:
        """After an error only what is synced counts. OSError when it does not take data yet."""
        path = self.data / _PROBE
        self._disk.write_small(path, b"a card that can be written\n")
        self._disk.unlink(path)

    def _missing(self) -> CardError:
        return CardError(f"Card missing: nothing is mounted at {self.data} any more", self.data)

    # ---- what others tell

    def failed(self, error: OSError, *, at_once: bool = False) -> bool:
        """An error while something was written to it. True: it is given up until `look` finds it well again.

        A single I/O error is not the end of a card; two in a row are, and so is one that says that it is gone or
        read-only. A full disk is none of its faults. at_once: the first error is enough.
        """
        if not self.expected or is_full(error) or error.errno in _REFUSED:
            return False
        if isinstance(error, CardError):
            if error is not self._fault:
                self._lost(error)
            return True
        with self._lock:
            self._in_a_row += 1
            hopeless = at_once or error.errno in _GONE or self._in_a_row > 1
        if hopeless:
            self._doubted = True
            self._lost(error)
        return hopeless

    def worked(self) -> None:
        """Something has become durable on it."""
        self._in_a_row = 0

    def started(self, library: str, number: int) -> None:
        """A library on it has begun a start of this number."""
        if self._policy != "any":
            self._kept = self._kept.with_start(library, number)

    def remove(self) -> None:
        """The user will take it out: nothing is written to it until it has been away, or `use`."""
        with self._lock:
            if not self.expected:
                return
            self._removals += 1
            self._removed_number = self.number
            self._set("removed", CardError(f"Card removed: put it back to record on it ({self.data})", self.data))

    def use(self) -> None:
        """The user has left it in, or it has been unmounted: what is mounted there from now on is recorded to again."""
        self._removed_number = None  # the next look finds it

    # ---- turns

    def _lost(self, error: OSError) -> None:
        missing = isinstance(error, CardError)
        fault = error if isinstance(error, CardError) else CardError(words_for(error, self.data), self.data)
        with self._lock:
            if self._kind == "removed":
                self._removed_number = None  # it is away: what comes now has been put in
                return
            self._set("missing" if missing else "broken", fault)

    def _found(self, removals: int) -> None:
        with self._lock:
            if removals != self._removals:
                return
            self._removed_number, self._doubted, self._in_a_row = None, False, 0
            self._set("fine", None)

    def _set(self, kind: CardState, fault: CardError | None) -> None:
        before, self._kind, self._fault = self._fault, kind, fault
        if fault is not None and (before is None or before.words != fault.words):
            log.error("%s", fault.words)
        elif fault is None and before is not None:
            log.warning("the card is back at %s", self.data)

    def _remember(self) -> None:
        """On the system's disk, so that a start without the card knows that there is one."""
        kept = self._kept.on(str(self.point), self.id)
        if kept == self._saved:
            return
        self._kept = kept
        try:
            save(self._disk, self._state_folder, kept)
            self._saved, self._state_words = kept, ""
        except OSError as error:
            words = f"which card holds the recordings cannot be noted in {self._state_folder}: {error.strerror}"
            if words != self._state_words:
                log.warning("%s", words)
            self._state_words = words
