"""Marks on real segments, moved by hand: no thread, a clock that stands still, a disk of the test's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blackbox_qt.app.mark_requests import Asked
from blackbox_qt.app.marking import Marking
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import NS
from blackbox_qt.core.packet import Packet, StreamInfo
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.marks import Mark
from blackbox_qt.storage.memory import Entry
from blackbox_qt.storage.open_segment import OpenSegment
from blackbox_qt.storage.record import Link
from blackbox_qt.storage.segment import Place, SegmentName
from tests.fakes import HandClock

START = 1  # of the library


class MarkBench:
    """A library with segments of whole seconds, and the marks on it. Cameras: front and rear."""

    def __init__(self, data: Path, disk: Disk | None = None, *, boot: str = "hand-boot", at: float = 1000.0) -> None:
        self.disk = disk or Disk()
        self.clock = HandClock(at)
        self.clock.machine_boot = boot
        self.root = data / "recordings"
        self.root.mkdir(parents=True, exist_ok=True)
        self.cameras = {"front", "rear"}
        self.refusal = ""
        self.library = Library(self.disk, self.root, self.clock)
        self.seqs: dict[str, int] = {}
        self.card, self.in_ring = True, False
        self.ring = data / "ring"
        self.marking = Marking(
            self.clock,
            self.disk,
            MarksConfig(),
            lambda: self.root if self.card else self.ring if self.ring.is_dir() else None,
            lambda: (self.library,) if self.card else (),
            lambda: self.cameras,
            lambda mark: self.refusal,
            lambda mark, segment: self.refusal,
            lambda: (self.ring,),
            lambda: self.in_ring,
        )

    def load(self) -> None:
        self.library.load()

    def open(self, camera: str, first_s: float, last_s: float) -> OpenSegment:
        """A segment that is being written, with pictures at these two moments, synced."""
        self.seqs[camera] = self.seqs.get(camera, 0) + 1
        place = Place(self.root, SegmentName(camera, START, self.seqs[camera]), Link())
        segment = OpenSegment(self.disk, place, StreamInfo(camera, 64, 64, AVCC), self.clock)
        segment.open("a test")
        for second, key in ((first_s, True), (last_s, False)):
            packet = Packet(segment.stream, DATA, key, 0, round(second * NS))
            segment.append([Entry(packet, 0, 0, {}, "")], None)
        segment.sync()
        return segment

    def finish(self, segment: OpenSegment) -> SegmentName:
        segment.end("full")
        self.library.add(segment.name())
        return segment.place.name

    def segment(self, camera: str, first_s: float, last_s: float) -> SegmentName:
        """One that is finished."""
        return self.finish(self.open(camera, first_s, last_s))

    def mark(self, by: str = "window", **more: Any) -> Mark:
        """Press, and let the worker work."""
        return self.answer(self.marking.ask(by, **more))

    def undo(self, name: str) -> Mark:
        return self.answer(self.marking.undo(name))

    def answer(self, asked: Asked) -> Mark:
        self.marking.work()
        return asked.answer(0)

    def drive(self) -> None:
        """The keeper's step, and what it asks to be written down."""
        self.marking.drive()
        self.marking.work()

    def locked(self) -> dict[str, set[str]]:
        """Segment -> the marks that lock it, as the files say."""
        fresh = Library(Disk(), self.root, self.clock)
        fresh.load()
        return {s.name.stem: {lock.mark for lock in s.sidecar.locks} for s in fresh.segments() if s.locked}

    def known(self, name: str) -> Mark:
        return next(mark for mark in self.marking.marks() if mark.id == name)

    def again(self, *, boot: str | None = None, at: float | None = None, disk: Disk | None = None) -> MarkBench:
        """The next process on the same files; another `boot` for the next start of the machine. Loaded."""
        now = self.clock.boot_ns() / NS if at is None else at
        bench = MarkBench(self.root.parent, disk, boot=boot or self.clock.machine_boot, at=now)
        bench.seqs = self.seqs
        bench.load()
        return bench


AVCC = b"\x01\x42\x00\x0a\xff\xe0\x00"
DATA = b"\x00\x00\x00\x04\x65data"
