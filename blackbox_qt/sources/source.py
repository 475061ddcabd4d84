"""What every source of frames promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout


class SourceError(Exception):
    """A source cannot give frames; the text is one sentence for a person.

    `permanent`: trying again cannot help, somebody must change the configuration.
    `process`: trying again in this process cannot help, a fresh one may: a camera stack that is wedged, or frames that
    never came home.
    """

    def __init__(self, words: str, *, permanent: bool = False, process: bool = False) -> None:
        super().__init__(words)
        self.permanent = permanent
        self.process = process


Deliver = Callable[[Frame], None]
"""Takes over the frame. Called on the source's thread; never blocks."""

Failed = Callable[[BaseException], None]
"""Told once, on the source's thread, that no more frames will come until it is closed and opened again."""


class Source(Protocol):
    """A camera, or what stands for one.

    Life: open, start, stop, close, and round again as often as wanted. Between open and close it can be started and
    stopped as often as wanted too, also while frames of the time before are still out: this is the first thing tried
    when no pictures come. `open` may take seconds. After `stop` has returned `deliver` is not called any more, but
    frames may still be out and come home from any thread. `close` returns when all are home, or raises
    SourceError(process) after its time limit. Nothing is reserved before `open`, and nothing is left after `close`.

    A frame's `seq` is the driver's number where there is one, so that a hole in it is a lost frame; a source out of
    buffers leaves a hole too. Numbers may begin anew at each start: they compare from there to the stop only. `t_ns` is
    the sensor's time on the boot clock. `images` has "main" and, where the hardware gives it, "lores".

    Threads: open, start, stop, close by one owner; frames close on any.
    """

    camera: str

    @property
    def device(self) -> str:
        """In words: which camera, file or pattern."""
        ...

    @property
    def origin(self) -> str:
        """camera | pattern | file."""
        ...

    @property
    def buffers(self) -> int:
        """How many frames may be out at once."""
        ...

    @property
    def fps(self) -> float:
        """Nominal, known after `open`."""
        ...

    @property
    def layout(self) -> Layout | None:
        """Of "main", known after `open`."""
        ...

    def open(self) -> None:
        """Reserve the device and its buffers. Raises SourceError."""
        ...

    def start(self, deliver: Deliver, failed: Failed) -> None:
        """Let frames come, on a thread of the source's own; works again after `stop`. Raises SourceError."""
        ...

    def stop(self) -> None:
        """No more frames after this returns. Twice is harmless."""
        ...

    def close(self) -> None:
        """Give the device back when every frame is home. Raises SourceError(process) if one is not, after 2 s."""
        ...


@runtime_checkable
class RawStills(Protocol):
    """What a source of a camera with a raw stream has beside.

    Threads: `want_raw` by the owner; `raw_still` by any one thread.
    """

    def want_raw(self) -> None:
        """Before `open`: raw pictures will be asked for. They take memory, so nobody has them who does not say so."""
        ...

    def raw_still(self, limit_s: float) -> bytes:
        """While started: the sensor's own data of the next picture, as a DNG file. Raises SourceError."""
        ...


CLOSE_LIMIT_S = 2.0
