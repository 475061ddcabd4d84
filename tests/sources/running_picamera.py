"""The Picamera2 source on a hand-driven stack that ticks by itself, for the contract that every source keeps."""

from __future__ import annotations

import threading
from typing import Any

from blackbox_qt.config import CameraConfig
from blackbox_qt.sources.picamera import PicameraSource
from blackbox_qt.sources.picamera_keeper import Keeper
from blackbox_qt.sources.source import Deliver, Failed
from tests.sources.fake_libcamera import Sensor
from tests.sources.fake_picamera2 import Rig

KINDS = {
    "picamera": Sensor(),
    "picamera-nv12-two-planes": Sensor("Virtual front", "Virtual0", ("NV12",), planes="two", controls={}, raw=False,
                                       tells_duration=False),
    "picamera-nv12-two-buffers": Sensor(formats=("NV12",), planes="apart"),
}  # fmt: skip


def make(kind: str, buffers: int) -> Any:
    """A source named front that gives a frame each millisecond; its camera is closed for good with it."""
    rig = Rig(KINDS[kind])
    keeper = Keeper(rig.stack)
    config = CameraConfig(name="front", source="picamera:0", buffers=buffers, width=128, height=96)
    return Running(PicameraSource("0", config, (64, 48), keeper=keeper), rig, keeper)


class Running:
    def __init__(self, source: PicameraSource, rig: Rig, keeper: Keeper) -> None:
        self._source, self._rig, self._keeper = source, rig, keeper
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    # isinstance looks for these in the class

    def want_raw(self) -> None:
        self._source.want_raw()

    def raw_still(self, limit_s: float) -> bytes:
        return self._source.raw_still(limit_s)

    def start(self, deliver: Deliver, failed: Failed) -> None:
        self._source.start(deliver, failed)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.001):
            if self._rig.seen():  # a busy machine is no reason to lose frames here
                self._rig.tick()

    def stop(self) -> None:
        self._source.stop()  # while the camera still gives frames
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        try:
            self._source.close()
        finally:
            self._keeper.close_all()
