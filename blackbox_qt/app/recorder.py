"""One camera's writer, replaced when it dies; counts go on over all of them, and so does a pause."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from blackbox_qt.app.part import Part
from blackbox_qt.app.status import RecordingState, RecordingStatus
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.segment import Place
from blackbox_qt.storage.writer import Writer

OnCrash = Callable[[BaseException], None]
MakeWriter = Callable[[OnCrash, Mapping[str, int]], Writer]
"""A writer, not yet started, from what to tell when it dies and the losses its first record must tell of."""


class Recorder:
    """Where a camera's packets go.

    `renewed()` is called when a writer has taken the place of a dead one: it needs a key frame.

    Threads: `put` on the encoder's; `start`, `mend`, `finish` by the camera's owner; everything else any.
    """

    def __init__(self, camera: str, make: MakeWriter, renewed: Callable[[], None], clock: Clock) -> None:
        self._make = make
        self._renewed = renewed
        self._clock = clock
        self._writer: Writer | None = None
        self._paused_until_ns = 0
        self._past = Counter[str]()  # what dead writers had recorded
        self._past_lost = Counter[str]()
        self._part: Part[Writer] = Part(f"{camera} recording", self._build, Writer.finish, clock)

    @property
    def first_durable(self) -> threading.Event:
        """Set when the writer of now has a fragment on the disk."""
        return self._part.now.first_durable

    @property
    def steps(self) -> int:
        """Changes while the writer of now works: one that hangs in the disk takes no more steps."""
        return self._part.now.steps

    def start(self) -> None:
        self._part.start()

    def mend(self) -> None:
        self._part.mend()

    def finish(self, timeout: float) -> bool:
        """Write everything and end; False when not all is safe after `timeout` s."""
        return self._part.stop(timeout)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where something is open, or not yet named."""
        return self._part.now.places

    @property
    def unsynced_s(self) -> float:
        """Age of the oldest packet that a power cut would take."""
        return self._part.now.status().unsynced_age_s

    def nudge(self) -> None:
        """Where to record may have changed: look, also if no packet comes."""
        self._part.now.nudge()

    def put(self, packet: Packet) -> None:
        """Take a packet; never waits."""
        self._part.now.put(packet)

    def pause(self, seconds: float) -> None:
        """Stop for so long. Raises ValueError unless positive."""
        self._part.now.pause(seconds)
        self._paused_until_ns = self._clock.boot_ns() + round(seconds * NS)

    def cut(self) -> None:
        """Go on in a new segment, from the next key frame on."""
        self._part.now.cut()

    def resume(self) -> None:
        self._paused_until_ns = 0
        self._part.now.resume()

    def status(self, encoder_words: str) -> RecordingStatus:
        """How recording is; an encoder that is being replaced is a fault of recording too."""
        writer = self._part.now.status()
        fault = self._part.words or encoder_words
        state: RecordingState = "fault" if fault else writer.state
        until = writer.paused_until_ns
        return RecordingStatus(
            state=state,
            words=fault or writer.words,
            segment=writer.segment,
            segments=writer.segments + self._past["segments"],
            frames=writer.frames_durable + self._past["frames"],
            bytes=writer.bytes + self._past["bytes"],
            queue_frames=writer.queue_packets,
            queue_s=writer.queue_s,
            unsynced_s=writer.unsynced_age_s,
            late=writer.late,
            resumes_in_s=None if until is None else max(0.0, (until - self._clock.boot_ns()) / NS),
            lost=dict(self._past_lost + Counter(writer.lost)),
        )

    def _build(self, on_crash: OnCrash) -> Writer:
        dead = self._writer
        if dead is None:
            self._writer = self._make(on_crash, {})
            return self._writer
        last = dead.status()
        self._past.update(segments=last.segments, frames=last.frames_durable, bytes=last.bytes)
        self._past_lost.update(last.lost)
        self._writer = self._make(on_crash, dead.orphaned())
        left_ns = self._paused_until_ns - self._clock.boot_ns()
        if left_ns > 0:
            self._writer.pause(left_ns / NS)
        self._renewed()
        return self._writer
