"""The owner of every closed segment: finds them, locks, dates and removes them. The files are the truth."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.worker import in_words
from blackbox_qt.storage import library_scan, sidecar
from blackbox_qt.storage.disk import Disk, StorageError, temporary
from blackbox_qt.storage.library_info import SegmentInfo, Trip, order
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Note, Sidecar

__all__ = ["Change", "Library", "SegmentInfo", "Trip"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a segment: it came (also with a load), its sidecar changed, or it was removed.

    Threads: immutable, any.
    """

    what: Literal["added", "changed", "removed"]
    segment: SegmentInfo


def _as_it_is(_: SegmentName, date: Dating) -> Dating:
    """Nobody signs here."""
    return date


def _never() -> bool:
    return False


class Library:
    """The segments below one folder: `recordings` or `demo`.

    Questions are answered from memory and never wait for the disk or for a load. `load` looks at the files; until then
    only what was added is known (`loaded`). `listeners` are called with a Change, after it, on the thread that made it
    (the Writer's among them): they must not block. `journal(segment, why, who)` is called before a segment is removed.
    `sign_date` gives a new date the device's signature.

    Threads: any; `load`, and whatever changes a sidecar or a file, may block on the disk and raises OSError.
    """

    def __init__(
        self, disk: Disk, root: Path, clock: Clock, journal: Callable[[SegmentInfo, str, str], None] | None = None
    ) -> None:
        self.disk = disk
        self.root = root
        self.clock = clock
        self.journal = journal
        self.sign_date: Callable[[SegmentName, Dating], Dating] = _as_it_is
        self.loaded = threading.Event()
        self.listeners: list[Callable[[Change], None]] = []
        self._lock = threading.Lock()  # for moments only: never held while the disk is asked, nor while calling out
        self._known: dict[SegmentName, SegmentInfo] = {}
        self._beside: dict[SegmentName, Sidecar] = {}  # the latest known of segments that are not
        self._removed: set[SegmentName] = set()  # during a load
        self._sorted: tuple[SegmentInfo, ...] | None = None

    # questions

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
        return tuple(one for one in found if all(test(one) for test in tests))

    def get(self, name: SegmentName) -> SegmentInfo | None:
        with self._lock:
            return self._known.get(name)

    def newest(self, camera: str) -> SegmentInfo | None:
        """The last segment of a camera."""
        return next((one for one in reversed(self._all()) if one.name.camera == camera), None)

    def trips(self) -> tuple[Trip, ...]:
        """All trips, the oldest first."""
        groups: dict[str, list[SegmentInfo]] = {}
        for segment in self._all():
            groups.setdefault(segment.trip_key, []).append(segment)
        return tuple(Trip(key, tuple(segments)) for key, segments in groups.items())

    def _all(self) -> tuple[SegmentInfo, ...]:
        with self._lock:
            if self._sorted is None:
                self._sorted = tuple(sorted(self._known.values(), key=order))
            return self._sorted

    # changes

    def add(self, finished: FinishedSegment) -> None:
        """Take a segment that the Writer has finished. Never touches the disk."""
        self._put(
            SegmentInfo(
                name=finished.name,
                folder=finished.path.parent,
                state="finished",
                bytes=finished.bytes,
                origin=finished.stream.origin,
                machine_boot=finished.machine_boot,
                first_t_ns=finished.first_t_ns,
                last_t_ns=finished.last_t_ns,
                frames=finished.frames,
                lost=finished.lost,
                end_reason=finished.reason,
                anchor=finished.anchor,
                sidecar=finished.sidecar,
            )
        )

    def lock(self, name: SegmentName, lock: Lock) -> Sidecar:
        """Keep a segment, finished or still being written, for a mark; durable on return. StorageError: not there."""
        return self.change(name, lambda beside: beside.with_lock(lock))

    def unlock(self, name: SegmentName, mark: str) -> Sidecar:
        """A mark lets go of a segment; locks of others stay."""
        return self.change(name, lambda beside: beside.without_lock(mark))

    def note(self, name: SegmentName, note: Note) -> Sidecar:
        return self.change(name, lambda beside: beside.with_note(note))

    def date(self, name: SegmentName, date: Dating) -> Sidecar:
        return self.change(name, lambda beside: beside.with_date(date))

    def change(self, name: SegmentName, f: sidecar.Change) -> Sidecar:
        """Change a segment's sidecar; durable on return. StorageError when there is no such segment."""
        known = self.get(name)
        folder = known.folder if known else self.root / f"{name.boot:06d}"
        with sidecar.turn(folder, name):
            if not (self.disk.exists(folder / name.final) or self.disk.exists(folder / name.part)):
                raise StorageError(f"There is no segment {name.stem} in {self.root}.")
            beside = sidecar.change(self.disk, folder, name, lambda old: self._vouched(name, old, f(old)))
        self._take(name, beside)
        return beside

    def _vouched(self, name: SegmentName, old: Sidecar, new: Sidecar) -> Sidecar:
        """Dates that are new get this device's signature; one that stood there without does not get it later."""
        return replace(new, dates=tuple(one if one in old.dates else self.sign_date(name, one) for one in new.dates))

    def remove(self, name: SegmentName, why: str, who: str, *, locked_too: bool = False) -> int:
        """Delete a finished segment and its sidecar; returns its bytes. The journal is written first.

        StorageError when it is unknown, still being written, or locked at this moment (unless `locked_too`).
        """
        segment = self.get(name)
        if segment is None or segment.state != "finished":
            raise StorageError(f"{name.stem} cannot be removed: there is no such finished segment in {self.root}.")
        with sidecar.turn(segment.folder, name):  # no mark comes between the look and the removal
            if not locked_too and sidecar.read(self.disk, segment.folder, name).locks:
                raise StorageError(f"{name.stem} cannot be removed: it is kept for a mark.")
            self._remove(segment, why, who)
        self._tell(Change("removed", segment))
        return segment.bytes

    def _remove(self, segment: SegmentInfo, why: str, who: str) -> None:
        name = segment.name
        if self.journal is not None:
            self.journal(segment, why, who)
        beside = segment.folder / name.sidecar
        for path in (segment.path, beside, temporary(beside)):
            if self.disk.exists(path):
                self.disk.unlink(path)
        with self._lock:
            self._removed.add(name)
            self._known.pop(name, None)
            self._sorted = None

    def load(self, rest: Callable[[], None] = lambda: None, stop: Callable[[], bool] = _never) -> None:
        """Look at the files. `rest` is called between two looks, so that whoever records goes first."""
        with self._lock:
            self._removed.clear()
        for folder in library_scan.folders(self.disk, self.root) if self.disk.is_dir(self.root) else ():
            for name, found in library_scan.segments_in(self.disk.look(folder)):
                if stop():
                    return
                self._put(library_scan.look(self.disk, folder, name, found))
                rest()
        self.loaded.set()

    def _put(self, segment: SegmentInfo) -> None:
        """A segment that was looked at, with the latest sidecar that is known of it."""
        name = segment.name
        with self._lock:
            old = self._known.get(name)
            if name in self._removed or (old and old.state == "finished" and segment.state == "open"):
                return
            latest = max(segment.sidecar, self._beside.pop(name, segment.sidecar), key=_revision)
            latest = max(latest, old.sidecar, key=_revision) if old else latest
            segment = replace(segment, sidecar=latest)
            self._known[name] = segment
            self._sorted = None
        self._tell(Change("changed" if old else "added", segment))

    def _take(self, name: SegmentName, beside: Sidecar) -> None:
        """A sidecar was changed."""
        with self._lock:
            old = self._known.get(name)
            if old is None:
                self._beside[name] = max(beside, self._beside.get(name, beside), key=_revision)
                return
            new = self._known[name] = replace(old, sidecar=max(beside, old.sidecar, key=_revision))
            self._sorted = None
        self._tell(Change("changed", new))

    def _tell(self, change: Change) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(change)
            except Exception as error:  # a listener's door: on the Writer's thread nothing of theirs may stop recording
                log.error("%s: %s was not taken note of: %s", change.segment.name.stem, change.what, in_words(error))


def _revision(beside: Sidecar) -> int:
    return beside.revision


def _between(segment: SegmentInfo, since: int | None, until: int | None) -> bool:
    if segment.first_t_ns is None or segment.last_t_ns is None:
        return False
    first, last = segment.utc_ns(segment.first_t_ns), segment.utc_ns(segment.last_t_ns)
    if first is None or last is None:
        return False
    return (until is None or first <= until) and (since is None or last >= since)
