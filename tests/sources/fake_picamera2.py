"""The part of Picamera2 0.3.36 and libcamera 0.7 that the source uses, driven by hand: `tick` gives a frame.

Written from their sources: what is called in which state, what raises what, who counts which reference, what happens
to requests that are cancelled, to a constructor that fails, and to a request that comes home after the stop.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from blackbox_qt.sources.libcamera_identity import CameraInfo
from blackbox_qt.sources.picamera_stack import Stack
from tests.fakes import HandClock
from tests.sources.fake_libcamera import (
    COMPLETE,
    SUCCESS,
    Camera,
    FrameBuffer,
    LibCamera,
    Manager,
    Metadata,
    Named,
    Plane,
    Request,
    Sensor,
    SharedFd,
    StreamConfig,
    Transform,
    fill,
)


class NoSync:
    def __init__(self, allocator: Any, buffer: FrameBuffer, write: bool) -> None:
        self._counts = allocator.synced

    def __enter__(self) -> None:
        self._counts.append("begin")

    def __exit__(self, *_: object) -> None:
        self._counts.append("end")


class Allocator:
    """DmaAllocator's bookkeeping, with memory of another kind."""

    needs_sync = False
    sync = NoSync

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._buffers: dict[Any, list[FrameBuffer]] = {}
        self.used: dict[int, bool] = {}
        self.synced: list[str] = []
        self.heap = os.memfd_create("fake-heap")
        weakref.finalize(self, os.close, self.heap)

    def allocate(self, configs: Iterable[StreamConfig], use_case: object) -> None:
        if "allocate" in self._sensor.fails and configs:
            raise OSError(12, "Cannot allocate memory")
        self._buffers = {c: [self._buffer(c) for _ in range(c.count)] for c in configs}

    def _buffer(self, config: StreamConfig) -> FrameBuffer:
        sizes = config.plane_sizes
        if self._sensor.planes == "apart":
            return FrameBuffer([Plane(SharedFd(size), 0, size) for size in sizes])
        shared = SharedFd(sum(sizes))
        if self._sensor.planes == "one":
            return FrameBuffer([Plane(shared, 0, sum(sizes))])
        return FrameBuffer([Plane(shared, sum(sizes[:i]), size) for i, size in enumerate(sizes)])

    def buffers(self, stream: Any) -> list[FrameBuffer]:
        return self._buffers[stream]

    def acquire(self, buffers: dict[Any, FrameBuffer]) -> None:
        for buffer in buffers.values():
            self.used[buffer.planes[0].fd] = True

    def release(self, buffers: dict[Any, FrameBuffer]) -> None:
        for buffer in buffers.values():
            self.used[buffer.planes[0].fd] = False


class CompletedRequest:
    def __init__(self, request: Request, picam2: Any) -> None:
        self.request: Request | None = request
        self.ref_count = 1
        self.lock = picam2.request_lock
        self.picam2 = picam2
        self.stop_count = picam2.stop_count
        self.stream_map = picam2.stream_map.copy()
        with self.lock:
            if picam2.rig.old:
                self.syncs: list[Any] = []
            else:
                self.syncs = [picam2.allocator.sync(picam2.allocator, b, False) for b in request.buffers.values()]
            picam2.allocator.acquire(request.buffers)
            for sync in self.syncs:
                sync.__enter__()

    def acquire(self) -> None:
        with self.lock:
            if self.ref_count == 0:
                raise RuntimeError("CompletedRequest: acquiring lock with ref_count 0")
            self.ref_count += 1

    def release(self) -> None:
        with self.lock:
            self.ref_count -= 1
            if self.ref_count < 0:
                raise RuntimeError("CompletedRequest: lock now has negative ref_count")
            if self.ref_count == 0:
                assert self.request is not None
                if self.picam2.camera and self.stop_count == self.picam2.stop_count and self.picam2.started:
                    self.picam2.camera.queue_request(self.request)
                for sync in self.syncs:
                    sync.__exit__()
                self.picam2.allocator.release(self.request.buffers)
                self.request = None
                self.stream_map = {}

    def get_metadata(self) -> dict[str, Any]:
        assert self.request is not None
        return dict(self.request.told)

    def save_dng(self, file: Any) -> None:
        assert self.request is not None
        file.write(b"II*\0" + b"raw of " + self.picam2.camera.id.encode())


