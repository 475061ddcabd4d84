"""What the library knows of a segment and of a trip: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blackbox_qt.core import trust
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.packet import NO_LOSS
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import NOTHING, Dating, Sidecar


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment, as its head and last records and its sidecar tell; nothing is verified (`check` does that).

    Threads: immutable, any.
    """

    name: SegmentName
    folder: Path
    state: Literal["finished", "open"]
    bytes: int
    origin: str = ""  # camera | pattern | file; "" when the head cannot be read
    machine_boot: str = ""  # which start of the machine its boot times count from; "": not told
    first_t_ns: int | None = None  # boot clock
    last_t_ns: int | None = None
    frames: int = 0
    lost: Mapping[str, int] = field(default_factory=lambda: NO_LOSS)  # frames missing in it, by cause, as recorded
    end_reason: str = ""  # "" while it is open
    anchor: Anchor | None = None  # the best of those that were looked at
    sidecar: Sidecar = NOTHING
    trouble: str = ""  # why some of this is missing, in words

    @property
    def path(self) -> Path:
        return self.folder / (self.name.final if self.state == "finished" else self.name.part)

    @property
    def locked(self) -> bool:
        """Some mark covers it: it must be kept."""
        return bool(self.sidecar.locks)

    @property
    def duration_s(self) -> float:
        """From the first to the last picture, s."""
        if self.first_t_ns is None or self.last_t_ns is None:
            return 0.0
        return max(0, self.last_t_ns - self.first_t_ns) / NS

    @property
    def trip_key(self) -> str:
        """Equal for all segments of one trip: the machine's start, or in older files the library's."""
        return self.machine_boot or f"start-{self.name.boot}"

    @property
    def dating(self) -> Anchor | Dating | None:
        """The pair of clocks to believe: the file's or one that was learnt later; if nobody vouches, the file's."""
        known: list[Anchor | Dating] = [self.anchor] if self.anchor else []
        return trust.best([*known, *self.sidecar.dates]) or self.anchor

    @property
    def dated(self) -> bool:
        """Whether somebody vouches for its time."""
        best = self.dating
        return best is not None and trust.vouched(best)

    def utc_ns(self, t_ns: int) -> int | None:
        """A boot time as UTC, ns since 1970, by the best dating; None without one. See `dated` for what it is worth."""
        best = self.dating
        return trust.utc_at(best, t_ns) if best else None

    def covers(self, first_ns: int, last_ns: int) -> bool:
        """Whether some of it lies between two boot times (both included) of its own start of the machine."""
        if self.first_t_ns is None or self.last_t_ns is None:
            return False
        return self.first_t_ns <= last_ns and self.last_t_ns >= first_ns


@dataclass(frozen=True, slots=True)
class Trip:
    """All segments of one start of the machine, in the order of their times.

    Threads: immutable, any.
    """

    key: str
    segments: tuple[SegmentInfo, ...]

    @property
    def number(self) -> int:
        """What a person calls it: the first of the library's starts that are in it."""
        return min(segment.name.boot for segment in self.segments)

    @property
    def starts(self) -> frozenset[int]:
        """The library's starts in it: more than one when the program was started anew on the way."""
        return frozenset(segment.name.boot for segment in self.segments)

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(sorted({segment.name.camera for segment in self.segments}))

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)

    @property
    def duration_s(self) -> float:
        """From its first picture to its last one, gaps included, s."""
        firsts = [s.first_t_ns for s in self.segments if s.first_t_ns is not None]
        lasts = [s.last_t_ns for s in self.segments if s.last_t_ns is not None]
        return max(0, max(lasts) - min(firsts)) / NS if firsts and lasts else 0.0


def order(segment: SegmentInfo) -> tuple[int, int, str, int]:
    """As recorded: by the library's start, then time, then name."""
    name = segment.name
    return name.boot, segment.first_t_ns or 0, name.camera, name.seq
