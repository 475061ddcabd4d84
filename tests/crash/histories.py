"""What the program does to a disk, in full, by itself and with what may go wrong; and what it promised on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blackbox_qt.core.packet import Packet
from tests.storage.fakes import SECOND, Bench, clip, steady

from .disk import FaultyRecordingDisk, Op, RecordingDisk


@dataclass(frozen=True)
class Promise:
    """Something that holds from a place in the log on: a frame's time, a lock, a date, a name that was given."""

    since: int  # operations in the log when it was given
    kind: str  # frames | lock | date | note | gone
    what: Any


@dataclass
class History:
    """A log, and the promises made while it was written."""

    name: str
    log: list[Op]
    begin: int = 0  # the first operation that is the program's
    promises: list[Promise] = field(default_factory=list)

    def holding(self, count: int) -> list[Promise]:
        """What had been promised after so many operations."""
        return [promise for promise in self.promises if promise.since <= count]


class Scene:
    """A recording under way on a disk with a log."""

    def __init__(self, root: Path, disk: RecordingDisk, **settings: object) -> None:
        self.root = root
        self.disk = disk
        self.promises: list[Promise] = []
        self.bench = Bench(root / "car", disk, **settings)
        self._told = 0

    def promise(self, kind: str, what: Any) -> None:
        self.promises.append(Promise(len(self.disk.log), kind, what))

    def feed(self, packets: list[Packet], all_of: list[Packet]) -> None:
        """Packets one by one; those that the status calls durable are promised at once."""
        for packet in packets:
            self.bench.feed([packet])
            self.note_durable(all_of)

    def note_durable(self, all_of: list[Packet]) -> None:
        """The first so many packets are on the disk, says the status."""
        count = self.bench.recording.status().frames_durable
        if count > self._told:
            self.promise("frames", [packet.t_ns for packet in all_of[self._told : count]])
            self._told = count

    def finish(self, all_of: list[Packet]) -> None:
        self.bench.finish()
        self.note_durable(all_of)

    def history(self, name: str) -> History:
        return History(name, self.disk.log, self.disk.begin, self.promises)


Tell = Callable[[Path, RecordingDisk], History]
HISTORIES: dict[str, Tell] = {}


def history(tell: Tell) -> Tell:
    HISTORIES[tell.__name__] = tell
    return tell


def packets(count: int = 70, camera: str = "front", start_s: int = 40) -> list[Packet]:
    """Real pictures, so that every state can be played; key frames twice a second."""
    return clip(steady(count, start_ns=start_s * SECOND), key_s=0.5, camera=camera)


@history
def drive(root: Path, disk: RecordingDisk) -> History:
    """Two segments and a third that is open when the user ends it."""
    scene, all_of = Scene(root, disk, segment_s=0.9), packets()
    scene.feed(all_of, all_of)
    scene.finish(all_of)
    return scene.history("drive")


@history
def seldom_synced(root: Path, disk: RecordingDisk) -> History:
    """Syncs half a second apart: more is under way between two of them."""
    scene, all_of = Scene(root, disk, segment_s=0.9, sync_ms=500), packets()
    scene.feed(all_of, all_of)
    scene.finish(all_of)
    return scene.history("seldom_synced")


@history
def faults(root: Path, disk: RecordingDisk) -> History:
    """Syncs and renames that fail, a full disk: everything not durable is written again to a new segment."""
    assert isinstance(disk, FaultyRecordingDisk)
    scene, all_of = Scene(root, disk, segment_s=0.9), packets(90)
    scene.feed(all_of[:20], all_of)
    disk.fail("datasync")
    scene.feed(all_of[20:45], all_of)
    disk.fail("rename")
    scene.feed(all_of[45:60], all_of)
    disk.room = 1500
    scene.feed(all_of[60:70], all_of)
    disk.room = None
    scene.feed(all_of[70:], all_of)
    scene.finish(all_of)
    return scene.history("faults")


@history
def two_starts(root: Path, disk: RecordingDisk) -> History:
    """The program is killed and started again on the same card: names go on, nothing is overwritten."""
    first = Scene(root, disk, segment_s=0.9)
    one = packets(40)
    first.feed(one, one)
    first.bench.recording.abandon()
    second = Scene(root, disk, segment_s=0.9)
    two = packets(40, start_s=90)
    second.feed(two, two)
    second.finish(two)
    told = first.promises + second.promises
    return History("two_starts", disk.log, disk.begin, told)


def tell(name: str, root: Path, disk: RecordingDisk | None = None) -> History:
    """Let it happen in the empty folder `root`."""
    return HISTORIES[name](root, disk or FaultyRecordingDisk(root))


@contextmanager
def forgotten(*kinds: str) -> Iterator[Callable[[Path], RecordingDisk]]:
    """For proofs by removal: a disk on which these operations never reach the medium."""
    yield lambda root: FaultyRecordingDisk(root, kinds)
