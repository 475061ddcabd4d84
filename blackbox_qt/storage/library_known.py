"""What a library knows: questions are answered from memory, whatever the disk does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from blackbox_qt.storage.library_info import SegmentInfo, Trip, order
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Sidecar


class Known:
    """The side of a Library that never touches the disk.

    Threads: any; nothing here blocks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # for moments only: never held while the disk is asked, nor while calling out
        self._known: dict[SegmentName, SegmentInfo] = {}
        self._beside: dict[SegmentName, Sidecar] = {}  # the latest known of segments that are not
        self._loading = False
        self._came: set[SegmentName] = set()  # during a load
        self._removed: set[SegmentName] = set()  # the same
        self._sorted: tuple[SegmentInfo, ...] | None = None
        self._changes = 0  # counts up

    def segments(
        self,
        *,
        camera: str | None = None,
        since_utc_ns: int | None = None,
        until_utc_ns: int | None = None,
        trip: int | None = None,
        mark: str | None = None,
        machine_boot: str | None = None,
        from_t_ns: int | None = None,
        to_t_ns: int | None = None,
        open_too: bool = True,
    ) -> tuple[SegmentInfo, ...]:
        """The segments all of these apply to, as recorded (the library's start, then time).

        since/until: UTC, some of it in between, both included; one that has no UTC at all is left out. trip: any of the
        library's starts in it. from/to: boot clock of `machine_boot`.
        """
        found: Iterable[SegmentInfo] = self._all()
        if trip is not None:
            found = next((one.segments for one in self.trips() if trip in one.starts), ())
        tests: list[Callable[[SegmentInfo], bool]] = []
        if camera is not None:
            tests.append(lambda s: s.name.camera == camera)
        if mark is not None:
            tests.append(lambda s: any(lock.mark == mark for lock in s.sidecar.locks))
        if machine_boot is not None:
            tests.append(lambda s: s.machine_boot == machine_boot)
        if from_t_ns is not None or to_t_ns is not None:
            tests.append(lambda s: s.covers(from_t_ns or 0, 1 << 63 if to_t_ns is None else to_t_ns))
        if since_utc_ns is not None or until_utc_ns is not None:
            tests.append(lambda s: _between(s, since_utc_ns, until_utc_ns))
        if not open_too:
            tests.append(lambda s: s.state == "finished")
        if not tests:
            return tuple(found)  # the same tuple as long as nothing has changed
        return tuple(one for one in found if all(test(one) for test in tests))

    def get(self, name: SegmentName) -> SegmentInfo | None:
        with self._lock:
            return self._known.get(name)

    def newest(self, camera: str) -> SegmentInfo | None:
        """The last segment of a camera."""
        with self._lock:
            known = self._sorted if self._sorted is not None else tuple(self._known.values())
        return max((one for one in known if one.name.camera == camera), key=order, default=None)

    def trips(self) -> tuple[Trip, ...]:
        """All trips, the oldest first."""
        groups: dict[str, list[SegmentInfo]] = {}
        for segment in self._all():
            groups.setdefault(segment.trip_key, []).append(segment)
        return tuple(Trip(key, tuple(segments)) for key, segments in groups.items())

    def _all(self) -> tuple[SegmentInfo, ...]:
        """In order. Sorted outside the lock: the Writer must not wait for ten thousand segments to be compared."""
        with self._lock:
            if self._sorted is not None:
                return self._sorted
            known, changes = list(self._known.values()), self._changes
        ordered = tuple(sorted(known, key=order))
        with self._lock:
            if changes == self._changes:
                self._sorted = ordered
        return ordered

    def _changed(self) -> None:
        """Something known is another one now; the lock is held."""
        self._changes += 1
        self._sorted = None

    # what was learnt

    def _begin(self) -> None:
        """A load begins."""
        with self._lock:
            self._loading = True
            self._came.clear()
            self._removed.clear()

    def _end(self, found: set[SegmentName]) -> None:
        """A load is over: what it has not found, and what has not come meanwhile, is gone."""
        with self._lock:
            names = list(self._known)
        gone = [name for name in names if name not in found]
        with self._lock:
            for name in gone:
                if name not in self._came:
                    self._known.pop(name, None)
            self._loading = False
            self._came.clear()
            self._removed.clear()
            self._changed()

    def _add(self, segment: SegmentInfo) -> SegmentInfo:
        """A segment that has come, also while a load is under way; returns what is known of it now."""
        with self._lock:
            if self._loading:
                self._came.add(segment.name)
                self._removed.discard(segment.name)
        self._put([segment])
        return self.get(segment.name) or segment

    def _drop(self, name: SegmentName) -> None:
        """A segment is gone, also for a load that is under way."""
        with self._lock:
            if self._loading:
                self._removed.add(name)
            self._known.pop(name, None)
            self._changed()

    def _put(self, segments: Iterable[SegmentInfo]) -> None:
        """Segments that were looked at, each with the latest sidecar that is known of it."""
        with self._lock:
            for segment in segments:
                name = segment.name
                old = self._known.get(name)
                if old is not None or self._removed or self._beside:
                    found = self._merged(segment, old)
                    if found is None:
                        continue
                    segment = found
                self._known[name] = segment
            self._changed()

    def _merged(self, segment: SegmentInfo, old: SegmentInfo | None) -> SegmentInfo | None:
        """What is to be known of a segment that was looked at; None: what is known already, or nothing."""
        name = segment.name
        if name in self._removed or (old and old.state == "finished" and segment.state == "open"):
            return None
        latest = max(segment.sidecar, self._beside.pop(name, segment.sidecar), key=_revision)
        latest = max(latest, old.sidecar, key=_revision) if old else latest
        return segment if latest is segment.sidecar else replace(segment, sidecar=latest)

    def _learn(self, name: SegmentName, beside: Sidecar) -> SegmentInfo | None:
        """A sidecar was changed; None when its segment is not known yet."""
        with self._lock:
            old = self._known.get(name)
            if old is None:
                self._beside[name] = max(beside, self._beside.get(name, beside), key=_revision)
                return None
            new = self._known[name] = replace(old, sidecar=max(beside, old.sidecar, key=_revision))
            self._changed()
            return new


def _revision(beside: Sidecar) -> int:
    return beside.revision


def _between(segment: SegmentInfo, since: int | None, until: int | None) -> bool:
    if segment.first_t_ns is None or segment.last_t_ns is None:
        return False
    first, last = segment.utc_ns(segment.first_t_ns), segment.utc_ns(segment.last_t_ns)
    if first is None or last is None:
        return False
    return (until is None or first <= until) and (since is None or last >= since)
