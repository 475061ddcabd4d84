"""USB cameras and whatever else gives pictures through /dev/video: V4L2 with mapped, exported buffers."""

from __future__ import annotations

import logging
import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.clock import Clock, SystemClock
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.pool import Lending
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources.source import CLOSE_LIMIT_S, Deliver, Failed, SourceError
from blackbox_qt.sources.v4l2_controls import Controls
from blackbox_qt.sources.v4l2_convert import Converter, DamagedError, converter_for
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_format import layout_of
from blackbox_qt.sources.v4l2_identity import Camera, Known
from blackbox_qt.sources.v4l2_kernel import Kernel, SystemKernel
from blackbox_qt.sources.v4l2_modes import CHEAPEST_FIRST, Mode, choose
from blackbox_qt.sources.v4l2_ring import Filled, Ring
from blackbox_qt.sources.v4l2_stamps import Stamps
from blackbox_qt.sources.v4l2_words import explain

log = logging.getLogger(__name__)

KNOWN = Known()
"""This program's cameras, across every closing and opening again."""

_OWN_BUFFERS = 6
"""The driver's, where pictures are converted at once and none is lent: 0.2 s at 30 frames per second."""
_TROUBLE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class V4L2Source:
    """A V4L2 camera. NV12 and YU12 are lent where the driver wrote them; YUYV and MJPG are converted once, here.

    `converted` counts pictures that were converted (or copied, when the driver has fewer buffers than are needed),
    `damaged` those that the driver or the decoder called broken: they leave a hole in the numbers.

    Threads: see Source; frames come on `cam-<camera>`.
    """

    origin = "camera"

    def __init__(
        self,
        which: str,
        config: CameraConfig,
        kernel: Kernel | None = None,
        clock: Clock | None = None,
        known: Known = KNOWN,
        root: Path = Path("/"),
    ) -> None:
        self.camera = config.name
        self.device = f"camera v4l2:{which}"
        self.buffers = config.buffers
        self.fps = config.fps
        self.layout: Layout | None = None
        self.mode: Mode | None = None
        self.converted = self.damaged = 0
        self._which = which
        self._config = config
        self._kernel = kernel or SystemKernel()
        self._clock = clock or SystemClock()
        self._known = known
        self._root = root
        self._node = ""
        self._open: Device | None = None
        self._ring: Ring | None = None
        self._converter: Converter | None = None
        self._lending = Lending(config.buffers)  # of converted pictures
        self._worker: Worker | None = None

    def open(self) -> None:
        found = self._known.find(self.camera, self._which, self._kernel, self._root)
        self.device, self._node = str(found), found.node
        with self._explained():
            self._open = Device(self._kernel, found.node)
        try:
            with self._explained():
                self._set_up(self._open, found)
        except SourceError:
            self._let_go()
            raise

    def start(self, deliver: Deliver, failed: Failed) -> None:
        assert self._ring is not None
        try:
            with self._explained():
                self._ring.start()
        except SourceError:
            self._unqueue(self._ring)
            raise
        self._worker = Worker(f"cam-{self.camera}", partial(self._run, deliver), failed)
        self._worker.start()

    def stop(self) -> None:
        if self._worker is None or self._ring is None:
            return
        self._worker.stop()
        self._ring.interrupt()
        self._worker.join()
        self._worker = None
        with self._explained():
            self._ring.stop()

    def close(self) -> None:
        home = self._ring is None or self._ring.wait_home(CLOSE_LIMIT_S)
        home = self._lending.wait_home(CLOSE_LIMIT_S) and home
        out = self._lending.out + (0 if self._ring is None else self._ring.out)
        self._let_go()
        if not home:
            raise SourceError(f"{self.device}: {out} frames did not come home", process=True)

    def _unqueue(self, ring: Ring) -> None:
        """After a start that failed: the driver gives up what it has got so far."""
        try:
            ring.stop()
        except OSError as error:
            log.debug("%s: STREAMOFF after a failed start: %s", self._node, error.strerror)

    def _set_up(self, device: Device, found: Camera) -> None:
        """Format, rate, controls and buffers, in the order that drivers want them."""
        mode = self._choose(device)
        pix = device.set_format(mode.fourcc, mode.width, mode.height)
        layout = layout_of(pix)
        interval = device.set_interval(mode.interval) or mode.interval
        self.mode = Mode(layout.fourcc, layout.width, layout.height, interval)
        self.fps = self.mode.fps
        self._say_differences(self.mode)
        controls = Controls(device)
        controls.apply(self._config)
        self._say_lacking(controls.lacking)
        self._reserve(device, layout)
        log.info("%s: %s is %s, %s", self.camera, found.node, found, self.mode)

    def _choose(self, device: Device) -> Mode:
        c = self._config
        asked = CHEAPEST_FIRST if c.format == "auto" else (c.format,)
        mode = choose(device, asked, c.width, c.height, c.fps)
        mode = mode or choose(device, CHEAPEST_FIRST, c.width, c.height, c.fps)
        if mode is None:
            offered = ", ".join(device.formats()) or "no format at all"
            raise SourceError(f"{self.device} gives {offered}; needed is one of {', '.join(CHEAPEST_FIRST)}")
        return mode

    def _reserve(self, device: Device, layout: Layout) -> None:
        lent = layout.fourcc in ("NV12", "YU12")
        self._ring = Ring(device, self.buffers if lent else _OWN_BUFFERS, export=lent)
        if lent and self._ring.count < self.buffers:
            log.info("%s: the driver has %d buffers only; pictures are copied", self.camera, self._ring.count)
            lent = False
        self._converter = None if lent else converter_for(layout)
        self.layout = layout if self._converter is None else self._converter.layout

    def _say_differences(self, mode: Mode) -> None:
        c = self._config
        same = (mode.width, mode.height) == (c.width, c.height) and abs(mode.fps / c.fps - 1) < 0.05
        if same and c.format in ("auto", mode.fourcc):
            return
        asked = f"{c.width}x{c.height} at {c.fps:.4g}" + ("" if c.format == "auto" else f" in {c.format}")
        self._say(f"{self.device} cannot give {asked}; it gives {mode}")

    def _say_lacking(self, names: list[str]) -> None:
        if names:
            self._say(f"{self.device} has no way to set {', '.join(names)}; it stays as the camera has it")

    def _say(self, words: str) -> None:
        if self._known.first_time(self.camera, words):
            log.warning("%s: %s", self.camera, words)

    def _let_go(self) -> None:
        """Everything back to the kernel, except what is lent: that follows when it comes home."""
        if self._ring is not None:
            self._ring.close()
        if self._open is not None:
            self._open.close()
        self._ring = self._open = self._converter = None

    def _run(self, deliver: Deliver) -> None:
        assert self._worker is not None and self._ring is not None
        stamps = Stamps(self._clock, self._kernel)
        with self._explained():
            while not self._worker.stop_requested.is_set():
                events = self._ring.wait()
                filled = self._ring.take() if events else None
                if filled is not None:
                    self._pass_on(filled, stamps.boot_ns(filled.stamp_ns), self._ring, deliver)
                elif events & _TROUBLE:  # and reading did not say what it is
                    raise SourceError(f"{self.device} stopped by itself; unplug it and plug it in again")

    def _pass_on(self, filled: Filled, t_ns: int, ring: Ring, deliver: Deliver) -> None:
        frame = None
        if filled.damaged:
            self.damaged += 1
        elif self._converter is not None:
            frame = self._convert(filled, t_ns, ring, self._converter)
        else:
            frame = self._lend(filled, t_ns, ring)
        if frame is None or self._converter is not None:
            ring.give(filled.index)
        if frame is not None:
            deliver(frame)

    def _lend(self, filled: Filled, t_ns: int, ring: Ring) -> Frame | None:
        """The driver's own buffer, which goes back at the last close."""
        assert self.layout is not None
        if filled.size < self.layout.size:
            self.damaged += 1
            return None
        index = filled.index
        image = Image(self.layout, [ring.memory(index)], dmabufs=ring.dmabufs(index), key=ring.key(index))
        return Frame.lend(self.camera, filled.sequence, t_ns, {"main": image}, partial(ring.give, index))

    def _convert(self, filled: Filled, t_ns: int, ring: Ring, convert: Converter) -> Frame | None:
        """A picture of our own; None when it is damaged, or when all of ours are out: then it is lost."""
        if not self._lending.acquire():
            return None
        image = None
        try:
            image = convert(memoryview(ring.memory(filled.index))[: filled.size])
        except DamagedError as error:
            words = str(error)  # not the error: who keeps the log line would keep the driver's memory
            log.debug("%s: picture %d is damaged: %s", self.camera, filled.sequence, words)
            self.damaged += 1
            return None
        finally:
            if image is None:
                self._lending.release()
        self.converted += 1
        return Frame.lend(self.camera, filled.sequence, t_ns, {"main": image}, self._lending.release)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What the kernel refuses becomes a SourceError with words."""
        try:
            yield
        except OSError as error:
            raise explain(error, self.device, self._node, self._root / "proc") from error
