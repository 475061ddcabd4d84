"""A card of so many bytes, a camera that records to it, and a janitor: driven by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.core.packet import Packet, StreamInfo
from blackbox_qt.storage.deletions import Deletions
from blackbox_qt.storage.janitor import Janitor
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.recording import Recording
from blackbox_qt.storage.segment import SegmentName, Store
from blackbox_qt.storage.sidecar import Lock
from blackbox_qt.storage.status import WriterSettings

from .fakes import SECOND, START_NS, Bench, FakeClock, FaultDisk

FPS = 8
FRAME_BYTES = 7500
INFO = StreamInfo("front", 64, 64, b"\x01\x42\x00\x0a\xff\xe0\x00", origin="camera")
SMALL = RetentionConfig(
    low_mb=1, low_percent=0, high_mb=2, high_percent=0, locked_percent=50, reserve_min=1, max_age_h=0
)


class SmallCard(FaultDisk):
    """Full when its files take so many bytes: no write has more room than that."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total
        self.used = 0
        self.told: int | None = None  # what it says is free, if it lies

    @property
    def free(self) -> int:
        return self.total - self.used

    def space(self, path: Path) -> tuple[int, int]:
        self._op("space", path)
        return (self.free if self.told is None else self.told), self.total

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        with self._counted():
            super().write(fd, parts)

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        with self._counted():
            super().write_at(fd, data, offset)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.room = before = self.free
        try:
            yield
        finally:
            self.used += before - self.room

    def datasync(self, fd: int) -> None:
        self._op("datasync")  # a real one takes time, and no power is cut here

    def sync_dir(self, path: Path) -> None:
        self._op("sync_dir", path)

    def replace(self, path: Path) -> int:
        self.used -= size_of(path)
        return super().replace(path)

    def rename(self, old: Path, new: Path) -> None:
        freed = size_of(new)
        super().rename(old, new)
        self.used -= freed

    def unlink(self, path: Path) -> None:
        freed = size_of(path)
        super().unlink(path)
        self.used -= freed


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Drive:
    """A car under way; one segment every 0.9 s, about 60 KB."""

    def __init__(
        self, data: Path, total: int = 4_000_000, config: RetentionConfig = SMALL, *, ready: bool = True
    ) -> None:
        data.mkdir(exist_ok=True)
        self.clock = FakeClock()
        self.disk = SmallCard(total)
        self.store = Store(self.disk, data)
        self.store.check_writable()
        self.library = Library(self.disk, data / "recordings", self.clock)
        self.deletions = Deletions(self.library)
        self.libraries = {"recordings": self.library}
        settings = WriterSettings(segment_s=0.9, memory_s=60)
        self.recording = Recording(self.store, self.clock, settings, self.library.add)
        self.library.load()
        if ready:
            self.deletions.complete()
        Bench.alive.append(self)  # type: ignore[arg-type]
        self.janitor = Janitor(
            self.disk, data, lambda: self.libraries, config, self.clock, lambda: ["front"], float(FRAME_BYTES * FPS)
        )  # fmt: skip
        self.frames = 0

    def go(self, seconds: float) -> None:
        """Record, with the disk thread running at once; the janitor only when it is told to."""
        for _ in range(round(seconds * FPS)):
            t_ns = START_NS + self.frames * SECOND // FPS
            self.clock.now = max(self.clock.now, t_ns + 5_000_000)
            data = ((FRAME_BYTES - 4).to_bytes(4) + b"\x65").ljust(FRAME_BYTES, b".")
            self.recording.put(Packet(INFO, data, self.frames % FPS == 0, self.frames, t_ns))
            self.recording.step()
            self.frames += 1

    def end(self) -> None:
        self.recording.finish(4)
        while not self.recording.ended:
            self.recording.step()
            self.clock.advance(0.25)

    def names(self) -> list[str]:
        return [one.name.stem for one in self.library.segments()]

    def lock(self, seq: int, kind: str = "manual", mark: str = "m1") -> SegmentName:
        name = SegmentName("front", 1, seq)
        self.library.lock(name, Lock(mark, kind, "a test"))  # type: ignore[arg-type]
        return name

    def files(self) -> set[str]:
        return {file.name for file in (self.library.root / "000001").iterdir()}


__all__ = ["SECOND", "SMALL", "Drive", "SmallCard"]
