"""The thread that records one camera. What it does is in `recording.py`; here it is only woken and stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.packet import NO_LOSS, Packet
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.recording import Recording
from blackbox_qt.storage.segment import Place, SegmentName, Store
from blackbox_qt.storage.status import WriterSettings, WriterStatus

log = logging.getLogger(__name__)


def _nobody(_: FinishedSegment) -> None:
    """Segments nobody asked about."""


class Writer:
    """Records one camera's packets into segments; an outlet of the encoder.

    `on_segment(finished)` is called on the disk thread, `on_crash(error)` on the dying one. One that has died counts
    what is put into it and keeps nothing; its successor is given `orphaned()` as `lost_before`, and tells of it in its
    first record.

    Threads: `put` by the encoder's; `start`, `finish` by the owner; everything else any.
    """

    def __init__(
        self,
        camera: str,
        store: Store,
        clock: Clock,
        settings: WriterSettings | None = None,
        *,
        on_segment: Callable[[FinishedSegment], None] = _nobody,
        on_crash: Callable[[BaseException], None] | None = None,
        lost_before: Mapping[str, int] = NO_LOSS,
    ) -> None:
        self.camera = SegmentName(camera, 0, 0).camera  # ValueError now rather than on the disk thread
        self.first_durable = threading.Event()  # set when the first fragment is on the medium
        self.steps = 0  # taken so far; a thread that hangs in the disk takes no more
        self._recording = Recording(store, clock, settings or WriterSettings(), on_segment, lost_before)
        self._wake = threading.Event()
        self._worker = Worker(f"disk-{camera}", self._run, on_crash)
        self._words = ""

    def start(self) -> None:
        self._worker.start()

    def put(self, packet: Packet) -> None:
        """Take a packet; never waits for the disk."""
        if self._recording.put(packet):
            self._wake.set()

    def pause(self, seconds: float) -> None:
        """The user stops recording for a time; it goes on by itself, at a key frame. ValueError unless positive."""
        self._recording.pause(seconds)
        self._wake.set()

    def cut(self) -> None:
        """End the open segment and go on in a new one, without a loss: the one so far can be deleted, say."""
        self._recording.cut()
        self._wake.set()

    def resume(self) -> None:
        """The user ends the pause early."""
        self._recording.resume()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where something is open, or not yet named."""
        return self._recording.places

    def nudge(self) -> None:
        """Look again now, also if no packet comes: where to record may have changed."""
        self._wake.set()

    def finish(self, timeout_s: float) -> bool:
        """Write everything, end the segment, stop the thread; True when all of it is durable.

        Returns within `timeout_s` seconds even when the card does not answer; the thread is then still in the
        system call, and the caller decides whether to leave the process.
        """
        self._recording.finish(timeout_s)
        self._worker.stop()
        self._wake.set()
        return self._worker.join(timeout_s) and self._worker.error is None and self._recording.all_durable

    def status(self) -> WriterStatus:
        return self._recording.status()

    def orphaned(self) -> Mapping[str, int]:
        """Frames that were lost here and that no record tells of, by cause; to be asked of a Writer that has died.

        Those that were taken in and are not known to be durable, and those put after its death, count as `disk`.
        """
        return self._recording.untold

    def _run(self) -> None:
        try:
            self._record()
        except BaseException as error:  # the Worker's door reports it; nothing is left open behind it
            self._recording.die(f"Recording failed: {error}")
            raise

    def _record(self) -> None:
        while not self._recording.ended:
            wait = self._recording.step()
            self.steps += 1
            self._report()
            if not self._recording.ended:
                self._wake.wait(wait)
                self._wake.clear()

    def _report(self) -> None:
        """Tell the log about a new fault, and about its end; once each."""
        if not self.first_durable.is_set() and self._recording.has_durable:
            self.first_durable.set()
        words = self._recording.trouble
        if words != self._words:
            self._words = words
            log.log(logging.ERROR if words else logging.INFO, "%s: %s", self.camera, words or "recording again")
