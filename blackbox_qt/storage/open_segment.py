"""The segment that is being written: fragments and their records go in, a finished file comes out."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from blackbox_qt.core.clock import Anchor, Clock
from blackbox_qt.core.packet import NO_LOSS, Packet, StreamInfo
from blackbox_qt.storage import fmp4, record, sidecar
from blackbox_qt.storage.disk import Disk, temporary
from blackbox_qt.storage.memory import Entry, total_lost
from blackbox_qt.storage.record import Body, Link, Totals
from blackbox_qt.storage.segment import Place, SegmentName
from blackbox_qt.storage.sidecar import NOTHING, Sidecar
from blackbox_qt.storage.signature import Sign, unsigned

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FinishedSegment:
    """A segment that is whole, durable and under its final name.

    Threads: immutable, any.
    """

    path: Path
    name: SegmentName
    stream: StreamInfo
    reason: str  # full | stopped | paused | stream-changed | clock-changed | moved
    frames: int
    bytes: int
    first_t_ns: int
    last_t_ns: int
    machine_boot: str = ""
    lost: Mapping[str, int] = field(default_factory=lambda: NO_LOSS)  # frames missing in it, by cause
    anchor: Anchor | None = None  # of its end record
    sidecar: Sidecar = NOTHING


class OpenSegment:
    """One `.part` file, from its first box to its final name. Every method may block on the disk, raises OSError.

    After an OSError before `end` has returned only `abandon` and `discard` are allowed: a later sync of the same
    descriptor may lie.

    Threads: the Writer's.
    """

    def __init__(self, disk: Disk, place: Place, stream: StreamInfo, clock: Clock, sign: Sign = unsigned) -> None:
        self.place = place
        self.stream = stream
        self.totals = Totals()
        self.bytes = 0
        self.durable: Link | None = None  # the last record known to be on the disk
        self._reason = ""
        self._anchor: Anchor | None = None
        self._disk = disk
        self._clock = clock
        self._sign = sign
        self._fd: int | None = None
        self._made = False  # the name is ours
        self._digest = place.link.digest
        self._index: list[fmp4.IndexEntry] = []
        self._base_ns: int | None = None
        self._last_us = -1
        self._duration_us = round(1e6 / stream.fps) if stream.fps > 0 else 33_333

    @property
    def path(self) -> Path:
        return self.place.folder / self.place.name.part

    @property
    def final(self) -> Path:
        return self.place.folder / self.place.name.final

    def open(self, software: str) -> None:
        """Make the file and its sidecar, both names durable, and write the opening boxes (not synced).

        FileExistsError when the name is taken, finished or not.
        """
        self._disk.mkdir(self.place.root)
        self._disk.mkdir(self.place.folder)
        if self._disk.exists(self.final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.final))
        self._fd = self._disk.create(self.path)
        self._made = True
        self._disk.hold(self._fd)  # so that another program does not take it for one that a power cut left
        self._note(state="open")
        name, clock = self.place.name, self._clock
        link = self.place.link
        body = record.head(self.stream, name.boot, name.seq, software, link, clock.anchor(), clock.machine_boot)
        self._write([fmp4.init_segment(self.stream)], body)

    def append(self, entries: Sequence[Entry], follower: Packet | None) -> None:
        """Write one fragment and its record (not synced).

        follower: the packet after these, which tells how long the last one lasts; None when it is not there.
        """
        packets = [entry.packet for entry in entries]
        start_us, durations = self._timeline(packets, follower)
        if packets[0].key:
            self._index.append(fmp4.IndexEntry(start_us, self.bytes))
        data = [packet.data for packet in packets]
        number = self.totals.fragments + 1
        head = fmp4.fragment_head(number, start_us, list(map(len, data)), durations, [p.key for p in packets])
        lost = total_lost(entries)
        self._write([head, *data], record.fragment(number, packets, lost, self._clock.anchor()))
        self.totals.add(packets, lost)

    def _timeline(self, packets: Sequence[Packet], follower: Packet | None) -> tuple[int, list[int]]:
        """Decode times from the sensor's: each rounded by itself, so nothing drifts; strictly rising, as MP4 wants.

        Where the sensor's stand still or go back these rise by 1 µs; the true ones are in the record.
        """
        if self._base_ns is None:
            self._base_ns = packets[0].t_ns
        starts = []
        for packet in packets:
            self._last_us = max(self._last_us + 1, (packet.t_ns - self._base_ns) // 1000)
            starts.append(self._last_us)
        durations = [after - before for before, after in itertools.pairwise(starts)]
        last = durations[-1] if durations else self._duration_us
        if follower is not None:
            last = max(1, (follower.t_ns - self._base_ns) // 1000 - self._last_us)
        self._duration_us = last
        return starts[0], [*durations, last]

    def _write(self, parts: list[bytes], body: Body) -> None:
        """The parts and the record that proves them, in one write."""
        assert self._fd is not None
        text = record.encode(body)
        digest = fmp4.digest(self._digest, parts, text)
        parts.append(fmp4.record_box(digest, text))
        self._disk.write(self._fd, parts)
        self._digest = digest
        self.bytes += sum(map(len, parts))

    def sync(self) -> None:
        """Return when everything written is on the medium."""
        assert self._fd is not None
        self._disk.datasync(self._fd)
        self.durable = Link(self.place.name.stem, self._digest)

    def end(self, reason: str) -> None:
        """End record, the device's signature of it, index, sync: all but the name is durable on return."""
        assert self._fd is not None
        self._anchor = self._clock.anchor()
        self._write([], record.end(reason, self.totals, self._anchor))
        signed = self._sign(self.place.name, self._digest, "close")
        if signed is not None:
            self._write([], {**signed, "anchor": record.anchor_body(self._anchor)})
        self._reason = reason
        index = fmp4.index(self._index)
        self._disk.write(self._fd, [index])
        self.bytes += len(index)
        self.sync()
        self.abandon()  # what close might say after this sync is of no interest

    def name(self) -> FinishedSegment:
        """Give it its final name after `end`, durable on return. May be called again after an OSError."""
        assert self.totals.first
        assert self.totals.last
        try:
            self._disk.rename(self.path, self.final)
        except FileNotFoundError:
            if not self._disk.exists(self.final):  # else a try before this one got so far
                raise
        beside = self._note(state="finished")  # syncs the directory: both names
        first, last = self.totals.first.t_ns, self.totals.last.t_ns
        return FinishedSegment(
            self.final,
            self.place.name,
            self.stream,
            self._reason,
            self.totals.frames,
            self.bytes,
            first,
            last,
            machine_boot=self._clock.machine_boot,
            lost=dict(self.totals.lost or {}),
            anchor=self._anchor,
            sidecar=beside,
        )

    def _note(self, state: Literal["open", "finished"]) -> Sidecar:
        """Say it in the sidecar; what was decided meanwhile stays in it."""
        place = self.place
        return sidecar.change(self._disk, place.folder, place.name, lambda beside: replace(beside, state=state))

    @property
    def gone(self) -> bool:
        """Somebody took the file out of its folder."""
        folder_is_there = self._disk.is_dir(self.place.folder)
        return folder_is_there and not self._disk.exists(self.path) and not self._disk.exists(self.final)

    def discard(self) -> None:
        """Abandon it and, when nothing of it is durable, take its names away: all that was in it is written again."""
        self.abandon()
        if self.durable is None and self._made:
            beside = self.place.folder / self.place.name.sidecar
            for path in (self.path, beside, temporary(beside)):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            self._disk.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:  # a full or broken disk has been reported; this is only tidiness
            log.debug("%s is left: %s", path, error)

    def abandon(self) -> None:
        """Let go of the descriptor without trusting it; the `.part` stays as it is."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with contextlib.suppress(OSError):  # the error that brought us here has been reported
                self._disk.close(fd)

    def is_due(self, packet: Packet, segment_ns: int) -> bool:
        """Whether this key frame may begin the next segment because this one is long enough."""
        first = self.totals.first
        return first is not None and packet.key and packet.t_ns - first.t_ns >= segment_ns
