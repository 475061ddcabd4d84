"""What Picamera2 needs to work with libcamera's `virtual` cameras, and the clock and the faults that these lack.

* `virtual` has no raw stream: Picamera2 gets its list of sensor modes from the video stream.
* Its buffers are two planes, from libcamera's own allocator: Picamera2's makes one plane, and there is no dma heap.
* It completes a request the moment it is queued: a pacer hands requests over at the frame rate, as a sensor would.

A camera stalls while /run/lab/stall-ID exists (`stall-Virtual0`). What the driver completed is written to
/run/lab/frames-ID, one line a frame: its sequence number.
"""

from __future__ import annotations

import collections
import os
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import libcamera
from picamera2.allocators import LibcameraAllocator

FOLDER = Path(os.environ.get("LAB_CAMERAS", "/run/lab"))
DEFAULT_FPS = 10.0


class PacedCamera:
    """A libcamera camera with a frame clock of its own.

    Threads: as libcamera's, plus its own pacer between start and stop.
    """

    def __init__(self, camera: Any) -> None:
        self.real = camera
        self._queue: collections.deque[Any] = collections.deque()
        self._stop = threading.Event()
        self._pacer: threading.Thread | None = None
        self._stalled = FOLDER / f"stall-{camera.id}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.real == getattr(other, "real", other))

    __hash__ = object.__hash__

    def create_request(self, cookie: int) -> Any:
        _IDS[cookie] = self.real.id
        return self.real.create_request(cookie)

    def start(self, controls: Any = None) -> None:
        self.real.start(controls)
        self._stop.clear()
        period = 1 / _rate(controls)
        self._pacer = threading.Thread(target=self._pace, args=(period,), name=f"pacer-{self.real.id}", daemon=True)
        self._pacer.start()

    def stop(self) -> None:
        if self._pacer is not None:
            self._stop.set()
            self._pacer.join()
            self._pacer = None
        self._queue.clear()
        self.real.stop()

    def queue_request(self, request: Any) -> None:
        self._queue.append(request)

    def _pace(self, period: float) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            if self._queue and not self._stalled.exists():
                self.real.queue_request(self._queue.popleft())
            due = max(due + period, time.monotonic())  # a camera that is late does not hurry


_IDS: dict[int, str] = {}  # cookie of a request -> camera


def _rate(controls: Any) -> float:
    """The frame rate that FrameDurationLimits (µs) asks for."""
    for control, value in dict(controls or {}).items():
        if getattr(control, "name", control) == "FrameDurationLimits":
            return 1e6 / max(1, next(iter(value)))
    return DEFAULT_FPS


class VirtualAllocator(LibcameraAllocator):  # type: ignore[misc]
    """libcamera's own allocator; it learns its camera when that is open."""

    def __init__(self) -> None:
        super().__init__(None)


def apply(module: ModuleType) -> None:
    """Change picamera2.picamera2."""
    picamera2 = module.Picamera2
    module.DmaAllocator = VirtualAllocator  # type: ignore[attr-defined]
    open_it, grab = picamera2.__init__, picamera2._grab_camera

    def opened(self: Any, *args: Any, **kwargs: Any) -> None:
        open_it(self, *args, **kwargs)
        if isinstance(self.allocator, LibcameraAllocator) and isinstance(self.camera, PacedCamera):
            self.allocator.camera = self.camera.real

    def grabbed(self: Any, which: Any) -> Any:
        camera = grab(self, which)
        return PacedCamera(camera) if camera.id.startswith("Virtual") else camera

    picamera2.__init__, picamera2._grab_camera, picamera2._get_raw_modes = opened, grabbed, _video_modes
    _watch(libcamera.CameraManager)


def _video_modes(self: Any) -> list[dict[str, Any]]:
    config = self.camera.generate_configuration([libcamera.StreamRole.VideoRecording]).at(0)
    return [{"format": str(config.pixel_format), "size": (config.size.width, config.size.height)}]


def _watch(manager: Any) -> None:
    """Write down what comes from the driver, before Picamera2 sees it."""
    ready = manager.get_ready_requests

    def get_ready_requests(self: Any) -> list[Any]:
        requests: list[Any] = ready(self)
        for request in requests:
            if request.status == libcamera.Request.Status.Complete and request.cookie in _IDS:
                buffer = next(iter(request.buffers.values()))
                with open(FOLDER / f"frames-{_IDS[request.cookie]}", "a") as file:
                    file.write(f"{buffer.metadata.sequence}\n")
        return requests

    manager.get_ready_requests = get_ready_requests
