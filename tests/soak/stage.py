"""The box in the soak: the real App and page on a clock that is moved by hand, as fast as the machine can follow."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import TracebackType

from benchmarks.viewers import Viewers
from blackbox_qt.app import App
from blackbox_qt.app.camera import Camera
from blackbox_qt.config import load
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout
from blackbox_qt.web.listen import listen
from blackbox_qt.web.server import Server
from tests.fakes import HandClock, HandSource, paint_numbered

from .disk import SoakDisk

ROOM = 2  # frames that may wait for the encoder before the next one is made: nothing is lost by haste
QUEUE_S = 1.0  # of video that may wait for the disk
KEEPER_S = 10.0  # of recorded time between two rounds of the keeper, which sleeps by the machine's
LOOK_S = 0.4  # of recorded time between two looks at it
PATIENCE = 1000  # looks of half a millisecond without any progress


class SoakClock(HandClock):
    """Read by many threads while it is moved.

    Threads: `advance` the stage's; reading any.
    """

    def anchor(self) -> Anchor:
        now, offset = self.now_ns, self.utc_offset_ns
        return Anchor(now, now + offset, self.source, NS // 100)


class SoakSource(HandSource):
    """A camera whose pictures are painted once: buffers, numbers and times are real, and cheap.

    Threads: `tick`, `skip` the stage's.
    """

    def __init__(self, camera: str, clock: HandClock, fps: float) -> None:
        super().__init__(camera, layout=Layout.packed(64, 48), clock=clock)
        self.fps = fps
        self.numbered = 0  # frames that the driver gave a number to while its stream ran, the first one of it on
        self._painted: set[int] = set()
        self._skipped = 0

    def skip(self, count: int = 1) -> None:
        """Counted with the frame that follows: if none does, nobody can know."""
        super().skip(count)
        self._skipped += count

    def start(self, deliver, failed) -> None:
        self._skipped = 0
        super().start(deliver, failed)

    def close(self) -> None:
        self._painted.clear()
        super().close()

    def tick(self, t_ns: int | None = None) -> bool:
        pool, deliver = self._pool, self._deliver
        if pool is None or deliver is None:
            return False
        seq, self._seq = self._seq, self._seq + 1
        buffer = pool.take()
        if buffer is None:
            self._skipped += 1
            return False
        images = self._images(buffer[1], buffer[0])
        if buffer[0] not in self._painted:
            self._painted.add(buffer[0])
            paint_numbered(images["main"], seq, 0)
        self.numbered += 1 + self._skipped
        self._skipped = 0
        t_ns = self.clock.boot_ns() if t_ns is None else t_ns
        deliver(Frame.lend(self.camera, seq, t_ns, images, lambda: pool.give(buffer)))
        return True


class Stage:
    """App, page, cameras. Enter, `run` for so long, leave.

    Threads: one.
    """

    def __init__(self, disk: SoakDisk, cameras: int, fps: float) -> None:
        self.disk = disk
        self.fps = fps
        self.clock = SoakClock()
        self.silent: set[str] = set()  # cameras that give nothing, and do not say why
        self.hasty = False  # frames come faster than the encoder takes them
        names = ("front", "rear", "left", "right")[:cameras]
        self.sources = {name: SoakSource(name, self.clock, fps) for name in names}
        settings = [
            f"storage.data={disk.root / 'car'}", f"storage.state={disk.root.parent / 'state'}", "storage.segment_s=60",
            "web.host=127.0.0.1", "web.port=0", "web.auth=false", "record.bitrate_kbit=200", "stream.quality=50",
        ]  # fmt: skip
        self.config = load(None, settings, sources=[(name, "hand") for name in names])
        self.app = App(self.config, self.clock, disk, {n: (lambda s=s: s) for n, s in self.sources.items()})
        self.viewers: Viewers | None = None
        self._stack = ExitStack()
        self._pause = threading.Event()
        self._ticks = 0
        self._port = 0

    def __enter__(self) -> Stage:
        listener = self._stack.enter_context(listen(self.config.web))
        self._port = listener.port
        self._stack.enter_context(self.app)
        self._stack.enter_context(Server(self.app, self.config, listener))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.watch(0)
        self._stack.__exit__(kind, error, tb)

    def watch(self, count: int) -> None:
        """So many viewers from now on, in a process of their own."""
        if self.viewers is not None:
            self.viewers.__exit__(None, None, None)
            self.viewers = None
        if count:
            self.viewers = Viewers(self._port, count)
            self.viewers.__enter__()

    def run(self, seconds: float) -> None:
        """So much recorded time."""
        for _ in range(round(seconds * self.fps)):
            self.clock.advance(1 / self.fps)
            self._ticks += 1
            for name, camera in self.app.cameras.items():
                self._frame(name, camera)
            if self._ticks % max(1, round(LOOK_S * self.fps)) == 0:
                self._wait_for_the_disk()
            if self._ticks % round(KEEPER_S * self.fps) == 0:
                self.app.keeper.wake()

    def _frame(self, name: str, camera: Camera) -> None:
        source = self.sources[name]
        if not source.running.is_set() or name in self.silent:
            self._pause.wait(0.002)  # its caretaker lives by the real clock's tenths of a second
            return
        inbox = camera._encoder.inbox if camera._encoder else None
        while not self.hasty and inbox is not None and len(inbox) >= ROOM and not inbox.closed:
            self._pause.wait(0.0001)
        source.tick()

    def _wait_for_the_disk(self) -> None:
        for camera in self.app.cameras.values():
            before, idle = -1, 0
            while idle < PATIENCE and not self.disk.faulty:  # what waits for its next try waits for this clock
                recording = camera.recorder.status("")
                if recording.queue_s < QUEUE_S:
                    break
                idle = 0 if recording.frames != before else idle + 1
                before = recording.frames
                self._pause.wait(0.0005)

    @property
    def in_flight(self) -> int:
        """Frames on their way to the disk."""
        return sum(
            camera.hub.holders().get("encoder", 0) + camera.status().recording.queue_frames
            for camera in self.app.cameras.values()
        )
