"""What the program does to a disk, in full, by itself and with what may go wrong; and what it promised on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blackbox_qt.app.marking import Marking
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.journal_lines import Deletion
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Note
from tests.storage.fakes import SECOND, Bench, clip, steady

from .disk import FaultyRecordingDisk, Op, RecordingDisk
from .model import State, world_at
from .restart import Restart, move


@dataclass(frozen=True)
class Promise:
    """Something that holds from a place in the log on: a frame's time, a lock, a date, a name that was given."""

    since: int  # operations in the log when it was given
    kind: str  # frames | lock | date | note | mark | may_go
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

    def __init__(self, root: Path, disk: RecordingDisk, place: str = "car", **settings: object) -> None:
        self.root = root
        self.disk = disk
        self.promises: list[Promise] = []
        self.bench = Bench(root / place, disk, **settings)
        self.library = Library(disk, root / place / "recordings", self.bench.clock)
        self.marking = Marking(
            self.bench.clock, disk, MarksConfig(), lambda: self.library.root, lambda: (self.library,), lambda: {"front"}
        )
        self._told = self._added = 0

    def promise(self, kind: str, what: Any) -> None:
        self.promises.append(Promise(len(self.disk.log), kind, what))

    def feed(self, packets: list[Packet], all_of: list[Packet]) -> None:
        """Packets one by one; those that the status calls durable are promised at once."""
        for packet in packets:
            self.bench.feed([packet])
            self.note_durable(all_of)
            self.take_finished()

    def take_finished(self) -> None:
        """The library hears of finished segments, as from the Writer."""
        for finished in self.bench.finished[self._added :]:
            self.library.add(finished)
        self._added = len(self.bench.finished)

    @property
    def open_segment(self) -> SegmentName:
        name = SegmentName.parse(self.bench.recording.status().segment + ".mp4")
        assert name
        return name

    def decide(self, name: SegmentName, number: int) -> None:
        """A lock, a date and a note, each promised when it was confirmed."""
        lock = Lock(f"m{number}", "manual", "window", "a bang", "")
        date = Dating(1_790_000_000 * SECOND + number, 40 * SECOND, "phone", 10**9, "a phone")
        note = Note(f"number {number}", "web")
        for kind, what in (("lock", lock), ("date", date), ("note", note)):
            getattr(self.library, kind)(name, what)
            self.promise(kind, (name, what))

    def mark(self) -> None:
        """MARK is pressed, and answered."""
        asked = self.marking.ask("window", "a bang")
        self.marking.work()
        self.promise("mark", asked.answer(0))

    def note_durable(self, all_of: list[Packet]) -> None:
        """The first so many packets are on the disk, says the status."""
        count = self.bench.recording.status().frames_durable
        if count > self._told:
            self.promise("frames", [packet.t_ns for packet in all_of[self._told : count]])
            self._told = count

    def finish(self, all_of: list[Packet]) -> None:
        self.bench.finish()
        self.note_durable(all_of)
        self.take_finished()

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
def decided(root: Path, disk: RecordingDisk) -> History:
    """Locks, dates and notes on the open segment, and on finished ones while the next is being written."""
    scene, all_of = Scene(root, disk, segment_s=0.9), packets()
    scene.library.loaded.set()
    scene.feed(all_of[:10], all_of)
    scene.decide(scene.open_segment, 1)
    first = scene.open_segment
    scene.feed(all_of[10:50], all_of)
    scene.decide(first, 2)
    scene.decide(scene.open_segment, 3)
    scene.library.unlock(first, "m2")
    scene.promises = [p for p in scene.promises if not (p.kind == "lock" and p.what[1].mark == "m2")]
    scene.feed(all_of[50:], all_of)
    scene.finish(all_of)
    return scene.history("decided")


@history
def marked(root: Path, disk: RecordingDisk) -> History:
    """MARK twice: what it covers is open, finished, and not written yet."""
    scene, all_of = Scene(root, disk, segment_s=0.9), packets(100)
    scene.library.loaded.set()
    for start, end in ((0, 40), (40, 70), (70, 100)):
        scene.feed(all_of[start:end], all_of)
        scene.marking.drive()
        scene.marking.work()
        if end < 100:
            scene.mark()
    scene.finish(all_of)
    scene.marking.drive()
    scene.marking.work()
    return scene.history("marked")


@history
def deleted(root: Path, disk: RecordingDisk) -> History:
    """The oldest segments make room while the next is written; the journal tells."""
    scene, all_of = Scene(root, disk, segment_s=0.5), packets(100)
    journal = Journal(disk, scene.library.root, scene.bench.clock)
    scene.feed(all_of[:60], all_of)
    for name in [one.name for one in scene.library.segments()][:2]:
        deletion = Deletion(name.stem, "the disk is full", "janitor", 1)
        segment = scene.library.get(name)
        assert segment
        scene.promise("may_go", (name, segment.first_t_ns, segment.last_t_ns))
        journal.carry_out(deletion, lambda name=name: scene.library.remove(name, "the disk is full", "janitor"))
    scene.feed(all_of[60:], all_of)
    scene.finish(all_of)
    return scene.history("deleted")


@history
def moved(root: Path, disk: RecordingDisk) -> History:
    """Recorded in the ring while the card was missing, one segment locked, one left open; the card is back."""
    scene, all_of = Scene(root, disk, "ring", segment_s=0.5), packets(45)
    scene.feed(all_of[:30], all_of)
    scene.decide(scene.library.segments()[0].name, 1)
    scene.feed(all_of[30:], all_of)
    scene.bench.recording.abandon()
    disk.mkdir(root / "car")
    disk.sync_dir(root)
    move(disk, root, scene.bench.clock)
    return scene.history("moved")


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


# ---- healing, which may be cut short itself

_HALF_DONE = {
    "heals_torn": State("drive", 25, "stale"),
    "heals_mixed": State("faults", 75, "r1"),
    "heals_named": State("seldom_synced", 55, "sizes"),
    "heals_marked": State("marked", 60, "r0"),
}


def _heals(name: str) -> Tell:
    def tell_it(root: Path, disk: RecordingDisk) -> History:
        """The start after a crash, on what that one left."""
        Restart(root / "car", disk).run()
        return History(name, disk.log, disk.begin, [replace(p, since=0) for p in _BEFORE[root]])

    return tell_it


_BEFORE: dict[Path, list[Promise]] = {}
HISTORIES.update({name: _heals(name) for name in _HALF_DONE})


def prepare(name: str, root: Path) -> None:
    """Lay out in `root` what `name` begins with."""
    state = _HALF_DONE.get(name)
    if state is None:
        return
    before = root.with_name(f"{root.name}-before")
    before.mkdir()
    past = tell(state.history, before)
    world_at(past.log, state.point).crash(state.variant, str(state), root)
    _BEFORE[root] = past.holding(state.point)


def tell(name: str, root: Path, make: Callable[[Path], RecordingDisk] = FaultyRecordingDisk) -> History:
    """Let it happen in the empty folder `root`."""
    prepare(name, root)
    return HISTORIES[name](root, make(root))
