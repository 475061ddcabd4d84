"""When each picture of a segment was taken, as its records prove, and how that is written on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.local_time import UNKNOWN, local_words
from blackbox_qt.storage import record_read
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import SegmentInfo
from blackbox_qt.storage.verify import FileBytes
from blackbox_qt.storage.walk import Walk

ALTERED = "NOT AS RECORDED"


def proven(disk: Disk, path: Path) -> dict[int, int]:
    """Sensor times (boot clock, ns) by decode time (µs), of the pictures whose hashes are right. OSError."""
    found: dict[int, int] = {}
    with FileBytes(disk, path) as source:
        for piece in Walk(source):
            if piece.words or piece.kind != "fragment" or piece.body is None or piece.moof is None:
                continue
            try:
                times = record_read.fragment(piece.body).times_ns
            except ValueError:
                continue  # its pictures stay unproven
            starts = accumulate(piece.moof.durations_us, initial=piece.moof.start_us)
            found.update(zip(starts, times, strict=False))
    return found


@dataclass(frozen=True, slots=True)
class Dial:
    """Says a segment's boot times as people read them.

    Threads: immutable, any.
    """

    segment: SegmentInfo
    zone: str = ""

    def words(self, t_ns: int | None) -> str:
        """`2026-11-20 14:07:31 KST · phone ±1 s`, or what is known instead."""
        if t_ns is None:
            return ALTERED
        best = self.segment.dating
        if best is None or not trust.vouched(best):
            return f"{UNKNOWN} · {t_ns / 1e9:.1f} s after start"
        return local_words(trust.utc_at(best, t_ns), self.zone, best.source, trust.uncertainty_at(best, t_ns))

    def utc_ns(self, t_ns: int) -> int | None:
        """None when nobody vouches for the time."""
        return self.segment.utc_ns(t_ns) if self.segment.dated else None
