"""What one frame costs on its way through the hub, and whether its pixels are ever copied before the encoder."""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmarks.measure import Figure
from benchmarks.procs import BenchmarkError
from benchmarks.setup import ROOT, Setup
from blackbox_qt.config import MIN_BUFFERS, CameraConfig
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.core.pool import BufferPool
from blackbox_qt.core.worker import Worker
from blackbox_qt.sinks.encoder import Encoder, EncoderSettings, Identity
from blackbox_qt.sources import make

WIDTH, HEIGHT = 1280, 720
PAGES = WIDTH * HEIGHT * 3 // 2 / 4096
_SINKS = (("display", 1, 2), ("encoder", 4, 1), ("jpeg", 1, 1), ("shm", 1, 1))
_NO_COPY = 0.1  # frames; one chroma plane alone would be 0.17
_M_MMAP_THRESHOLD = -3  # mallopt(3)
_COUNTED_BYTES = 1 << 18  # a luma plane alone has 921600

Way = Literal["alone", "encoder", "copying"]


def measure(setup: Setup) -> list[Figure]:
    """The microbenchmark in this process; the count of copies in processes of its own."""
    count = 2_000 if setup.quick else 20_000
    whole, publishing = [], []
    for _ in range(setup.runs):
        one, part = _publish(count)
        whole.append(one)
        publishing.append(part)
    figures = [
        Figure("publish: to four sinks, taken and closed", tuple(whole), "us", 30),
        Figure("publish: of that, in the camera's thread", tuple(publishing), "us"),
    ]
    source = setup.pixels(WIDTH, HEIGHT)
    for spec in (f"pattern:{WIDTH}x{HEIGHT}@30", f"file:{source}"):
        figures += _copies(setup, spec)
    return figures


# ---- microseconds


def _publish(count: int) -> tuple[float, float]:
    """Medians over `count` frames, in us: (lend, publish, four times take and close; lend and publish alone)."""
    layout = Layout.packed(WIDTH, HEIGHT)
    pool = BufferPool(12, layout.size)
    hub = Hub("front", 12)
    boxes = [hub.attach(name, depth=depth, holds=holds) for name, depth, holds in _SINKS]
    whole, part = [], []
    gc.collect()
    for number in range(count):
        begin = time.perf_counter_ns()
        buffer = pool.take()
        assert buffer is not None
        image = Image(layout, [buffer[1]], key=buffer[0])
        hub.publish(Frame.lend("front", number, number, {"main": image}, lambda b=buffer: pool.give(b)))  # type: ignore[misc]
        middle = time.perf_counter_ns()
        for box in boxes:
            frame = box.take(0)
            assert frame is not None
            frame.close()
        end = time.perf_counter_ns()
        whole.append(end - begin)
        part.append(middle - begin)
    for box in boxes:
        hub.detach(box)
    assert not pool.lending.out
    return statistics.median(whole) / 1000, statistics.median(part) / 1000


# ---- copies


def _copies(setup: Setup, spec: str) -> list[Figure]:
    """Copies of a frame between a source and libx264, counted by the pages they touch; and a control with one."""
    seconds = setup.seconds(4, 2)
    ways: tuple[Way, ...] = ("alone", "encoder", "copying")
    alone, encoder, copying = (_faults_in_child(spec, way, seconds) for way in ways)
    name = spec.partition(":")[0]
    ours, control = (encoder - alone) / PAGES, (copying - alone) / PAGES
    blind = "" if control > 0.9 else "the control's one copy per frame was not seen"
    return [
        Figure(f"publish: copies of a frame, {name} to encoder", (ours,), "", _NO_COPY, trouble=blind),
        Figure(f"publish: control, with one copy put in, {name}", (control,), ""),
    ]


def _faults_in_child(spec: str, way: Way, seconds: float) -> float:
    command = [sys.executable, "-m", "benchmarks.publish", spec, way, str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"counting copies failed: {done.stderr.strip()[-300:]}")
    return float(json.loads(done.stdout))


def faults_per_frame(spec: str, way: Way, seconds: float) -> float:
    """Pages touched for the first time, per frame, while the real chain runs; for a process of its own.

    alone: frames are taken and closed. encoder: the real encoder takes them. copying: it does, and each frame's bytes
    are copied once besides. Every allocation above 256 KiB comes fresh from the kernel, so that its pages are counted.
    """
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _COUNTED_BYTES)
    errors: list[BaseException] = []
    source, hub = make(CameraConfig(source=spec)), Hub("front", MIN_BUFFERS)
    box = hub.attach("encoder", depth=4)
    sink: Closing | Encoder = Closing(box) if way == "alone" else _encoder(box, errors)
    source.open()
    sink.start()
    source.start(_copying(hub) if way == "copying" else hub.publish, errors.append)
    try:
        return _faults(lambda: sink.encoded, seconds)
    finally:
        source.stop()
        sink.stop(5)
        source.close()
        if errors:
            raise errors[0]


def _faults(frames: Callable[[], int], seconds: float) -> float:
    time.sleep(2)  # buffers, x264's reference frames and the interpreter's pools are there after this
    before, first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, frames()
    time.sleep(seconds)
    faults, count = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, frames() - first
    return faults / max(1, count)


def _copying(hub: Hub) -> Callable[[Frame], None]:
    def deliver(frame: Frame) -> None:
        planes = frame.images["main"].planes()
        fresh, at = np.empty(sum(plane.size for plane in planes), np.uint8), 0
        for plane in planes:
            np.copyto(fresh[at : at + plane.size].reshape(plane.shape), plane)
            at += plane.size
        hub.publish(frame)

    return deliver


class Closing:
    """Takes frames like an encoder, and only closes them.

    Threads: `start`, `stop` by the owner.
    """

    def __init__(self, box: Mailbox) -> None:
        self.encoded = 0
        self._box = box
        self._worker = Worker("closing", self._run)

    def start(self) -> None:
        self._worker.start()

    def stop(self, timeout: float) -> bool:
        """Close the mailbox; False when the thread took longer than `timeout` s."""
        self._box.close()
        return self._worker.join(timeout)

    def _run(self) -> None:
        while not self._box.closed:
            frame = self._box.take()
            if frame is not None:
                frame.close()
                self.encoded += 1


def _encoder(box: Mailbox, errors: list[BaseException]) -> Encoder:
    return Encoder("front", box, EncoderSettings(), lambda: Identity("file", "bench", 30.0), errors.append)


if __name__ == "__main__":
    way: Way = sys.argv[2]  # type: ignore[assignment]
    print(json.dumps(faults_per_frame(sys.argv[1], way, float(sys.argv[3]))))
