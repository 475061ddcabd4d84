"""A library with two cameras, a gap, dates and a mark; made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from blackbox_qt.bundle import Request, by_mark
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.sidecar import Dating, Lock, Note
from tests.storage.fakes import SECOND, START_NS, Bench, FakeClock, clip
from tests.storage.keys import device_key

MARK = "mark-000001"
NOTE = "a <b>lorry</b> & 'so on'"
SIZE = (320, 192)
PHONE_NS = 1_795_151_251 * SECOND  # 2026-11-20 05:07:31 UTC


@pytest.fixture(autouse=True)
def benches_cleared() -> Iterator[None]:
    yield
    for bench in Bench.alive:
        bench.recording.abandon()
    Bench.alive.clear()


@dataclass(frozen=True)
class Place:
    """A data folder with a library in it, and a folder for bundles."""

    data: Path
    out: Path

    @property
    def root(self) -> Path:
        return self.data / "recordings"

    def library(self, disk: Disk | None = None) -> Library:
        library = Library(disk or Disk(), self.root, FakeClock())
        library.sign_date = device_key().sign_date
        library.load()
        return library

    def request(self, **changes: object) -> Request:
        wanted = Request(self.root, by_mark(self.library(), MARK), self.out, zone="Asia/Seoul", now_ns=PHONE_NS)
        return replace(wanted, **changes)  # type: ignore[arg-type]

    def originals(self) -> list[Path]:
        return sorted(self.root.rglob("*.mp4"))


def drive(camera: str) -> list[Packet]:
    """Four seconds; three seconds are missing in the middle."""
    times = [START_NS + i * 40_000_000 + (3 * SECOND if i >= 50 else 0) for i in range(100)]
    seqs = [i + (75 if i >= 50 else 0) for i in range(100)]
    return clip(times, seqs=seqs, camera=camera, size=SIZE)


def make(data: Path, *, source: str = "unsynced", sign: bool = True) -> None:
    """Segments of about a second, front and rear; the front one's are longer by what the mark's start is."""
    benches = [Bench(data, segment_s=1.0, **({"sign": device_key().sign} if sign else {})) for _ in range(2)]
    benches[1].store = benches[0].store
    benches[1].recording._store = benches[0].store
    for bench, camera in zip(benches, ("front", "rear"), strict=True):
        bench.clock.source = source
        bench.feed(drive(camera))
        bench.finish()


def learn(place: Place, date: Dating | None) -> None:
    """What was told and decided later."""
    library = place.library()
    for segment in library.segments():
        if date is not None:
            library.date(segment.name, date)
        library.lock(segment.name, Lock(MARK, "manual", "window", "crash", NOTE, START_NS + SECOND))
    library.note(library.segments()[0].name, Note(NOTE, "page"))


@pytest.fixture(scope="session")
def marked_drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Place(tmp_path_factory.mktemp("drive"), Path())
    make(place.data)
    learn(place, Dating(PHONE_NS, START_NS, "phone", SECOND // 2, "192.168.4.7"))
    return place.data


@pytest.fixture
def place(marked_drive: Path, tmp_path: Path) -> Place:
    """A copy that a test may change."""
    shutil.copytree(marked_drive, tmp_path / "data")
    return Place(tmp_path / "data", tmp_path / "incident")
