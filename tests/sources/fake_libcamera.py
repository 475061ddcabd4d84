"""The part of libcamera 0.7 that Picamera2 uses, driven by hand: states, buffers, and requests that come back."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PI_5 = "/base/axi/pcie@1000120000/rp1/i2c@{}/{}"


class Named:
    """An enumerator of a binding: only its name is looked at."""

    def __init__(self, name: str) -> None:
        self.name = name


COMPLETE, CANCELLED, SUCCESS, ERROR = (Named(n) for n in ("Complete", "Cancelled", "Success", "Error"))


@dataclass(frozen=True)
class Transform:
    hflip: bool = False
    vflip: bool = False


@dataclass(frozen=True)
class ColorSpace:
    ycbcrEncoding: Named
    range: Named


REC709 = ColorSpace(Named("Rec709"), Named("Limited"))
SMPTE170M = ColorSpace(Named("Rec601"), Named("Limited"))
SYCC = ColorSpace(Named("Rec601"), Named("Full"))


class LibCamera:
    """The module."""

    Transform = Transform


PI_CONTROLS = {
    "FrameDurationLimits": (16971, 1_000_000, 33333),
    "ExposureTime": (26, 112_015_443, 20000),
    "AnalogueGain": (1.122807, 16.0, 1.0),
    "AeEnable": (False, True, True),
    "AwbMode": (0, 7, 0),
    "HdrMode": (0, 4, 0),
    "NoiseReductionMode": (0, 4, 0),
    "LensPosition": (0.0, 15.0, 1.0),
    "AfMode": (0, 2, 0),
}


@dataclass
class Sensor:
    """What a camera is like; the defaults are a Camera Module 3 on the first connector of a Pi 5."""

    model: str = "imx708"
    id: str = PI_5.format("88000", "imx708@1a")
    formats: tuple[str, ...] = ("YUV420", "NV12")
    sizes: tuple[tuple[int, int], ...] = ()  # empty: any
    streams: int = 3
    planes: str = "one"  # one | two: in one buffer | apart: in buffers of their own
    align: int = 64
    buffer_cap: int = 64
    colour: ColorSpace | None = REC709
    controls: dict[str, Any] = field(default_factory=lambda: dict(PI_CONTROLS))
    turns: bool = True
    raw: bool = True
    tells_duration: bool = True  # a Pi's; and its buffer numbers count what left the image processor
    busy: bool = False
    fails: dict[str, str] = field(default_factory=dict)  # operation -> text of the RuntimeError


class SharedFd:
    """A descriptor that closes when nobody has it any more, as libcamera's."""

    def __init__(self, size: int) -> None:
        self.fd = os.memfd_create("fake-dmabuf")
        os.truncate(self.fd, size)
        weakref.finalize(self, os.close, self.fd)


@dataclass
class Plane:
    shared: SharedFd
    offset: int
    length: int

    @property
    def fd(self) -> int:
        return self.shared.fd


@dataclass
class Metadata:
    status: Named = SUCCESS
    sequence: int = 0
    timestamp: int = 0


class FrameBuffer:
    def __init__(self, planes: list[Plane]) -> None:
        self.planes = planes
        self.metadata = Metadata()
        self.filled = 0  # how often the camera wrote into it


@dataclass(eq=False)
class StreamConfig:
    """One stream of a configuration, its stream, and what a buffer for it needs."""

    name: str
    format: str
    size: tuple[int, int]
    stride: int
    count: int

    @property
    def plane_sizes(self) -> list[int]:
        height, chroma = self.size[1], -(-self.size[1] // 2)
        if self.format == "NV12":
            return [self.stride * height, self.stride * chroma]
        return [self.stride * height, self.stride // 2 * chroma, self.stride // 2 * chroma]


class Request:
    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.buffers: dict[Any, FrameBuffer] = {}
        self.status = COMPLETE
        self.told: dict[str, Any] = {}


class Camera:
    """libcamera.Camera, with its states."""

    def __init__(self, rig: Any, sensor: Sensor) -> None:
        self.sensor = sensor
        self.id = sensor.id
        self.streams = set(range(sensor.streams))
        self.state = "available"
        self.queue: deque[Request] = deque()
        self.lock = threading.RLock()
        self.started_with: dict[str, Any] = {}
        self.sequence = -1
        self._rig = rig

    def acquire(self) -> None:
        if self.sensor.busy or self.state != "available":
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.state = "acquired"

    def release(self) -> None:
        self._fail("release")
        if self.state == "running":
            raise RuntimeError("Failed to release camera: Device or resource busy")
        self.state = "available"

    def configure(self) -> None:
        self._fail("configure")
        if self.state not in ("acquired", "configured"):
            raise RuntimeError("Failed to configure camera: Permission denied")
        self.state = "configured"

    def start(self, controls: dict[str, Any]) -> None:
        self._fail("start")
        if self.state != "configured":
            raise RuntimeError("Failed to start camera: Permission denied")
        self.state, self.started_with, self.sequence = "running", controls, -1

    def stop(self) -> None:
        self._fail("stop")
        with self.lock:
            self.state = "configured"
            self.cancel()

    def cancel(self) -> None:
        """All that is queued comes back unfilled: what stopping does, and a frontend that timed out."""
        with self.lock:
            while self.queue:
                request = self.queue.popleft()
                request.status = CANCELLED
                self._rig.manager.ready.append(request)

    def queue_request(self, request: Request) -> None:
        self._fail("queue")
        with self.lock:
            if self.state != "running":
                raise RuntimeError("Failed to queue request: Permission denied")
            request.status = COMPLETE
            self.queue.append(request)

    def _fail(self, what: str) -> None:
        if what in self.sensor.fails:
            raise RuntimeError(self.sensor.fails[what])


class Manager:
    """libcamera.CameraManager."""

    def __init__(self, rig: Any) -> None:
        self.cameras = [Camera(rig, sensor) for sensor in rig.sensors]
        self.ready: list[Request] = []

    def get_ready_requests(self) -> list[Request]:
        ready, self.ready = self.ready, []
        return ready


def fill(buffer: FrameBuffer) -> None:
    """A frame's worth of light: luma rises by one each time the buffer is written."""
    buffer.filled += 1
    for plane in buffer.planes:
        os.pwrite(plane.fd, np.full(64, 40 + buffer.filled, np.uint8).tobytes(), plane.offset)