class PicameraManager:
    """picamera2.CameraManager, whose thread is `Rig.tick` here."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.cameras: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._cms: Any = None
        self.resets = 0

    @property
    def cms(self) -> Any:
        if self._cms is None:
            self._cms = self._rig.manager
        return self._cms

    def reset(self) -> None:
        self.resets += 1
        self._rig.manager = Manager(self._rig)
        self._cms = self._rig.manager

    def add(self, index: int, camera: Any) -> None:
        self.cameras[index] = camera

    def cleanup(self, index: int) -> None:
        del self.cameras[index]
        if not self.cameras:
            self._cms = None

    def handle_request(self, flushid: int | None = None) -> None:
        with self._lock:
            for request in self.cms.get_ready_requests():
                if request.status is COMPLETE and request.cookie != flushid:
                    camera = self.cameras[request.cookie]
                    with camera._requestslock:
                        camera._requests.append(CompletedRequest(request, camera))
                    os.write(camera.notifyme_w, b"\0")


class FakePicamera2:
    """The class; a Rig makes one of its own, so that nothing is shared between tests."""

    rig: Rig
    _cm: PicameraManager

    def __init__(self, camera_num: int = 0) -> None:
        self.rig.made += 1
        self.notifyme_r, self.notifyme_w = os.pipe2(os.O_NONBLOCK)
        self.notifymeread = os.fdopen(self.notifyme_r, "rb")
        self._preview: Any = None
        self.is_open = False
        number = self.global_camera_info()[camera_num]["Num"]
        self._cm.add(number, self)
        self.camera_idx = number
        self.request_lock = threading.Lock()
        self._requestslock = threading.Lock()
        self._requests: list[CompletedRequest] = []
        self.lock = threading.Lock()
        self.started = False
        self.stop_count = 0
        self._event_loop_running = False
        self.post_callback: Callable[[Any], None] | None = None
        self.camera_config: dict[str, Any] = {}
        self.stream_map: dict[str, Any] = {}
        self.set: dict[str, Any] = {}
        self.configured: list[dict[str, Any]] = []
        try:
            self.camera: Any = self._cm.cms.cameras[number]
            self.camera.acquire()
            self.is_open = True
            if "init" in self.camera.sensor.fails:
                raise RuntimeError(self.camera.sensor.fails["init"])
        except RuntimeError as error:
            raise RuntimeError("Camera __init__ sequence did not complete.") from error
        self.sensor_resolution = (4608, 2592)
        self.allocator: Any = Allocator(self.camera.sensor)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        cameras = enumerate(cls._cm.cms.cameras)
        infos = [{"Model": c.sensor.model, "Location": 2, "Id": c.id, "Num": n} for n, c in cameras]
        return sorted(infos, key=lambda c: ("/usb" not in str(c["Id"]), c["Id"]), reverse=True)

    @property
    def camera_controls(self) -> dict[str, Any]:
        return dict(self.camera.sensor.controls)

    # ---- configuring

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        known = {"main", "lores", "raw", "transform", "buffer_count", "display", "encode", "queue"}
        assert set(wanted) <= known, "Picamera2 would not take that"
        assert wanted["main"].keys() <= {"size", "format", "stride", "preserve_ar"}
        return dict(wanted)

    def configure(self, config: dict[str, Any]) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        sensor, config = self.camera.sensor, dict(config)
        if not sensor.raw:
            config["raw"] = None
        lores, main = config["lores"], config["main"]["size"]
        if lores is not None and (lores["size"][0] > main[0] or lores["size"][1] > main[1]):
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        names = [n for n in ("main", "lores", "raw") if config[n] is not None]
        if len(names) > sensor.streams:
            raise AttributeError("'NoneType' object has no attribute 'orientation'")
        streams = [self._validated(name, config[name], config["buffer_count"]) for name in names]
        self.camera.configure()
        for stream in streams:
            config[stream.name] = {"format": stream.format, "size": stream.size, "stride": stream.stride}
        config["colour_space"] = sensor.colour
        config["transform"] = config["transform"] if sensor.turns else Transform()
        self.stream_map = dict.fromkeys(("main", "lores", "raw")) | {s.name: s for s in streams}
        self.allocator.allocate(streams, "video")
        self.camera_config = config
        self.configured.append(config)
        self.set = {}

    def _validated(self, name: str, wanted: dict[str, Any], count: int) -> StreamConfig:
        sensor = self.camera.sensor
        size = wanted["size"]
        if sensor.sizes and size not in sensor.sizes:
            size = max(sensor.sizes)
        fmt = wanted.get("format", "SRGGB16")
        if name != "raw" and fmt not in sensor.formats:
            fmt = sensor.formats[0]
        return StreamConfig(name, fmt, size, -(-size[0] // sensor.align) * sensor.align, min(count, sensor.buffer_cap))

    def camera_configuration(self) -> dict[str, Any]:
        return self.camera_config

    def set_controls(self, controls: dict[str, Any]) -> None:
        for name in controls:
            if name not in self.camera.sensor.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.set |= controls

    # ---- running

    def attach_preview(self, preview: Any) -> None:
        if self._preview:
            raise RuntimeError("Preview is already running")
        self._preview = preview
        self._event_loop_running = True

    def detach_preview(self) -> None:
        self._preview = None
        self._event_loop_running = False

    def start_preview(self, preview: Any) -> None:
        if self._event_loop_running:
            raise RuntimeError("An event loop is already running")
        preview.start(self)

    def stop_preview(self) -> None:
        if self._preview is None:
            raise RuntimeError("No preview specified.")
        self._preview.stop()

    def start(self, config: None = None, show_preview: object = False) -> None:
        assert show_preview is None or self._event_loop_running, "Picamera2 would start a preview of its own"
        if not self.camera_config:
            raise RuntimeError("Camera has not been configured")
        if self.started:
            return
        controls, self.set = self.set, {}
        self.camera.start(controls)
        names = [n for n in ("main", "lores", "raw") if self.stream_map[n] is not None]
        buffers = [self.allocator.buffers(self.stream_map[n]) for n in names]
        for parts in zip(*buffers, strict=False):
            request = Request(self.camera_idx)
            request.buffers = {self.stream_map[n]: part for n, part in zip(names, parts, strict=True)}
            self.camera.queue_request(request)
        self.started = True

    def stop(self) -> None:
        if not self.started:
            return
        assert self._preview is None, "with an event loop attached Picamera2 leaves stopping to it"
        self.stop_count += 1
        self.camera.stop()
        self._cm.handle_request(self.camera_idx)
        self.started = False
        with self._requestslock:
            unseen, self._requests = self._requests, []
        for request in unseen:
            request.release()

    def process_requests(self, display: Any) -> None:
        with self._requestslock:
            new, self._requests = self._requests, []
        requests = []
        for request in new:
            assert request.request is not None
            if next(iter(request.request.buffers.values())).metadata.status is SUCCESS:
                requests.append(request)
            else:
                request.release()
        with self.lock:
            for request in requests:
                if self.post_callback:
                    self.post_callback(request)
            for request in requests:
                request.release()

    def close(self) -> None:
        if self._preview:
            self.stop_preview()
        if not self.is_open:
            return
        self.stop()
        self.camera.release()
        self._cm.cleanup(self.camera_idx)
        self.is_open = False
        self.camera = None
        self.notifymeread.close()
        os.close(self.notifyme_w)
        del self.allocator
        self.allocator = Allocator(Sensor())


class Rig:
    """A machine with cameras."""

    def __init__(self, *sensors: Sensor, old: bool = False) -> None:
        self.sensors = sensors or (Sensor(),)
        self.old = old  # a Picamera2 that leaves the caches to us
        self.made = 0  # Picamera2 objects
        self.clock = HandClock()
        self.manager = Manager(self)
        self.hdr: list[tuple[str, bool]] = []
        self._cm = PicameraManager(self)
        self.Picamera2 = type("Picamera2", (FakePicamera2,), {"rig": self, "_cm": self._cm})

    def stack(self) -> Stack:
        return Stack(self.Picamera2, LibCamera, self._switch_hdr)

    def _switch_hdr(self, info: CameraInfo, on: bool) -> bool:
        self.hdr.append((info.model, on))
        return info.model.startswith("imx708")

    @property
    def camera(self) -> Camera:
        return self.manager.cameras[0]

    def tick(self, number: int = 0, *, status: Named = SUCCESS, wall_ns: int = 0) -> bool:
        """The sensor gives one frame; False when no buffer was free. 33.333 ms pass."""
        camera = self.manager.cameras[number]
        self.clock.advance(0.033333)
        with camera.lock:
            if camera.state != "running":
                return False
            if not camera.sensor.tells_duration:
                camera.sequence += 1
            if not camera.queue:
                return False
            if camera.sensor.tells_duration:
                camera.sequence += 1  # the image processor had something to do
            request = camera.queue.popleft()
            now = self.clock.boot_ns()
            request.told = {"SensorTimestamp": now, "ExposureTime": 9999, "AnalogueGain": 2.0, "LensPosition": 0.5}
            if camera.sensor.tells_duration:
                request.told |= {"FrameDuration": 33333, "FrameWallClock": wall_ns or now}
            for buffer in request.buffers.values():
                buffer.metadata = Metadata(status, camera.sequence, now)
                fill(buffer)
            self.manager.ready.append(request)
        self._cm.handle_request()
        return True

    def seen(self) -> bool:
        """Whether all that was given so far has been taken."""
        return not any(
            camera._requests or getattr(camera._preview, "_ready", ()) for camera in self._cm.cameras.values()
        )

    def time_out(self, number: int = 0) -> None:
        """The frontend gives up: what is queued comes back cancelled, and nothing comes after it."""
        self.manager.cameras[number].cancel()
        self._cm.handle_request()
