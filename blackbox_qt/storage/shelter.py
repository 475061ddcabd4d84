"""A store whose card may be missing: then names come from the ring on the system's disk, until the card is back."""

from __future__ import annotations

from pathlib import Path

from blackbox_qt.storage.card import Card
from blackbox_qt.storage.disk import CardError, Disk, StorageError, words_for
from blackbox_qt.storage.record import Link
from blackbox_qt.storage.ring import Ring
from blackbox_qt.storage.segment import Place, Store


class Shelter(Store):
    """The libraries on the card and, while it is missing, broken or removed, those in the ring.

    What is recorded on a card after the ring was used is a start of its own, numbered above the ring's. Without a ring
    recording stops with words until the card is back. `stop_when_removed`: also after the user's removal.

    Threads: any; `check_writable` and `place` may block on the disk.
    """

    def __init__(
        self, disk: Disk, data: Path, card: Card, ring: Ring | None, *, stop_when_removed: bool = False
    ) -> None:
        super().__init__(disk, data)
        self.card = card
        self.ring = ring
        self._stop_when_removed = stop_when_removed
        card.changed = self._begin_anew

    def check_writable(self) -> None:
        """StorageError when neither the card nor the ring can be written. The ring is used if only the card cannot.

        A place that never was a card's of ours is no card that is missing: most likely it is a slip of the pen.
        """
        self.card.enter()
        if self.card.fault is not None and not self.card.known:
            raise StorageError(f"Cannot record to the data folder {self.data}: {_lower(self.card.words)}.")
        if self.card.fault is None:
            try:
                super().check_writable()
                return
            except StorageError as error:
                cause = error.__cause__
                if not (self.card.expected and isinstance(cause, OSError) and self.card.failed(cause, at_once=True)):
                    raise
        ring = self._refuge()
        if ring is None:
            raise StorageError(f"Cannot record to the data folder {self.data}: {_lower(self.card.words)}.")
        ring.store.check_writable()

    def place(self, camera: str, origin: str) -> Place:
        try:
            return self._place_on_card(camera, origin)
        except OSError as error:
            ring = self._refuge()
            if not self.card.failed(error) or ring is None:
                raise
        self._begin_anew()
        try:
            return ring.place(camera, origin)
        except (OSError, StorageError) as error:
            why = words_for(error, ring.folder) if isinstance(error, OSError) else str(error)
            raise CardError(
                f"{self.card.words}; nor can the system's disk be recorded to: {why}", ring.folder
            ) from None

    def _place_on_card(self, camera: str, origin: str) -> Place:
        place = super().place(camera, origin)
        self.card.started(place.root.name, place.name.boot)
        if self.ring is not None:
            self.ring.leave()
        return place

    def _check_card(self) -> None:
        self.card.check()

    def _refuge(self) -> Ring | None:
        return None if self.card.state == "removed" and self._stop_when_removed else self.ring

    def _begin_anew(self) -> None:
        with self._lock:
            self._boots.clear()
            self._seqs.clear()
            self._links.clear()

    def _floor(self, root: Path) -> int:
        return 0 if self.ring is None else self.ring.last_start(root.name)

    def continue_from(self, place: Place, link: Link) -> None:
        if self._in_ring(place):
            assert self.ring is not None
            self.ring.store.continue_from(place, link)
        else:
            self.card.worked()
            super().continue_from(place, link)

    def renew(self, taken: Place) -> None:
        if self._in_ring(taken):
            assert self.ring is not None
            self.ring.store.renew(taken)
        else:
            super().renew(taken)

    def present(self) -> bool:
        try:
            self.card.check()
        except OSError:
            return False
        return True

    def is_left(self, place: Place) -> bool:
        return self._in_ring(place) == (self.card.fault is None)

    def outgrown(self, place: Place, size: int) -> bool:
        return self.ring is not None and self._in_ring(place) and self.ring.outgrown(size)

    def lacks(self, place: Place) -> bool:
        on_card = self.card.expected and not self._in_ring(place)
        return on_card and self.present() and not self.disk.is_dir(place.folder)

    def failed(self, error: OSError, place: Place | None) -> str:
        if place is not None and self._in_ring(place):
            assert self.ring is not None
            return f"{self.card.words}; on the system's disk: {words_for(error, self.ring.folder)}"
        if place is not None:  # else `place` has told the card already
            self.card.failed(error)
        return words_for(error, self.data)

    def _in_ring(self, place: Place) -> bool:
        return self.ring is not None and self.ring.holds(place)


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
