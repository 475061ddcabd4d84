"""Clocks, disks and real H.264 for the storage tests."""

from __future__ import annotations

import errno
import functools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
from av.video.frame import PictureType

from blackbox_qt.core.clock import Anchor
from blackbox_qt.core.packet import Packet, StreamInfo
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.recording import Recording
from blackbox_qt.storage.segment import Store
from blackbox_qt.storage.status import WriterSettings

SECOND = 1_000_000_000
START_NS = 40 * SECOND  # sensor time of a clip's first frame
FRAME_NS = 33_333_333
UTC_OFFSET_NS = 1_790_000_000 * SECOND


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: int = START_NS) -> None:
        self.now = now
        self.source = "ntp"
        self.machine_boot = "fake-boot"

    def boot_ns(self) -> int:
        return self.now

    def anchor(self) -> Anchor:
        return Anchor(self.now, self.now + UTC_OFFSET_NS, self.source, 5_000_000)

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def steady(count: int, step_ns: int = FRAME_NS, start_ns: int = START_NS) -> list[int]:
    """Sensor times, ns."""
    return [start_ns + i * step_ns for i in range(count)]


@functools.lru_cache(maxsize=16)
def _encoded(
    times: tuple[int, ...], key_ns: int, width: int, height: int
) -> tuple[bytes, tuple[tuple[bytes, bool], ...]]:
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 1_000_000), Fraction(30)
    context.gop_size, context.bit_rate, context.flags = 1 << 30, 400_000, context.flags | 1 << 22
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "x264-params": "annexb=0"}
    rng = np.random.default_rng(7)
    texture = rng.integers(0, 255, (height * 3 // 2, width), dtype=np.uint8)
    packets, next_key = [], times[0]
    for i, t_ns in enumerate(times):
        frame = av.VideoFrame.from_ndarray(np.roll(texture, 3 * i, axis=1), format="yuv420p")
        frame.pts, frame.time_base = (t_ns - times[0]) // 1000, context.time_base
        if t_ns >= next_key:
            frame.pict_type, next_key = PictureType.I, t_ns + key_ns
        packets += [(bytes(p), p.is_keyframe) for p in context.encode(frame)]
    assert len(packets) == len(times)
    return bytes(context.extradata or b""), tuple(packets)


def clip(
    times: Sequence[int] | None = None,
    *,
    seqs: Sequence[int] | None = None,
    key_s: float = 1.0,
    camera: str = "front",
    origin: str = "camera",
    size: tuple[int, int] = (160, 96),
) -> list[Packet]:
    """Real H.264 of a moving texture, one packet per sensor time; 90 frames at 30 per second if not told otherwise."""
    times = steady(90) if times is None else times
    seqs = range(len(times)) if seqs is None else seqs
    avcc, data = _encoded(tuple(times), round(key_s * SECOND), *size)
    info = StreamInfo(camera, *size, avcc, 30.0, "bt601", True, origin, "a test")
    return [Packet(info, d, key, seq, t) for (d, key), seq, t in zip(data, seqs, times, strict=True)]


def dull(count: int, *, key_every: int = 30, step_ns: int = FRAME_NS, info: StreamInfo | None = None) -> list[Packet]:
    """Packets that no decoder will see."""
    info = info or StreamInfo("front", 64, 64, b"\x01\x42\x00\x0a\xff\xe0\x00")
    data = b"\x00\x00\x00\x04\x65data"
    return [Packet(info, data, i % key_every == 0, i, START_NS + i * step_ns) for i in range(count)]


def with_stream(packets: Iterable[Packet], info: StreamInfo) -> list[Packet]:
    return [replace(packet, stream=info) for packet in packets]


class FaultDisk(Disk):
    """A disk that fails when told: `faults` is asked before every operation; `gate` closed stalls the syncs."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[Callable[[str, int], int | None]] = []
        self.refuse: Callable[[str, str], bool] = lambda *_: False  # (op, path): EIO
        self.room: int | None = None  # bytes that can still be written
        self.gate = threading.Event()
        self.gate.set()
        self.stalled = threading.Event()
        self.sync_log: list[int] = []
        self.bad_fds: set[int] = set()

    def fail(self, op: str, nth: int = 1, code: int = errno.EIO, *, times: int = 1) -> None:
        """From now on the nth `op` fails, and `times - 1` after it."""
        base = self.counts[op]
        self.faults.append(lambda o, n: code if o == op and nth <= n - base < nth + times else None)

    def _op(self, op: str, path: object = "") -> None:
        self.counts[op] += 1
        if self.refuse(op, str(path)):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        for fault in self.faults:
            if code := fault(op, self.counts[op]):
                raise OSError(code, os.strerror(code), str(path))

    def create(self, path: Path) -> int:
        self._op("create", path)
        fd = super().create(path)
        self.bad_fds.discard(fd)
        return fd

    def replace(self, path: Path) -> int:
        self._op("replace", path)
        fd = super().replace(path)
        self.bad_fds.discard(fd)
        return fd

    def append(self, path: Path) -> int:
        self._op("append", path)
        fd = super().append(path)
        self.bad_fds.discard(fd)
        return fd

    def update(self, path: Path) -> int:
        self._op("update", path)
        fd = super().update(path)
        self.bad_fds.discard(fd)
        return fd

    def cut(self, fd: int, size: int) -> None:
        self._op("cut")
        super().cut(fd, size)

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        """In place it needs no room."""
        self._op("write_at")
        grows = max(0, offset + len(data) - os.fstat(fd).st_size)
        if self.room is not None and grows > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.room is not None:
            self.room -= grows
        super().write_at(fd, data, offset)

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        self._op("write")
        data = b"".join(parts)
        if self.room is not None and len(data) > self.room:
            super().write(fd, [data[: self.room]])
            self.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.room is not None:
            self.room -= len(data)
        super().write(fd, parts)

    def datasync(self, fd: int) -> None:
        assert fd not in self.bad_fds, "a descriptor whose sync failed was synced again: that sync may lie"
        if not self.gate.is_set():
            self.stalled.set()
            self.gate.wait()
        try:
            self._op("datasync")
        except OSError:
            self.bad_fds.add(fd)
            raise
        super().datasync(fd)

    def rename(self, old: Path, new: Path) -> None:
        self._op("rename", new)
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._op("unlink", path)
        super().unlink(path)

    def mkdir(self, path: Path) -> bool:
        self._op("mkdir", path)
        return super().mkdir(path)

    def sync_dir(self, path: Path) -> None:
        self._op("sync_dir", path)
        super().sync_dir(path)


@dataclass
class _File:
    """One inode of the model."""

    data: bytearray
    synced: int = 0  # bytes known to be on the medium


class LogDisk(Disk):
    """Records every operation, and builds what a power cut after any of them may leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[tuple[object, ...]] = []
        self._paths: dict[int, int] = {}
        self._files: dict[Path, int] = {}  # which file a path is, for those that are opened again
        self._next = 0

    def _opened(self, fd: int, path: Path) -> int:
        self._paths[fd] = self._files[path] = self._next
        self.log.append(("open", self._next, path.relative_to(self.root)))
        self._next += 1
        return fd

    def create(self, path: Path) -> int:
        return self._opened(super().create(path), path)

    def replace(self, path: Path) -> int:
        return self._opened(super().replace(path), path)

    def append(self, path: Path) -> int:
        known = self._files.get(path) if path.exists() else None
        fd = super().append(path)
        if known is None:
            return self._opened(fd, path)
        self._paths[fd] = known
        return fd

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        super().write(fd, parts)
        self.log.append(("write", self._paths[fd], b"".join(parts)))

    def datasync(self, fd: int) -> None:
        super().datasync(fd)
        self.log.append(("sync", self._paths[fd]))

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._files[new] = self._files.pop(old)
        self.log.append(("rename", old.relative_to(self.root), new.relative_to(self.root)))

    def mkdir(self, path: Path) -> bool:
        made = super().mkdir(path)
        if made:
            self.log.append(("mkdir", path.relative_to(self.root)))
        return made

    def sync_dir(self, path: Path) -> None:
        super().sync_dir(path)
        self.log.append(("sync_dir", path.relative_to(self.root)))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self.log.append(("unlink", path.relative_to(self.root)))

    def crash(self, ops: int, target: Path, *, unsynced: float, names: bool) -> None:
        """Write into `target` what may be found after a power cut behind the first `ops` operations.

        unsynced: the part of every file's unsynced bytes that reached the medium, 0 to 1 (in order: a prefix).
        names: whether names reached it that no directory sync had covered yet.
        """
        files: dict[int, _File] = {}
        now: dict[Path, int] = {}
        durable: dict[Path, int] = {}
        folders = {Path()}
        for op in self.log[:ops]:
            self._replay(op, files, now, durable, folders)
        for folder in sorted(folders):
            (target / folder).mkdir(parents=True, exist_ok=True)
        for path, number in (now if names else durable).items():
            file = files[number]
            keep = file.synced + round((len(file.data) - file.synced) * unsynced)
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(bytes(file.data[:keep]))

    @staticmethod
    def _replay(
        op: tuple[object, ...],
        files: dict[int, _File],
        now: dict[Path, int],
        durable: dict[Path, int],
        folders: set[Path],
    ) -> None:
        match op:
            case ("open", int(number), Path() as path):
                files[number] = _File(bytearray())
                now[path] = number
            case ("write", int(number), bytes(data)):
                files[number].data += data
            case ("sync", int(number)):
                files[number].synced = len(files[number].data)
            case ("rename", Path() as old, Path() as new):
                now[new] = now.pop(old)
            case ("unlink", Path() as path):
                now.pop(path, None)
            case ("mkdir", Path() as path):
                folders.add(path)
            case ("sync_dir", Path() as folder):
                for path in [p for p in durable if p.parent == folder and p not in now]:
                    del durable[path]
                durable.update({p: n for p, n in now.items() if p.parent == folder})


class Bench:
    """A Recording with everything it needs, driven by hand."""

    alive: ClassVar[list[Bench]] = []

    def __init__(self, data: Path, disk: Disk | None = None, **settings: object) -> None:
        self.clock = FakeClock()
        self.disk = disk or Disk()
        self.store = Store(self.disk, data)
        self.store.check_writable()
        self.finished: list[FinishedSegment] = []
        self.settings = WriterSettings(**settings)  # type: ignore[arg-type]
        self.recording = Recording(self.store, self.clock, self.settings, self.finished.append)
        self.alive.append(self)

    def feed(self, packets: Iterable[Packet]) -> None:
        """Each packet arrives 5 ms after its moment, and the disk thread runs at once."""
        for packet in packets:
            self.put(packet)
            self.recording.step()

    def put(self, packet: Packet) -> None:
        self.clock.now = max(self.clock.now, packet.t_ns + 5_000_000)
        self.recording.put(packet)

    def finish(self) -> None:
        self.recording.finish(4)
        for _ in range(20):
            self.recording.step()
            if self.recording.ended:
                return
            self.clock.advance(0.25)
        raise AssertionError("the recording did not end")

    def parts(self) -> list[Path]:
        return sorted(self.store.data.rglob("*.part"))

    def files(self) -> list[Path]:
        return sorted(self.store.data.rglob("*.mp4*"))


def record(data: Path, packets: Iterable[Packet], **settings: object) -> list[Path]:
    """Record and finish; the segments' paths in order."""
    bench = Bench(data, **settings)
    bench.feed(packets)
    bench.finish()
    return [finished.path for finished in bench.finished]
