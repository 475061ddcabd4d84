"""One Picamera2 object per camera for the life of the process: making it again costs memory each time."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blackbox_qt.sources.libcamera_identity import CameraInfo, find
from blackbox_qt.sources.picamera_errors import explain
from blackbox_qt.sources.picamera_stack import Stack, has_sensor_hdr, load
from blackbox_qt.sources.source import SourceError

log = logging.getLogger(__name__)


@dataclass
class Kept:
    """A camera's Picamera2 object, and who uses it now.

    Threads: under the Keeper's lock, and by the source that borrowed it.
    """

    info: CameraInfo
    camera: Any
    sensor_hdr: bool
    hdr: bool
    user: str = ""  # name of the camera in the configuration; empty: nobody
    said: str = ""  # the last complaint about its settings: not repeated at each opening

    @property
    def cookie(self) -> int:
        """The number that its requests carry."""
        return int(self.camera.camera_idx)


class Keeper:
    """Lends each camera to one source at a time.

    A camera that comes back well is released, so that other programs may have it, but its object is kept; one that
    comes back silent or broken, or has gone, is closed for good, and the next opening makes a new one.

    Threads: any. Opening a camera holds up the opening of another.
    """

    def __init__(self, load: Callable[[], Stack] = load) -> None:
        self._load = load
        self._stack: Stack | None = None
        self._kept: dict[tuple[str, str], Kept] = {}
        self._lock = threading.Lock()
        self._cancelled: dict[int, Callable[[], None]] = {}

    def borrow(self, which: str, user: str, *, hdr: bool = False) -> Kept:
        """The camera that `which` means (see libcamera_identity.find), reserved for `user`. Raises SourceError."""
        with self._lock:
            stack = self._loaded()
            info = self._find(stack, which)
            kept = self._kept.get(info.key)
            if kept is not None and kept.user:
                raise SourceError(f"{info.name} is used by camera {kept.user} already; give {user} another source")
            if kept is not None and (kept.info.id != info.id or (has_sensor_hdr(info) and kept.hdr != hdr)):
                self._bury(self._kept.pop(info.key).camera)
                kept = None
            try:
                kept = self._made(stack, info, hdr) if kept is None else self._taken_again(kept)
            except (RuntimeError, OSError) as error:
                raise explain(error, info.name) from error
            self._watch(stack)
            kept.info, kept.user, kept.hdr = info, user, hdr
            return kept

    def cameras(self) -> list[CameraInfo]:
        """All that libcamera knows now, also those that are lent. Raises SourceError."""
        with self._lock:
            return self._present(self._loaded())

    def give_back(self, kept: Kept, *, well: bool) -> None:
        """Free the camera. `well`: it gave pictures to the end; otherwise the next opening begins from nothing."""
        with self._lock:
            kept.user = ""
            if well:
                try:
                    kept.camera.allocator.allocate((), None)  # its buffers are half of a Pi's camera memory
                    kept.camera.camera.release()
                    return
                except (RuntimeError, OSError) as error:
                    log.warning("%s could not be released (%s); it is closed for good", kept.info.name, str(error))
            if self._kept.get(kept.info.key) is kept:
                del self._kept[kept.info.key]
            self._bury(kept.camera)

    def transform(self, *, hflip: bool, vflip: bool) -> Any:
        """libcamera's word for a turned picture. After `borrow` only."""
        assert self._stack is not None
        return self._stack.libcamera.Transform(hflip=hflip, vflip=vflip)

    def on_cancelled(self, kept: Kept, call: Callable[[], None] | None) -> None:
        """`call()` when the driver gives requests back unfilled, which Picamera2 does not tell; None: no more.

        It is called on Picamera2's thread, under its lock: it must not block.
        """
        if call is None:
            self._cancelled.pop(kept.cookie, None)
        else:
            self._cancelled[kept.cookie] = call

    def close_all(self) -> None:
        """Close every camera for good: at the end of the process, or of a test."""
        with self._lock:
            while self._kept:
                self._bury(self._kept.popitem()[1].camera)

    def _loaded(self) -> Stack:
        if self._stack is None:
            self._stack = self._load()
            atexit.register(self.close_all)
        return self._stack

    def _find(self, stack: Stack, which: str) -> CameraInfo:
        cameras = self._present(stack)
        there = {camera.key for camera in cameras}
        for key in [key for key, kept in self._kept.items() if not kept.user and key not in there]:
            self._bury(self._kept.pop(key).camera)  # it has gone, and would be another object's if it came again
        return find(which, cameras)

    def _present(self, stack: Stack) -> list[CameraInfo]:
        cameras = stack.cameras()
        if not cameras and not self._kept:
            stack.Picamera2._cm.reset()  # libcamera looks for cameras once; a late driver's is seen by a new manager
            cameras = stack.cameras()
        return cameras

    def _made(self, stack: Stack, info: CameraInfo, hdr: bool) -> Kept:
        sensor_hdr = stack.switch_sensor_hdr(info, hdr)
        camera = stack.Picamera2.__new__(stack.Picamera2)
        try:
            camera.__init__(info.number)
        except BaseException:  # the library's door: what a half-made camera has taken is given back
            self._bury(camera)
            raise
        kept = self._kept[info.key] = Kept(info, camera, sensor_hdr and hdr, hdr)
        return kept

    def _taken_again(self, kept: Kept) -> Kept:
        kept.camera.camera.acquire()
        return kept

    def _bury(self, camera: Any) -> None:
        """Close for good, in whatever state it is.

        WORKAROUND for Picamera2 (0.3.36): after a constructor that failed, close() leaves two descriptors, its thread,
        and the number under which the manager knows it.
        """
        assert self._stack is not None
        manager, state = self._stack.Picamera2._cm, vars(camera)
        state.setdefault("allocator", None)
        try:
            camera.close()
        except Exception as error:  # the library's door: a camera that is being given up must not keep the program
            log.warning("a camera did not close as it should (%s)", str(error))
        state["is_open"] = False  # else it would try again when it is collected
        state["allocator"] = _NoBuffers()  # the last one's descriptor goes now; frames still out may come home to this
        number = state.get("camera_idx")
        if number is not None and manager.cameras.get(number) is camera:
            manager.cleanup(number)
        pipe = state.get("notifymeread")
        if pipe is not None and not pipe.closed:
            pipe.close()
            os.close(camera.notifyme_w)

    def _watch(self, stack: Stack) -> None:
        """Let cancelled requests be seen, which Picamera2 drops without a word."""
        manager = stack.Picamera2._cm
        if not isinstance(manager.cms, _Watched):
            manager._cms = _Watched(manager.cms, self._cancelled)
            if not isinstance(manager.cms, _Watched):
                log.debug("this Picamera2 hides cancelled requests; a silent camera is noticed by its silence")


class _Watched:
    """libcamera's manager, with an eye on the requests that come back unfilled."""

    def __init__(self, manager: Any, cancelled: dict[int, Callable[[], None]]) -> None:
        self._manager = manager
        self._cancelled = cancelled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def get_ready_requests(self) -> list[Any]:
        ready: list[Any] = self._manager.get_ready_requests()
        for request in ready:
            if request.status.name == "Cancelled":
                call = self._cancelled.get(request.cookie)
                if call is not None:
                    call()
        return ready


class _NoBuffers:
    """Stands for the allocator of a camera that has been closed."""

    def acquire(self, buffers: Any) -> None:
        """There are none."""

    def release(self, buffers: Any) -> None:
        """There were some; they go with their last user."""


KEEPER = Keeper()
"""This process's."""
