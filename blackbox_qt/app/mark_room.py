"""How much room a mark would keep, with what of it is still to be recorded; and whether the retention lets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.marks import Kind, Mark
from blackbox_qt.storage.retention import Verdict

MayLock = Callable[[int, Kind], Verdict]


class MarkRoom:
    """Asks before something is promised. `rates()`: bytes a second of each camera that records.

    Threads: any; never waits for the disk.
    """

    def __init__(
        self,
        clock: Clock,
        libraries: Callable[[], Iterable[Library]],
        rates: Callable[[], Mapping[str, float]],
        may_lock: MayLock,
        segment_s: float,
    ) -> None:
        self._clock = clock
        self._libraries = libraries
        self._rates = rates
        self._may_lock = may_lock
        self._segment_s = segment_s
        self._began_ns = clock.boot_ns()  # what was recorded before is in finished segments

    def refusal(self, mark: Mark) -> str:
        """Why this mark cannot be kept, in words; "" when it can."""
        return self._words(self.bytes_more(mark), mark.kind)

    def refusal_of(self, mark: Mark, segment: SegmentInfo) -> str:
        """The same for one segment more of a trip that is kept: how long that will be nobody knew at the start."""
        promised = not mark.whole_trip or segment.locked or (segment.first_t_ns or 0) <= mark.asked_ns
        return "" if promised else self._words(segment.bytes, mark.kind)

    def bytes_more(self, mark: Mark) -> int:
        """What no lock keeps yet: finished segments, and what of its time is not in one."""
        segments = [s for library in self._libraries() for s in library.segments(machine_boot=mark.machine_boot)]
        there = sum(s.bytes for s in segments if s.state == "finished" and not s.locked and mark.covers(s))
        return there + round(sum(rate * self._left_s(mark, segments, name) for name, rate in self._rates().items()))

    def _left_s(self, mark: Mark, segments: Iterable[SegmentInfo], camera: str) -> float:
        """Of a camera, from its last finished segment to the end of the mark's time, and of the segment that has it."""
        until = self._clock.boot_ns() if mark.until_ns is None else mark.until_ns
        ends = [s.last_t_ns for s in segments if s.name.camera == camera and s.state == "finished" and s.last_t_ns]
        left_ns = until - max([mark.from_ns, self._began_ns, *ends])
        return left_ns / NS + self._segment_s if left_ns > 0 else 0.0

    def _words(self, count: int, kind: Kind) -> str:
        verdict = self._may_lock(count, kind) if count else Verdict(True, "")
        return "" if verdict.allowed else verdict.words
