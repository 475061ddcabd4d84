"""Whether a camera's frames reach the disk, or somebody is at work on why not: what the watchdog is fed by.

Pure: it is told what was seen and when.
"""

from __future__ import annotations

from dataclasses import dataclass

from blackbox_qt.app.camera import Camera
from blackbox_qt.app.status import CameraStatus
from blackbox_qt.core.clock import NS

CARE_S = 35.0
"""A caretaker may open or close a camera for so long: after 30 s it says that it hangs, and the App may start anew."""
FRAMES_S = 10.0
"""No frame for so long, and no caretaker's word about it."""
ENCODER_S = 10.0
"""Frames come, none of them is encoded."""
WRITER_S = 20.0
"""On top of what memory bridges: a slow card is not a dead thread, and a restart would lose what waits for it."""
_BESIDE_S = 1.0  # a caretaker that has not looked for so long is opening or closing its camera
_ASLEEP_S = 5.0  # nobody has looked for so long: the machine itself stood still, and nothing can be held against anyone


@dataclass(frozen=True, slots=True)
class Signs:
    """What one look at a camera finds; the counters only ever change when their part works.

    Threads: immutable, any.
    """

    cared_ns: int  # when the caretaker last looked after its parts
    spared: bool  # it hangs, but the others record: the App has decided against a fresh process
    fault: bool  # the source's; the caretaker is trying again
    frames: int  # come from the camera
    encoded: int
    encoder_down: bool  # it died and is about to be replaced
    excused: bool  # the user's pause, or a disk that reports an error and is tried again
    durable: int  # frames on the disk
    waiting: bool  # something is there for the writer to do
    steps: int  # of the writer


def signs(camera: Camera, status: CameraStatus, held_back: bool) -> Signs:
    """held_back: the App's decision, see `App.held_back`.

    Threads: any.
    """
    recording = status.recording
    return Signs(
        cared_ns=camera.cared_ns,
        spared=held_back and bool(camera.care.helpless()),
        fault=status.state == "fault",
        frames=status.frames,
        encoded=status.encoder.frames,
        encoder_down=bool(status.encoder.words),
        excused=recording.state in ("paused", "fault"),
        durable=recording.frames,
        waiting=recording.queue_frames > 0,
        steps=camera.recorder.steps,
    )


class Pulse:
    """Judges one camera; `memory_s` is how long a stalled card is bridged.

    Threads: one.
    """

    def __init__(self, camera: str, memory_s: float) -> None:
        self._camera = camera
        self._writer_s = WRITER_S + memory_s
        self._frames, self._steps = Stillness(), Stillness()
        self._encoded, self._durable = Stillness(), Stillness()
        self._looked_ns: int | None = None

    def look(self, seen: Signs, now: int) -> str:
        """What hangs, in words; empty while the frame path is alive."""
        before, self._looked_ns = self._looked_ns, now
        slept = before is None or now - before > _ASLEEP_S * NS
        beside_s = (now - seen.cared_ns) / NS
        if slept or (seen.spared and seen.fault):
            beside_s = 0.0
        steps_s = self._steps.since(seen.steps, now, slept or not seen.waiting)
        frames_s = self._frames.since(seen.frames, now, slept or seen.fault or beside_s > _BESIDE_S)
        encoded_s = self._encoded.since(seen.encoded, now, slept or seen.fault or seen.encoder_down, seen.frames)
        durable_s = self._durable.since(seen.durable, now, slept or seen.fault or seen.excused, seen.encoded)
        return self._words(beside_s, steps_s, frames_s, encoded_s, durable_s)

    def _words(self, beside_s: float, steps_s: float, frames_s: float, encoded_s: float, durable_s: float) -> str:
        name = self._camera
        if beside_s > CARE_S:
            return f"{name}: opening or closing the camera hangs for {beside_s:.0f} s"
        if steps_s > self._writer_s:
            return f"{name}: writing to the disk hangs for {steps_s:.0f} s"
        if frames_s > FRAMES_S:
            return f"{name}: no picture for {frames_s:.0f} s, and nobody says why"
        if encoded_s > ENCODER_S:
            return f"{name}: the encoder hangs for {encoded_s:.0f} s"
        if durable_s > self._writer_s:
            return f"{name}: nothing has reached the disk for {durable_s:.0f} s, and nobody says why"
        return ""


class Stillness:
    """How long a counter has stood still.

    Threads: one.
    """

    def __init__(self) -> None:
        self._value: int | None = None
        self._fed = 0
        self._since_ns = 0

    def since(self, value: int, now: int, excused: bool = False, fed: int | None = None) -> float:
        """Seconds since it changed, or since it was last excused for standing still.

        fed: a counter of what it lives on, if it does; it need not move while that does not.
        """
        if excused or value != self._value:
            self._value, self._fed, self._since_ns = value, fed or 0, now
        elif fed == self._fed:
            self._since_ns = now
        return (now - self._since_ns) / NS
