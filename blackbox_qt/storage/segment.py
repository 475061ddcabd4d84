"""Where segments live and what they are called. Never a date: a car has no wall clock when it starts."""

from __future__ import annotations

import errno
import functools
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.storage.disk import Disk, StorageError, words_for
from blackbox_qt.storage.number_hints import highest_hint
from blackbox_qt.storage.numbering import next_number
from blackbox_qt.storage.record import Link

PART = ".part"
_CAMERA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_STEM = re.compile(rf"({_CAMERA.pattern})-(\d{{6,9}})-(\d{{5,9}})")
# The highest start among the names present: of folders, and of files that were moved up.
_BOOT = re.compile(r"(?:.*-)?(\d{6,9})(?:-\d{5,9}\..*)?")
COUNTER = "boots"
"""The file in a library's folder that holds the number of its last start."""


@functools.lru_cache(maxsize=64)
def _is_camera(text: str) -> bool:
    """Asked for every file of a library, about a few names."""
    return _CAMERA.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """Identity of a segment: camera, start of the library, number in that start.

    Threads: immutable, any.
    """

    camera: str
    boot: int
    seq: int

    def __post_init__(self) -> None:
        if not _is_camera(self.camera):
            raise ValueError(f"{self.camera!r} is not a camera's name: letters, digits, _ and -, at most 32")

    @property
    def stem(self) -> str:
        return f"{self.camera}-{self.boot:06d}-{self.seq:05d}"

    @property
    def final(self) -> str:
        return self.stem + ".mp4"

    @property
    def part(self) -> str:
        return self.final + PART

    @property
    def sidecar(self) -> str:
        return self.stem + ".json"

    @classmethod
    def parse(cls, file_name: str) -> SegmentName | None:
        """From a file's name, finished or not; None for any other name."""
        found = _STEM.fullmatch(file_name.removesuffix(PART).removesuffix(".mp4"))
        return cls(found[1], int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next segment goes.

    Threads: immutable, any.
    """

    root: Path  # of the library
    name: SegmentName
    link: Link

    @property
    def folder(self) -> Path:
        return self.root / f"{self.name.boot:06d}"


class Store:
    """The two libraries below the data folder: `recordings` of real cameras, `demo` of everything else.

    Gives out names, each once: a library's start counter goes up, durably, before the first name of a start.

    Threads: any; `check_writable` and `place` may block on the disk.
    """

    def __init__(self, disk: Disk, data: Path) -> None:
        self.disk = disk
        self.data = data
        self.when_full: Callable[[], None] = lambda: None  # called by a Writer that was refused room; must not block
        self._lock = threading.Lock()
        self._boots: dict[Path, int] = {}
        self._ours: set[tuple[Path, int]] = set()
        self._seqs: dict[tuple[Path, str], int] = {}
        self._links: dict[tuple[Path, str], Link] = {}
        self._below: int | None = None  # the file system that shows when the card is gone; None: there is no card

    def check_writable(self) -> None:
        """Make the data folder if need be; StorageError with one sentence when nothing can be written there."""
        try:
            for folder in reversed([self.data, *self.data.parents]):
                if not self.disk.is_dir(folder) and self.disk.mkdir(folder):
                    self.disk.sync_dir(folder.parent)  # else a power cut may take it, with all that is durable in it
            self.disk.probe(self.data)
            self._below = self._find_below()
        except OSError as error:
            raise StorageError(f"Cannot record to the data folder {self.data}: {_reason(error, self.data)}") from error

    def _find_below(self) -> int | None:
        """The file system that holds the mount point the data folder is below, if there is one."""
        own = self.disk.device(self.data)
        others = (self.disk.device(folder) for folder in self.data.absolute().parents)
        return next((device for device in others if device != own), None)

    def _check_card(self) -> None:
        """A card that was pulled leaves its mount point, a folder of the system's disk: nothing is recorded there.

        Any other file system is taken for a card put in its place; which one it is, its number cannot tell.
        """
        if self._below is not None and self.disk.device(self.data) == self._below:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), str(self.data))

    def library(self, origin: str) -> Path:
        return self.data / ("recordings" if origin == "camera" else "demo")

    def ours(self, root: Path) -> frozenset[int]:
        """The starts of a library that are this program's: what is in their folders is under way. Never waits."""
        return frozenset(boot for folder, boot in tuple(self._ours) if folder == root)

    def place(self, camera: str, origin: str) -> Place:
        """A new name and what it continues; OSError when the disk refuses."""
        root = self.library(origin)
        self._check_card()
        with self._lock:  # only threads that write to this disk meet here
            boot = self._boots.get(root) or self._start(root)
            seq = self._seqs[root, camera] = self._seqs.get((root, camera), 0) + 1
            return Place(root, SegmentName(camera, boot, seq), self._links.get((root, camera), Link()))

    def continue_from(self, place: Place, link: Link) -> None:
        """The camera's next segment names `link` as the one before it."""
        with self._lock:
            if place.name.boot == self._boots.get(place.root):
                self._links[place.root, place.name.camera] = link

    def renew(self, taken: Place) -> None:
        """A name that was given out is taken: it is another card. The next name begins a new start of the library."""
        root = taken.root
        with self._lock:
            if taken.name.boot != self._boots.get(root):
                return  # another camera came first
            del self._boots[root]
            self._seqs = {key: seq for key, seq in self._seqs.items() if key[0] != root}
            self._links = {key: link for key, link in self._links.items() if key[0] != root}

    def _start(self, root: Path) -> int:
        """Count this start before anything is named after it."""
        self.disk.mkdir(root)
        floor = max(self._floor(root), highest_hint(self.disk, root))
        boot = next_number(self.disk, root, COUNTER, _BOOT, floor)
        self.disk.mkdir(root / f"{boot:06d}")
        self.disk.sync_dir(root)
        self.disk.sync_dir(self.data)
        self._boots[root] = boot
        self._ours.add((root, boot))
        return boot

    # ---- what a store with a card and a ring beside it knows better (see shelter.py)

    def _floor(self, root: Path) -> int:
        """Starts of this library are numbered above it."""
        return 0

    def present(self) -> bool:
        """Whether the data folder is what it should be at this moment, and no folder below a missing card."""
        return True

    def is_left(self, place: Place) -> bool:
        """Whether recording should go on elsewhere: the segment at `place` ends with the next key frame."""
        return False

    def outgrown(self, place: Place, size: int) -> bool:
        """Whether a segment of so many bytes is too large for where it is."""
        return False

    def lacks(self, place: Place) -> bool:
        """Whether another card is there than the one that `place` is on."""
        return False

    def failed(self, error: OSError, place: Place | None) -> str:
        """An I/O error, while something was written at `place`; what to tell the user."""
        return words_for(error, self.data)


def _reason(error: OSError, data: Path) -> str:
    words = words_for(error, data)
    return words[0].lower() + words[1:] + "."
