"""Says in the log what changed, in the words of the status; once a second at most, never per frame."""

from __future__ import annotations

import logging
from collections.abc import Callable

from blackbox_qt.app.status import CameraStatus, Status
from blackbox_qt.core.worker import Worker

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_LINE_EVERY = 60  # looks between two lines that only say that all is well


class Reporter:
    """Looks at the disk's free space and at the status, once a second, in a thread of its own, `status`.

    Threads: `start`, `stop` by the owner.
    """

    def __init__(self, status: Callable[[], Status], look_at_disk: Callable[[], None]) -> None:
        self._status = status
        self._look_at_disk = look_at_disk
        self._last: dict[str, tuple[str, ...]] = {}
        self._lost: dict[str, int] = {}
        self._worker = Worker("status", self._run)

    def start(self) -> None:
        self._worker.start()

    def ask_to_stop(self) -> None:
        self._worker.stop()

    def join(self, timeout: float) -> bool:
        """False when it has not ended after `timeout` s: a card that does not answer may hold it."""
        return self._worker.join(timeout)

    def _run(self) -> None:
        looks = 0
        while not self._worker.stop_requested.wait(_EVERY_S):
            try:
                self._look(looks)
            except Exception as error:  # the thread's door: a report that fails is said, and the next one tried
                log.error("the status cannot be reported (%s: %s)", type(error).__name__, error)
            looks += 1

    def _look(self, looks: int) -> None:
        self._look_at_disk()
        status = self._status()
        for camera in status.cameras:
            self._changes(camera)
        if looks % _LINE_EVERY == 0:
            log.info("%s", line(status))

    def _changes(self, camera: CameraStatus) -> None:
        """Recorder's drops and a disk that lags are alarms, said when they begin and when they grow."""
        causes = missing(camera)
        lost = sum(causes.values())
        if lost > self._lost.get(camera.name, 0):
            said = ", ".join(f"{cause} {count}" for cause, count in causes.items())
            log.warning("%s: %d frames lost so far (%s)", camera.name, lost, said)
        self._lost[camera.name] = lost
        late = camera.recording.late
        now = (camera.recording.state, "late" if late else "")
        if self._last.get(camera.name, now) != now:
            if late:
                age = camera.recording.unsynced_s
                log.warning("%s: %.1f s are not on the disk yet; the card is slow", camera.name, age)
            log.info("%s: recording is %s %s", camera.name, camera.recording.state, camera.recording.words)
        self._last[camera.name] = now


def missing(camera: CameraStatus) -> dict[str, int]:
    """Frames lost by cause, without those the user did not want and those given up on purpose, which is said itself."""
    return {cause: count for cause, count in camera.lost.items() if count and cause not in ("stopped", "shed")}


def line(status: Status) -> str:
    """The status in one line."""
    parts = [f"{'REC' if status.recording == 'recording' else status.recording.upper()}"]
    for c in status.cameras:
        lost = sum(missing(c).values())
        parts.append(
            f"{c.name} {c.width}x{c.height} {c.fps:.1f} fps, {c.recording.frames} frames on disk, {lost} lost, "
            f"encoder {c.encoder.ms_per_frame:.1f} ms, {c.stream.viewers} watching"
        )
    kept_h = min(status.retention.kept_h.values(), default=0.0)
    parts.append(f"{status.disk.free_bytes / 1e9:.1f} GB free" + f", {kept_h:.1f} h kept" * bool(kept_h))
    return " | ".join(parts)
