"""The owner of every closed segment: finds them, locks, dates and removes them. The files are the truth."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.worker import in_words
from blackbox_qt.storage import sidecar
from blackbox_qt.storage.disk import Disk, StorageError, temporary
from blackbox_qt.storage.library_files import Files
from blackbox_qt.storage.library_info import SegmentInfo, Trip
from blackbox_qt.storage.library_known import Known
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Lock, Note, Sidecar

__all__ = ["Change", "Library", "SegmentInfo", "Trip"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a segment: the Writer finished it, its sidecar changed, or it was removed.

    Threads: immutable, any.
    """

    what: Literal["added", "changed", "removed"]
    segment: SegmentInfo


Journaled = Callable[[SegmentInfo, str, str, Callable[[], None]], None]


def _as_it_is(_: SegmentName, date: Dating) -> Dating:
    """Nobody signs here."""
    return date


def _never() -> bool:
    return False


class Library(Known):
    """The segments below one folder: `recordings` or `demo`.

    Questions are answered from memory and never wait for the disk or for a load. `load` looks at the files; until then
    only what was added is known (`loaded`). `listeners` are called with a Change, after it, on the thread that made it
    (the Writer's among them): they must not block. `journal(segment, why, who, delete)` calls `delete` and tells of it.
    `sign_date` gives a new date the device's signature.

    Threads: any; `load`, and whatever changes a sidecar or a file, may block on the disk and raises OSError.
    """

    def __init__(self, disk: Disk, root: Path, clock: Clock, journal: Journaled | None = None) -> None:
        super().__init__()
        self.disk = disk
        self.root = root
        self.clock = clock
        self.journal = journal
        self.sign_date: Callable[[SegmentName, Dating], Dating] = _as_it_is
        self.loaded = threading.Event()
        self.listeners: list[Callable[[Change], None]] = []
        self._files = Files(disk, root)
        self._sorted: tuple[SegmentInfo, ...] | None = None

    def add(self, finished: FinishedSegment) -> None:
        """Take a segment that the Writer has finished. Never touches the disk."""
        self._files.forget(finished.name)
        self._tell(Change("added", self._add(_info(finished))))

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
        self._files.forget(name)
        if (known := self._learn(name, beside)) is not None:
            self._tell(Change("changed", known))
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
        def delete() -> None:
            beside = segment.folder / segment.name.sidecar
            for path in (segment.path, beside, temporary(beside)):
                if self.disk.exists(path):
                    self.disk.unlink(path)
            if self.disk.is_dir(segment.folder):
                self.disk.sync_dir(segment.folder)  # what is told to be gone does not come back

        if self.journal is None:
            delete()
        else:
            self.journal(segment, why, who, delete)
        self._files.forget(segment.name)
        self._drop(segment.name)

    def load(self, rest: Callable[[], None] = lambda: None, stop: Callable[[], bool] = _never) -> None:
        """Look at the files; nobody is told of what is found. What is known grows folder by folder, the newest first.

        `rest` is called between two looks, so that whoever records goes first. Segments that are not there any more
        are forgotten at the end.
        """
        self._begin()
        found: set[SegmentName] = set()
        for some in self._files.look(rest, stop):
            self._put(some)
            found.update(segment.name for segment in some)
        if stop():
            return
        self._end(found)
        self.loaded.set()

    def settle(self, ours: Collection[int]) -> None:
        """Say in the sidecars of finished segments that they are: a cut may have come between name and sidecar.

        ours: the starts whose segments a Writer names at this moment.
        """
        for one in self._all():
            unsettled = one.state == "finished" and one.sidecar.state == "open" and one.name.boot not in ours
            if unsettled and self.disk.exists(one.folder / one.name.sidecar):  # files that came without need none
                ended = one.end_reason if one.end_reason in HEALED_WORDS else ""
                self.change(one.name, partial(_finished, ended=ended))

    def look(self, folder: Path, name: SegmentName) -> None:
        """Look at one segment that came, changed or went behind the library's back. OSError from the disk."""
        self._files.forget(name)
        found = self._files.one(folder, name)
        if found is not None:
            self._tell(Change("added", self._add(found)))
        elif (gone := self.get(name)) is not None and gone.folder == folder:
            self._drop(name)
            self._tell(Change("removed", gone))

    def save(self, at_least: int = 1) -> None:
        """Write down what is known, for the next start, if so many segments have come or changed since."""
        if self.loaded.is_set() and self._files.unsaved >= at_least:
            self._files.save(self._all())

    def _tell(self, change: Change) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(change)
            except Exception as error:  # a listener's door: on the Writer's thread nothing of theirs may stop recording
                log.error("%s: %s was not taken note of: %s", change.segment.name.stem, change.what, in_words(error))


def _finished(beside: Sidecar, ended: str) -> Sidecar:
    return replace(beside, state="finished", ended=ended)


def _info(finished: FinishedSegment) -> SegmentInfo:
    """What the Writer tells is what the files say."""
    return SegmentInfo(
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
