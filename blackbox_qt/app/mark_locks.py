"""From a mark to the locks in the sidecars of the segments it covers; the same for a mark of before a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from blackbox_qt.core.clock import Clock
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.marks import Mark
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock

log = logging.getLogger(__name__)

_SOME = 500


class MarkLocks:
    """Puts a mark's lock on every finished segment that it covers, in all libraries, or takes it away.

    `cameras()` are those that record: what lies between their last finished segment and now is not written yet.
    `refusal_of(mark, segment)`: why the retention has no room for it. `elsewhere()`: footage lies where no library sees
    it yet. What was locked once in this process is not locked again: somebody may have taken it back since.

    Threads: one at a time; blocks on the disk.
    """

    def __init__(
        self,
        clock: Clock,
        libraries: Callable[[], Iterable[Library]],
        cameras: Callable[[], Collection[str]],
        refusal_of: Callable[[Mark, SegmentInfo], str] = lambda *_: "",
        elsewhere: Callable[[], bool] = lambda: False,
    ) -> None:
        self.refused = ""  # why something of a whole trip could not be kept, the last time
        self._clock = clock
        self._libraries = libraries
        self._cameras = cameras
        self._refusal_of = refusal_of
        self._elsewhere = elsewhere
        self._given: set[tuple[Path, SegmentName, Lock]] = set()
        self._look_at = _SOME  # so many of them are gone through for segments that were deleted

    def drive(self, mark: Mark) -> bool:
        """Do what can be done now for a mark that is not settled; True when nothing is left. Raises OSError."""
        libraries = list(self._libraries())
        if not libraries:  # the card is missing
            return False
        if mark.undone:
            self._take_away(mark, libraries)
            return all(library.loaded.is_set() for library in libraries)
        self._forget_deleted(libraries)
        segments = [(one, s) for one in libraries for s in one.segments(machine_boot=mark.machine_boot)]
        for library, segment in segments:
            if segment.state == "finished" and mark.covers(segment):
                self._give(mark, library, segment)
        return all(one.loaded.is_set() for one in libraries) and self._is_whole(mark, [s for _, s in segments])

    def _forget_deleted(self, libraries: Iterable[Library]) -> None:
        if len(self._given) < self._look_at:
            return
        by_root = {library.root: library for library in libraries}
        self._given = {key for key in self._given if key[0] not in by_root or by_root[key[0]].get(key[1]) is not None}
        self._look_at = 2 * len(self._given) + _SOME

    def _give(self, mark: Mark, library: Library, segment: SegmentInfo) -> None:
        key = library.root, segment.name, mark.lock
        if key in self._given:
            return
        if mark.lock not in segment.sidecar.locks:
            if words := self._refusal_of(mark, segment):
                self._refuse(words)
                return
            _changed(lambda: library.lock(segment.name, mark.lock))
            self.refused = "" if mark.whole_trip else self.refused
        self._given.add(key)

    def _refuse(self, words: str) -> None:
        if not self.refused:
            log.warning("the trip is not kept any further: %s", words)
        self.refused = words

    @staticmethod
    def _take_away(mark: Mark, libraries: Iterable[Library]) -> None:
        for library in libraries:
            for segment in library.segments(mark=mark.id):
                _changed(lambda one=library, s=segment: one.unlock(s.name, mark.id))  # type: ignore[misc]

    def _is_whole(self, mark: Mark, segments: Iterable[SegmentInfo]) -> bool:
        """Whether every picture of its time is in a finished segment: nothing can come that it covers."""
        if mark.is_running(self._clock.machine_boot, self._clock.boot_ns()) or self._elsewhere():
            return False
        if any(s.state == "open" and not _begins_after(s, mark) for s in segments):
            return False
        if mark.machine_boot != self._clock.machine_boot:
            return True
        past = {s.name.camera for s in segments if s.state == "finished" and _ends_after(s, mark)}
        return past >= set(self._cameras())


def _changed(change: Callable[[], object]) -> None:
    """A segment that was deleted meanwhile has nothing to keep."""
    try:
        change()
    except StorageError as error:
        log.info("%s", error)


def _begins_after(segment: SegmentInfo, mark: Mark) -> bool:
    return mark.until_ns is not None and segment.first_t_ns is not None and segment.first_t_ns > mark.until_ns


def _ends_after(segment: SegmentInfo, mark: Mark) -> bool:
    return mark.until_ns is not None and segment.last_t_ns is not None and segment.last_t_ns >= mark.until_ns
