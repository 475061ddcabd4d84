"""The card of the recordings: what stands in while it is missing, what comes home after, and taking it out safely."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import blackbox_qt
from blackbox_qt.app.archive import Archive
from blackbox_qt.app.camera import Camera
from blackbox_qt.app.fault_status import CardStatus
from blackbox_qt.config import Config
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.storage.card import Card
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.in_memory import is_in_memory
from blackbox_qt.storage.moving import Mover
from blackbox_qt.storage.ring import Kept, Ring, RingSettings
from blackbox_qt.storage.shelter import Shelter
from blackbox_qt.storage.unmounting import Unmounting

log = logging.getLogger(__name__)

RING = "emergency"
"""The folder in storage.state that holds the ring."""
MOVE_EVERY_S = 0.5
_BUDGET = 4_000_000  # bytes each time: 8 MB/s at the most, of a card that can do twenty
_CALM_S = 0.5  # nothing is moved while something recorded waits longer for the disk
_LET_GO_S = 8.0
_IDLE_S = 10.0
_TRIES = 3
_PART_OF_MEMORY = 8


class CardActionError(Exception):
    """The card cannot be removed, or used again; one sentence."""


class Emergency:
    """Where recordings go: the card, or the ring on the system's disk.

    `cameras()` are asked to let go of the card. What comes home is given to the archive that `serve` names.

    Threads: `look` the reporter's, `move` the keeper's, both may block on the card; everything else any, at once.
    """

    def __init__(
        self,
        config: Config,
        disk: Disk,
        clock: Clock,
        cameras: Callable[[], Iterable[Camera]],
        unmounting: Unmounting | None = None,
        sys: Path = Path("/sys"),
    ) -> None:
        wanted, data, state = config.emergency, config.storage.data.expanduser(), config.storage.state.expanduser()
        self.card = Card(disk, data, state, wanted.card, sys)
        self.ring = (
            Ring(disk, state / RING, _room(config, disk, state), self.card.last_start) if wanted.enabled else None
        )
        stop = wanted.when_removed == "stop"
        self.store = Shelter(disk, data, self.card, self.ring, stop_when_removed=stop)
        self._mover: Mover | None = None
        self._disk = disk
        self._clock = clock
        self._cameras = cameras
        self._archive: Archive | None = None
        self._unmounting = unmounting or Unmounting()
        self._rate = max(1, len(config.camera) * config.record.bitrate_kbit * 125)  # bytes/s
        self._doing = ""
        self._said = ""  # how the removal went
        self._lock = threading.Lock()
        self._looking = threading.Lock()  # one look at a time
        self._worker: Worker | None = None
        self._idle_until_ns = 0
        self._was_away = False

    def serve(self, archive: Archive) -> None:
        """Work for this archive, on its keeper's thread. Called once, before anything runs."""
        self._archive = archive
        if self.ring is not None:
            self._mover = Mover(self._disk, self.ring, self.card.data, self._heal, archive.take_in, archive.keeper.rest)
        archive.keeper.every(MOVE_EVERY_S, self.move, "moving to the card")

    # ---- looking, and bringing home

    def look(self) -> None:
        """Is it there? About once a second."""
        with self._looking:
            self.card.look()
        self._refuse_a_ring_on_the_card()
        if self.card.state == "fine":
            self._said = ""

    def _refuse_a_ring_on_the_card(self) -> None:
        """A ring on the same file system is none."""
        number = self.card.number
        if self.ring is None or number is None or self._disk.device(_existing(self.ring.folder)) != number:
            return
        log.info("there is no emergency recording: storage.state is on the same file system as storage.data")
        self.ring = self.store.ring = self._mover = None

    @property
    def usable(self) -> bool:
        """Whether anything may touch the data folder: it is no card's, or the card is there and well."""
        return self.card.fault is None

    def move(self) -> None:
        """Bring some of the ring home, if the card is there and the recording is not in need of the disk. OSError."""
        if not self.card.expected:
            return
        if not self.usable:
            if self._mover is not None:
                self._mover.give_up()
            self._was_away = True
            return
        now = self._clock.boot_ns()
        if self._was_away:
            self._was_away, self._idle_until_ns = False, now
            self._look_through_the_card()
        if self._mover and now >= self._idle_until_ns and self._is_calm() and not self._mover.step(_BUDGET):
            self._idle_until_ns = now + round(_IDLE_S * NS)

    def _look_through_the_card(self) -> None:
        """What is on it may never have been healed, or read, since the program's start."""
        if self._archive is not None:
            self._archive.begin_anew()

    def _is_calm(self) -> bool:
        return all(camera.recorder.unsynced_s < _CALM_S for camera in self._cameras())

    def _heal(self, kept: Kept) -> bool:
        assert self.ring is not None and self._archive is not None
        software = f"blackbox-qt {blackbox_qt.__version__}"
        rest = self._archive.keeper.rest
        healer = Healer(self._disk, self.ring.folder / kept.library, self._clock, software, rest, self._archive.sign)
        return healer.heal(kept.folder, kept.name, followed=True) is not None

    # ---- taking it out

    def remove(self) -> None:
        """Begin to let go of the card: finish its files, sync, unmount. CardActionError when there is none.

        Returns at once; the status says how it goes.
        """
        if not self.card.expected:
            raise CardActionError("There is no card to remove: recordings go to a folder of the system's disk.")
        if self.card.state != "fine":
            raise CardActionError(f"There is nothing to remove: {self.card.words}.")
        self._begin("removing", self._remove)

    def use(self) -> None:
        """The card stays in after all: record on it again. CardActionError when it was not removed."""
        if self.card.state != "removed":
            raise CardActionError("The card was not removed; it is used whenever it is there.")
        self._begin("looking for the card", self._use)

    def end(self, timeout: float) -> bool:
        """Wait for what is under way; False when that takes longer than `timeout` s."""
        if self._mover is not None:
            self._mover.give_up()
        worker = self._worker
        return worker is None or worker.join(timeout)

    def _begin(self, doing: str, run: Callable[[], None]) -> None:
        with self._lock:
            if self._doing:
                raise CardActionError(f"One thing at a time: {self._doing}.")
            self._doing = doing
        self._worker = Worker("card", lambda: self._carry_out(run))
        self._worker.start()

    def _carry_out(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # a thread's door: it is told, and another try is possible
            self._said = f"The card could not be let go of: {in_words(error)}"
            log.error("%s", self._said)
        finally:
            self._doing = ""

    def _remove(self) -> None:
        point, number = self.card.point, self.card.number
        assert point is not None and number is not None
        self.card.remove()
        for camera in self._cameras():
            camera.look_again()
        if not self._let_go():
            self.card.use()
            self._said = "The card is still being written to, so it is used as before; try again."
            log.error("%s", self._said)
            return
        self._disk.sync_all(point)
        refused = self._unmount(point, number)
        if not refused:
            self.card.use()  # whatever is mounted there from now on has been put in
        self._said = "Card removed: it can be pulled out now. " + (
            f"Everything is on it and it is no longer used, but it stays mounted ({refused})."
            if refused
            else "Everything is on it, and it is unmounted."
        )
        log.warning("%s", self._said)

    def _let_go(self) -> bool:
        """Wait until nothing on the card is open."""
        pause, until = threading.Event(), self._clock.boot_ns() + round(_LET_GO_S * NS)
        while any(self._is_on_card(camera) for camera in self._cameras()) or self._moves:
            if self._clock.boot_ns() > until:
                return False
            pause.wait(0.02)
        return True

    @property
    def _moves(self) -> bool:
        return self._mover is not None and self._mover.busy

    def _is_on_card(self, camera: Camera) -> bool:
        return any(self.ring is None or not self.ring.holds(place) for place in camera.recorder.places)

    def _unmount(self, point: Path, number: int) -> str:
        """Some tries: whoever else looks at recordings lets go of them soon."""
        words, pause = "", threading.Event()
        for _ in range(_TRIES):
            words = self._unmounting.unmount(point, number)
            if not words:
                return ""
            pause.wait(0.2)
        return words

    def _use(self) -> None:
        point = self.card.point
        words = "" if point is None else self._unmounting.mount(point)
        self.card.use()
        self._said = f"The card could not be mounted: {words.rstrip('.')}." if words else ""
        self.look()

    # ---- how it is

    def status(self) -> CardStatus:
        ring, mover = self.ring, self._mover
        return CardStatus(
            state=self.card.state,
            words=self._said or self.card.words or ("" if mover is None else mover.words),
            doing=self._doing,
            id=self.card.id,
            ring_bytes=0 if ring is None else ring.used,
            ring_limit=0 if ring is None else ring.settings.size,
            ring_s=0.0 if ring is None else round(ring.settings.size / self._rate, 1),
            moving_bytes=0 if mover is None else mover.left,
            moved=0 if mover is None else mover.count,
        )


def _room(config: Config, disk: Disk, state: Path) -> RingSettings:
    """What the configuration allows; in memory (a read-only system) an eighth of it, for others live there too."""
    wanted = config.emergency
    size, free = wanted.size_mb * 1_000_000, wanted.keep_free_mb * 1_000_000
    there = _existing(state.absolute())
    if is_in_memory(there):
        size = min(size, disk.space(there)[1] // _PART_OF_MEMORY)
        log.info("emergency recording is kept in memory, at most %d MB: storage.state is there", size // 1_000_000)
    return RingSettings(size, free, len(config.camera))


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
