"""V4L2 sources on the fake kernel, with a sensor that ticks by itself: for tests that are the same for every source."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources.v4l2 import V4L2Source
from blackbox_qt.sources.v4l2_identity import Known
from tests.sources.fake_v4l2 import FakeCamera, FakeKernel

KINDS = ("v4l2-nv12", "v4l2-yu12", "v4l2-yuyv", "v4l2-mjpg", "v4l2-too-few-buffers")
SIZE = (96, 64)


def config(**settings: Any) -> CameraConfig:
    return CameraConfig.model_validate({"source": "v4l2", "width": SIZE[0], "height": SIZE[1], **settings})


def make(kind: str, root: Path, buffers: int) -> Running:
    fourcc = {"v4l2-too-few-buffers": "NV12"}.get(kind, kind[-4:].upper())
    camera = FakeCamera(modes={fourcc: {SIZE: (30.0,)}}, most_buffers=5 if "few" in kind else 32)
    kernel = FakeKernel(root)
    kernel.plug(camera, 0, 1)
    source = V4L2Source("/dev/video0", config(buffers=buffers), kernel, kernel.clock, Known(), root)
    return Running(source, kernel, camera)


class Running:
    """Its sensor ticks as soon as there is a buffer, and now and then when there is none: those are lost."""

    def __init__(self, source: V4L2Source, kernel: FakeKernel, camera: FakeCamera) -> None:
        self._source, self._kernel, self._camera = source, kernel, camera
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def start(self, deliver: Callable[[Frame], None], failed: Callable[[BaseException], None]) -> None:
        self._source.start(deliver, failed)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        waited = 0
        while not self._stop.wait(0.001):
            waited += 1
            if self._camera.queued or waited > 20:
                self._kernel.tick(self._camera)
                waited = 0

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._source.stop()


class Bench:
    """One camera on a fake kernel, its source, and what came of it; frames are kept until `home`."""

    def __init__(self, root: Path, camera: FakeCamera | None = None, which: str = "/dev/video0", **settings: Any):
        self.root = root
        self.camera = camera or FakeCamera(modes={"NV12": {SIZE: (30.0,)}})
        self.kernel = FakeKernel(root)
        self.known = Known()
        self.which, self.settings = which, settings
        self.kernel.plug(self.camera, 0, 1)
        self.source = self.another()
        self.frames: list[Frame] = []
        self.errors: list[BaseException] = []

    def another(self, which: str | None = None, **settings: Any) -> V4L2Source:
        """A source on the same machine, as the caretaker makes one for each try."""
        wanted = config(**(self.settings | settings))
        return V4L2Source(which or self.which, wanted, self.kernel, self.kernel.clock, self.known, self.root)

    def start(self) -> None:
        self.source.start(self.frames.append, self.errors.append)

    def pictures(self, count: int, until: Callable[[Callable[[], object]], None]) -> list[Frame]:
        """`count` pictures, each taken when the one before has arrived."""
        before = len(self.frames)
        for number in range(count):
            assert self.kernel.tick(self.camera)
            until(lambda wanted=before + number + 1: len(self.frames) == wanted)  # type: ignore[misc]
        return self.frames[before:]

    def home(self) -> None:
        for frame in self.frames:
            frame.close()
        self.frames.clear()

    def end(self) -> None:
        self.home()
        self.source.stop()
        self.source.close()
