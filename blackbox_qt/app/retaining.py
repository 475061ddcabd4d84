"""What is kept and what goes: the janitor and its journal on the keeper's thread, and erasing when a person asks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from blackbox_qt.app.archive import Archive
from blackbox_qt.app.camera import Camera
from blackbox_qt.app.emergency import Emergency
from blackbox_qt.app.mark_room import MarkRoom
from blackbox_qt.app.mark_store import MarkStore
from blackbox_qt.app.status import RetentionStatus
from blackbox_qt.config import Config
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import in_words
from blackbox_qt.storage import sidecar
from blackbox_qt.storage.deletions import Deletions
from blackbox_qt.storage.disk import Disk, StorageError
from blackbox_qt.storage.erasing import EraseError, Eraser, Wish, erase_stills
from blackbox_qt.storage.janitor import EVERY_S, Janitor
from blackbox_qt.storage.marks import Mark
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.times import TimesFile

log = logging.getLogger(__name__)

COMPLETE_S = 600.0
ERASE_S = 0.5
_CUT_NS = 5 * NS  # so long it is waited for the files that are open to be finished
_ANSWER_S = 4.0


@dataclass(slots=True)
class Erasing:
    """What somebody asked to be erased; `done` gets the words, or an EraseError.

    Threads: `answered` on a loop; the rest the keeper's.
    """

    wish: Wish
    libraries: tuple[str, ...]
    done: Future[str] = field(default_factory=Future)
    open: frozenset[tuple[str, SegmentName]] = frozenset()  # what was open when it was cut
    until_ns: int | None = None

    async def answered(self, limit_s: float = _ANSWER_S) -> str:
        """Wait for it, but not long. Raises EraseError."""
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self.done)), limit_s)
        except TimeoutError:
            return "Erasing has begun; it takes a while."


class StoredMarks:
    """The marks as an erase sees them.

    Threads: as a MarkStore.
    """

    def __init__(self, store: MarkStore) -> None:
        self._store = store

    def count(self, boots: Collection[str] | None) -> int:
        return sum(not mark.undone and _is_of(mark, boots) for mark in self._store.marks.values())

    def forget(self, boots: Collection[str] | None) -> None:
        self._store.forget(lambda mark: _is_of(mark, boots))


def _is_of(mark: Mark, boots: Collection[str] | None) -> bool:
    return boots is None or mark.machine_boot in boots


class Retaining:
    """Keeps the card from filling, and erases.

    `room`: what marks ask before they promise anything.

    Threads: `room`, `erase`, `status` any, they never wait; the steps are the keeper's.
    """

    def __init__(
        self,
        config: Config,
        disk: Disk,
        clock: Clock,
        archive: Archive,
        emergency: Emergency,
        cameras: Callable[[], Mapping[str, Camera]],
    ) -> None:
        self._disk, self._clock, self._archive, self._emergency = disk, clock, archive, emergency
        self._cameras = cameras
        self._data = config.storage.data.expanduser()
        self._deletions = {name: Deletions(library) for name, library in archive.libraries.items()}
        self._erasers: dict[str, Eraser] = {}
        self._lock = threading.Lock()
        self._asked: deque[Erasing] = deque()
        keeper = archive.keeper
        self.janitor = Janitor(
            disk, self._data, lambda: archive.libraries, config.retention, clock, lambda: cameras().keys(),
            config.record.bitrate_kbit * 125.0, self._is_present, keeper.rest, lambda: keeper.stopping,
        )  # fmt: skip
        self.janitor.wake = keeper.wake
        emergency.store.when_full = self.janitor.full
        segment_s = config.storage.segment_s
        known = archive.libraries.values
        self.room = MarkRoom(clock, known, self.janitor.rates, self.janitor.may_lock, segment_s)

    def serve(self, marks: MarkStore) -> None:
        """Begin to work on the keeper's thread, after everything else it has been given. Called once."""
        keeper = self._archive.keeper
        for name, deletions in self._deletions.items():
            in_use = partial(self._in_use, name)
            self._erasers[name] = Eraser(deletions, in_use, StoredMarks(marks), keeper.rest)
        keeper.every(COMPLETE_S, self._complete, "the journal of deletions")
        keeper.every(ERASE_S, self._erase, "erasing")
        keeper.every(EVERY_S, self.janitor.step, "making room")

    def status(self) -> RetentionStatus:
        now = self.janitor.status
        return RetentionStatus(
            kept_h={camera: round(seconds / 3600, 3) for camera, seconds in now.kept_s.items()},
            oldest_utc_ns=now.oldest_utc_ns,
            locked_bytes=now.locked_bytes,
            lockable_bytes=now.lockable_bytes,
            deleted=now.deleted,
            erasing=bool(self._asked),
            stuck=now.stuck,
            words=now.words,
        )

    def _is_present(self) -> bool:
        """Whether the card is there, at this moment."""
        try:
            self._emergency.card.check()
        except OSError:
            return False
        return True

    def _in_use(self, library: str) -> Collection[SegmentName]:
        root = self._archive.libraries[library].root
        places = (place for camera in self._cameras().values() for place in camera.recorder.places)
        return [place.name for place in places if place.root == root]

    def _complete(self) -> None:
        """What a crash interrupted, and the journal's next file while there is room for it. OSError."""
        for name, library in self._archive.libraries.items():
            if library.loaded.is_set() and self._is_present():
                self._deletions[name].complete()
                self._erasers[name].complete()

    # ---- erasing

    def erase(self, wish: Wish, *, demo: bool = False) -> Erasing:
        """Ask for it. EraseError, one sentence, when it cannot be, or not without being asked once more."""
        names = tuple(self._erasers) if wish.trip is None else ("demo",) if demo else ("recordings",)
        if not self._is_present():
            raise EraseError("The card is not there: nothing can be erased from it.")
        if not all(self._archive.libraries[name].loaded.is_set() for name in names):
            raise EraseError("What there is has not been looked through yet; try again in a minute.")
        for name in names:
            self._erasers[name].check(wish)
        asked = Erasing(wish, names)
        asked.done.set_running_or_notify_cancel()
        with self._lock:
            self._asked.append(asked)
        self._archive.keeper.wake()
        return asked

    def _erase(self) -> None:
        """The next step of the first that was asked for: cut, wait, erase."""
        if not self._asked:
            return
        asked = self._asked[0]
        if asked.until_ns is None:
            self._cut(asked)
        still = asked.open & self._open(asked.libraries)
        assert asked.until_ns is not None
        if still and self._clock.boot_ns() < asked.until_ns:
            return
        try:
            asked.done.set_result(self._carried_out(asked))
        except (EraseError, StorageError) as error:
            asked.done.set_exception(EraseError(str(error)))
        except OSError as error:
            asked.done.set_exception(EraseError(f"Not all could be erased, it is tried again: {in_words(error)}"))
            raise
        finally:
            self._asked.popleft()

    def _cut(self, asked: Erasing) -> None:
        """What is being written ends here, and what is recorded from now on stays."""
        found = self._open(asked.libraries)
        asked.open = frozenset((name, one) for name, one in found if self._concerns(asked.wish, name, one))
        asked.until_ns = self._clock.boot_ns() + _CUT_NS
        for camera in self._cameras().values() if asked.open else ():
            camera.cut()

    def _concerns(self, wish: Wish, library: str, name: SegmentName) -> bool:
        if wish.trip is None:
            return True
        trips = self._archive.libraries[library].trips()
        return any(wish.trip in trip.starts and name.boot in trip.starts for trip in trips) or wish.trip == name.boot

    def _open(self, libraries: Collection[str]) -> frozenset[tuple[str, SegmentName]]:
        return frozenset((name, one) for name in libraries for one in self._in_use(name))

    def _carried_out(self, asked: Erasing) -> str:
        wish = asked.wish
        gone = sum(self._erasers[name].erase(wish) for name in asked.libraries)
        gone += self._from_the_ring(asked)
        if wish.trip is None:
            TimesFile(self._disk, self._data).forget()
            erase_stills(self._disk, self._data)
        words = f"Erased: {gone} segments" if gone != 1 else "Erased: 1 segment"
        log.warning("%s (%s, by %s)", words, wish.what, wish.who)
        return f"{words}."

    def _from_the_ring(self, asked: Erasing) -> int:
        """What waits on the system's disk to be brought to the card."""
        ring, wish, gone = self._emergency.ring, asked.wish, 0
        for kept in ring.segments() if ring is not None and self._disk.is_dir(ring.folder) else ():
            wanted = kept.library in asked.libraries and wish.trip in (None, kept.name.boot)
            locked = sidecar.read(self._disk, kept.folder, kept.name).locked
            if ring is not None and wanted and (wish.marked_too or not locked):
                ring.drop(kept)
                gone += 1
        return gone
