"""How marks hang together with everything else that an App has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from blackbox_qt.app.archive import Archive
from blackbox_qt.app.emergency import Emergency
from blackbox_qt.app.mark_room import MarkRoom
from blackbox_qt.app.marking import DRIVE_S, Marking
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import Clock
from blackbox_qt.storage.disk import Disk


def marking_for(
    config: MarksConfig,
    disk: Disk,
    clock: Clock,
    archive: Archive,
    emergency: Emergency,
    cameras: Callable[[], Collection[str]],
    room: MarkRoom,
) -> Marking:
    """A Marking, driven by the keeper from now on: to be made before anything is given to it that deletes."""

    def goes_to() -> Path | None:
        """The library recorded to, or the ring while the card is missing; None when there is no ring either."""
        if emergency.usable:
            return archive.current.root
        return None if emergency.ring is None else emergency.ring.folder

    marking = Marking(
        clock,
        disk,
        config,
        goes_to,
        lambda: archive.libraries.values() if emergency.usable else (),
        cameras,
        room.refusal,
        room.refusal_of,
        more=lambda: () if emergency.ring is None else (emergency.ring.folder,),
        elsewhere=lambda: emergency.ring is not None and emergency.ring.used > 0,
    )
    archive.keeper.every(DRIVE_S, marking.drive, "marks")
    return marking
