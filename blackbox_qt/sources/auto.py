"""The camera that is plugged in, for a box that nobody has told which: a Pi's own first, else one on USB.

What the package is configured with. A box with two cameras names both: else they could change places on the road.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from blackbox_qt.core.layout import Layout
from blackbox_qt.sources import v4l2_identity
from blackbox_qt.sources.picamera_keeper import KEEPER, Keeper
from blackbox_qt.sources.source import Deliver, Failed, Source, SourceError
from blackbox_qt.sources.v4l2_kernel import Kernel, SystemKernel

log = logging.getLogger(__name__)

CHOSEN: dict[str, str] = {}
"""Camera's name -> what it turned out to be, for as long as the program runs: it is not taken for another later."""


class AutoSource:
    """The first camera found when it is opened, and from then on that one.

    `build(spec)` makes the real source, `find()` tells the spec.

    Threads: see Source.
    """

    origin = "camera"

    def __init__(
        self,
        camera: str,
        buffers: int,
        build: Callable[[str], Source],
        find: Callable[[], str] | None = None,
        chosen: dict[str, str] = CHOSEN,
    ) -> None:
        self.camera = camera
        self._buffers = buffers
        self._build = build
        self._find = find or first_camera
        self._chosen = chosen
        self._source: Source | None = None

    @property
    def device(self) -> str:
        return "the first camera found" if self._source is None else self._source.device

    @property
    def buffers(self) -> int:
        return self._buffers if self._source is None else self._source.buffers

    @property
    def fps(self) -> float:
        return 0.0 if self._source is None else self._source.fps

    @property
    def layout(self) -> Layout | None:
        return None if self._source is None else self._source.layout

    @property
    def converted(self) -> int:
        """What the real source says of itself beyond the contract; so is `shot`."""
        return int(getattr(self._source, "converted", 0))

    @property
    def shot(self) -> object:
        return getattr(self._source, "shot", None)

    def open(self) -> None:
        spec = self._chosen.get(self.camera) or self._find()
        source = self._build(spec)
        source.open()
        self._source = source
        if self._chosen.get(self.camera) != spec:
            self._chosen[self.camera] = spec
            log.info("%s: source auto is %s (%s)", self.camera, spec, source.device)

    def start(self, deliver: Deliver, failed: Failed) -> None:
        self._real().start(deliver, failed)

    def stop(self) -> None:
        if self._source is not None:
            self._source.stop()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _real(self) -> Source:
        assert self._source is not None
        return self._source


def first_camera(keeper: Keeper = KEEPER, kernel: Kernel | None = None, root: Path = Path("/")) -> str:
    """The spec of a Pi's own camera, else of a USB camera: the same one at every start. Raises SourceError.

    Threads: one at a time; the first import of Picamera2 takes a second.
    """
    ribbon, why = _ribbon(keeper)
    usb = [camera for camera in v4l2_identity.cameras(kernel or SystemKernel(), root) if camera.pictures]
    found = [*ribbon, *(f"v4l2:{camera.port or camera.node}" for camera in usb)]
    if found:
        return found[0]
    if why:
        raise SourceError(f"there is no camera on USB, and a Pi's own cannot be looked for: {why}")
    raise SourceError("no camera is plugged in, neither on a ribbon nor on USB; check its cable")


def _ribbon(keeper: Keeper) -> tuple[Sequence[str], str]:
    """Specs of the Pi's own cameras, or why they cannot be known."""
    try:
        cameras = keeper.cameras()
    except SourceError as error:  # Picamera2 is not there or broken: on a PC, or where only USB cameras are used
        return (), str(error)
    return [f"picamera:{c.model}@{c.connector}" for c in cameras if not c.on_usb], ""
