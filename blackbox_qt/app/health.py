"""What the box notes about itself every few seconds, on the system's disk, to explain missing video afterwards."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blackbox_qt.app.status import CameraStatus, Status
from blackbox_qt.app.words import strip
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk, words_for
from blackbox_qt.storage.health_ring import NAME, HealthRing

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # a turn for the worse is noted at once, but no more than once in this time
_RETRY_S = 30.0


class HealthKeeper:
    """Writes a note every `every_s` seconds, and when what the strip says changes; in a thread of its own, `health`.

    A thread of its own because the card may hold up the others just when there is something to note.

    Threads: `start`, `ask_to_stop`, `join` by the owner; `note` its own.
    """

    def __init__(
        self, disk: Disk, state: Path, every_s: float, hours: float, status: Callable[[], Status], clock: Clock
    ) -> None:
        self.words = ""  # why nothing is noted; empty while it is
        self._ring = HealthRing(disk, state / NAME, round(hours * 3600 / every_s))
        self._every_ns = round(every_s * NS)
        self._status = status
        self._clock = clock
        self._began = clock.boot_ns()
        self._due_ns = 0
        self._said = ""
        self._worker = Worker("health", self._run)

    def start(self) -> None:
        self._worker.start()

    def ask_to_stop(self) -> None:
        self._worker.stop()

    def join(self, timeout: float) -> bool:
        return self._worker.join(timeout)

    def _run(self) -> None:
        try:
            while not self._worker.stop_requested.wait(_LOOK_S):
                self.note()
            self.note(last=True)
        finally:
            self._ring.close()

    def note(self, *, last: bool = False) -> None:
        """Write a note if one is due. No OSError leaves here: it is said once, and tried again later."""
        now, status = self._clock.boot_ns(), self._status()
        seen = strip(status)
        said = f"{seen.mood} {seen.title} {status.shedding.level} {status.card.state}"
        retrying = bool(self.words) and now < self._due_ns
        if retrying or not (last or now >= self._due_ns or said != self._said):
            return
        self._said, self._due_ns = said, now + self._every_ns
        try:
            self._ring.note(body(status, self._clock, self._began, last=last))
        except OSError as error:
            self._failed(error, now)
            return
        if self.words:
            log.info("health is noted again")
        self.words = ""

    def _failed(self, error: OSError, now: int) -> None:
        words = f"health cannot be noted: {words_for(error, self._ring.path)}"
        if words != self.words:
            log.warning("%s", words)
        self.words, self._due_ns = words, now + round(_RETRY_S * NS)
        self._ring.close()


def body(status: Status, clock: Clock, began_ns: int, *, last: bool = False) -> dict[str, Any]:
    """One note: times in ns, sizes in MB, ages in s.

    Threads: any.
    """
    anchor, seen = clock.anchor(), strip(status)
    return {
        "boot_ns": anchor.boot_ns,
        "utc_ns": anchor.utc_ns,
        "source": anchor.source,
        "machine_boot": clock.machine_boot,
        "program": began_ns,  # when it began, boot clock: tells one start of it from another
        "last": last,  # it ended politely
        "recording": status.recording,
        "words": " ".join(part for part in (seen.title if seen.mood != "well" else "", seen.words) if part),
        "cameras": {camera.name: _camera(camera) for camera in status.cameras},
        "free_mb": status.disk.free_bytes // 1_000_000,
        "card": status.card.state,
        "celsius": status.board.celsius,
        "undervoltage": status.board.undervoltage,
        "throttled": status.board.throttled,
        "shed": status.shedding.level,
        "viewers": status.viewers,
    }


def _camera(camera: CameraStatus) -> dict[str, Any]:
    recording = camera.recording
    return {
        "fps": camera.fps,
        "state": camera.state,
        "rec": recording.state,
        "frames": recording.frames,
        "queue_s": round(recording.queue_s, 2),
        "unsynced_s": round(recording.unsynced_s, 2),
        "headroom": camera.encoder.headroom,
        "lost": {cause: count for cause, count in camera.lost.items() if count},
    }
