"""A Pi's own camera through Picamera2: YUV 4:2:0 from the image processor, lent where the camera wrote it."""

from __future__ import annotations

import io
import logging
import queue
import threading
import time
from functools import partial
from typing import Any

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.scale import fit
from blackbox_qt.sources.picamera_controls import Wish, wish
from blackbox_qt.sources.picamera_errors import explain
from blackbox_qt.sources.picamera_frames import Buffer, BufferSet, layout_of
from blackbox_qt.sources.picamera_keeper import KEEPER, Keeper, Kept
from blackbox_qt.sources.picamera_numbers import FrameNumbers, Shot, boot_offset_ns, duration_ns, shot_of
from blackbox_qt.sources.picamera_pump import Pump
from blackbox_qt.sources.source import CLOSE_LIMIT_S, Deliver, Failed, SourceError

log = logging.getLogger(__name__)

_GRACE_S = 0.3
"""How long a start waits for frames of the time before, instead of taking a second set of buffers."""
_SILENT_S = 1.5
"""A camera without a picture for so long when it was stopped is not well."""
_RAW_BUFFERS = 4
"""With raw pictures of 24 MB each, more would not fit into a Pi's camera memory."""


class PicameraSource:
    """The camera that `which` means (see libcamera_identity), as `config` wants it and as far as it can.

    "lores" comes from the image processor where "main" does not fit within `small`. A frame is a lease on Picamera2's
    request: when its last handle is closed, on any thread, the camera may fill those buffers again. `shot` tells how
    the newest one was taken.

    Threads: see Source; frames come on `cam-<camera>`. `raw_still` by any one thread, while started.
    """

    origin = "camera"

    def __init__(
        self,
        which: str,
        config: CameraConfig,
        small: tuple[int, int],
        *,
        keeper: Keeper = KEEPER,
    ) -> None:
        self.camera = config.name
        self.device = f"picamera:{which}"  # until it is known which one that is
        self.buffers = self._asked = config.buffers
        self.fps = config.fps
        self.layout: Layout | None = None
        self.shot: Shot | None = None
        self._which = which
        self._config = config
        self._small = small
        self._raw = False
        self._keeper = keeper
        self._kept: Kept | None = None
        self._set: BufferSet | None = None
        self._older: list[BufferSet] = []  # of configurations before this one, some of whose frames are still out
        self._pump: Pump | None = None
        self._wish = Wish(config.fps)
        self._numbers = FrameNumbers()
        self._offset_ns = 0
        self._well = True  # as far as the last stop could see
        self._broken = False
        self._arrived = 0.0  # monotonic, s
        self._raw_wanted = threading.Event()
        self._raw_given: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def want_raw(self) -> None:
        self._raw, self._asked = True, _RAW_BUFFERS

    def open(self) -> None:
        kept = self._keeper.borrow(self._which, self.camera, hdr=self._config.hdr)
        self.device = kept.info.name
        try:
            self._configure(kept)
        except Exception as error:  # the library's door: whatever it was, the camera goes back
            self._set = None
            self._keeper.give_back(kept, well=False)
            raise explain(error, self.device) from error
        self._kept, self._well, self._broken = kept, True, False

    def start(self, deliver: Deliver, failed: Failed) -> None:
        kept, buffers = self._kept, self._set
        assert kept is not None and buffers is not None
        pump = Pump(f"cam-{self.camera}", partial(self._take, deliver), failed)
        try:
            if not buffers.lending.wait_home(_GRACE_S):
                self._older.append(buffers)
                self._configure(kept)  # new buffers: the camera would write into those that are still read
            kept.camera.set_controls(self._wish.controls)  # Picamera2 forgets them at each start
            self._numbers, self._offset_ns = FrameNumbers(), boot_offset_ns()
            self._arrived = time.monotonic()
            self._keeper.on_cancelled(kept, partial(pump.fail, self._silent()))
            kept.camera.start_preview(pump)
            self._pump = pump
            kept.camera.start(show_preview=None)
        except Exception as error:  # the library's door
            self._keeper.on_cancelled(kept, None)
            self.stop()
            self._broken = True
            raise explain(error, self.device) from error

    def stop(self) -> None:
        kept, pump = self._kept, self._pump
        if kept is None or pump is None:
            return
        self._keeper.on_cancelled(kept, None)  # stopping gives back all requests unfilled, and that is no fault
        kept.camera.stop_preview()  # first: with a pump, Picamera2 would leave stopping to it, and wait for ever
        self._pump = None
        patience_s = max(_SILENT_S, 3 / (self._config.slowest_fps or self.fps))
        self._well = time.monotonic() - self._arrived < patience_s
        while not self._raw_given.empty():
            self._raw_given.get().release()  # whoever wanted it has gone
        try:
            kept.camera.stop()
        except (RuntimeError, OSError) as error:
            self._broken = True
            log.error("%s: %s", self.camera, explain(error, f"{self.device}, while it was stopped,"))

    def close(self) -> None:
        kept, buffers = self._kept, self._set
        if kept is None or buffers is None:
            return
        until = time.monotonic() + CLOSE_LIMIT_S
        lent = [each.lending for each in (buffers, *self._older)]
        home = all(each.wait_home(max(0.0, until - time.monotonic())) for each in lent)
        self._kept, self._set, self._older = None, None, []
        self._keeper.give_back(kept, well=self._well and home and not self._broken)
        if not home:
            raise SourceError(f"{self.device}: {sum(each.out for each in lent)} frames did not come home", process=True)

    def raw_still(self, limit_s: float) -> bytes:
        assert self._kept is not None
        if self._kept.camera.stream_map.get("raw") is None:
            raise SourceError(f"{self.device} gives no raw pictures; take the still without --dng", permanent=True)
        self._raw_wanted.set()
        try:
            request = self._raw_given.get(timeout=limit_s)
        except queue.Empty:
            raise SourceError(f"{self.device} gave no raw picture within {limit_s:.0f} s") from None
        finally:
            self._raw_wanted.clear()
        file = io.BytesIO()
        try:
            request.save_dng(file)
        finally:
            request.release()
        return file.getvalue()

    # ---- configuring

    def _configure(self, kept: Kept) -> None:
        camera, small = kept.camera, self._small_size()
        if small is not None and len(camera.camera.streams) < 2:
            small = None
        got = self._try(camera, small)
        if small is not None and not self._is_small(got["lores"]["size"]):
            got = self._try(camera, None)  # a camera with a few sizes of its own: ours are made from main, if wanted
        names = [name for name in ("main", "lores") if got.get(name)]
        self._set = BufferSet(
            {n: (layout_of(got[n], got["colour_space"]), camera.allocator.buffers(camera.stream_map[n])) for n in names}
        )
        self._wish = wish(self._config, camera.camera_controls, sensor_hdr=kept.sensor_hdr)
        self.buffers, self.fps, self.layout = self._set.count, self._wish.fps, self._set.layouts["main"]
        self._say_what_is_lacking(kept, got)

    def _small_size(self) -> tuple[int, int] | None:
        """What to ask the image processor for beside the main picture, if that is too large."""
        main = Layout.packed(self._config.width, self._config.height)
        size = fit(main, *self._small)
        return None if size == (main.width, main.height) else size

    def _is_small(self, size: tuple[int, int]) -> bool:
        return size[0] <= self._small[0] and size[1] <= self._small[1]

    def _try(self, camera: Any, small: tuple[int, int] | None) -> dict[str, Any]:
        """Configure the camera and return what it made of that; buffers are allocated then."""
        upside_down = self._config.rotate == 180
        config = camera.create_video_configuration(
            main={"size": (self._config.width, self._config.height), "format": "YUV420"},
            lores=None if small is None else {"size": small, "format": "YUV420"},
            # A raw stream, which Picamera2 takes unless told not to, costs more memory than all the rest.
            raw={"size": camera.sensor_resolution} if self._raw else None,
            transform=self._keeper.transform(hflip=upside_down, vflip=upside_down),
            buffer_count=self._asked,
            display=None,  # nothing is drawn or encoded by Picamera2,
            encode=None,
            queue=False,  # and it keeps no request back
        )
        camera.configure(config)
        got: dict[str, Any] = camera.camera_configuration()
        return got

    def _say_what_is_lacking(self, kept: Kept, got: dict[str, Any]) -> None:
        lacking = list(self._wish.lacking)
        width, height = got["main"]["size"]
        if (width, height) != (self._config.width, self._config.height):
            lacking.insert(0, f"{self._config.width}x{self._config.height} (it gives {width}x{height})")
        turned = got["transform"]
        if (turned.hflip, turned.vflip) != (self._config.rotate == 180,) * 2:
            lacking.append(f"rotate {self._config.rotate}")
        if self.buffers < self._asked:
            lacking.append(f"buffers {self._asked} (it gives {self.buffers}; frames may be lost)")
        words = f"{self.device} does not do all that is configured: {', '.join(lacking)}" if lacking else ""
        if words and words != kept.said:
            log.warning("%s: %s", self.camera, words)
        kept.said = words

    # ---- frames

    def _take(self, deliver: Deliver, request: Any) -> None:
        """One completed request becomes a frame; it is the frame's from here on."""
        buffers = self._set
        assert buffers is not None
        if self._raw_wanted.is_set():
            self._raw_wanted.clear()
            request.acquire()
            self._raw_given.put(request)
        try:
            frame = self._frame(request, buffers)
        except BaseException:  # the pump's door, which tells; here only the buffers go back
            request.release()
            raise
        deliver(frame)

    def _frame(self, request: Any, buffers: BufferSet) -> Frame:
        parts = {n: request.request.buffers[request.stream_map[n]] for n in buffers.layouts}
        held = {name: buffers.get(name, part) for name, part in parts.items()}
        told = request.get_metadata()
        main = parts["main"].metadata
        t_ns = int(told.get("SensorTimestamp") or main.timestamp) + self._offset_ns
        seq = self._numbers.next(main.sequence, t_ns, duration_ns(told))
        self.shot, self._arrived = shot_of(told), time.monotonic()
        ours = [] if _synced_already(request) else list(held.values())
        for buffer in ours:
            buffer.begin()
        images: dict[str, Image] = {name: buffer.image() for name, buffer in held.items()}
        buffers.lending.acquire()  # there are as many requests as buffers: it does not refuse
        return Frame.lend(self.camera, seq, t_ns, images, partial(self._home, request, ours, buffers))

    def _home(self, request: Any, synced: list[Buffer], buffers: BufferSet) -> None:
        """The last handle was closed. Called on any thread, which must not suffer from what the camera says to it."""
        try:
            for buffer in synced:
                buffer.end()
            request.release()
        except Exception as error:  # the camera's door: the holder of a frame has no part in its faults
            self._not_taken_back(error)
        finally:
            buffers.lending.release()

    def _not_taken_back(self, error: Exception) -> None:
        self._broken = True
        pump = self._pump
        words = explain(error, self.device)
        if pump is None:
            log.debug("%s: a frame of a stopped camera: %s", self.camera, words)
        else:
            pump.fail(words)

    def _silent(self) -> SourceError:
        words = "sends nothing any more (its requests were cancelled: frontend timeout); check its cable"
        return SourceError(f"{self.device} {words}")


def _synced_already(request: Any) -> bool:
    """Newer Picamera2 tells the caches itself, from a request's completion to its release; twice costs time."""
    return bool(getattr(request, "syncs", None)) and not getattr(request.picam2.allocator, "needs_sync", True)
