"""A hand-driven machine with cameras, sources on it, and what they deliver: for the tests of the Picamera2 source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources.picamera import PicameraSource
from blackbox_qt.sources.picamera_keeper import Keeper
from tests.sources.fake_libcamera import PI_5, Sensor
from tests.sources.fake_picamera2 import Rig

Until = Callable[[Callable[[], object]], None]
SMALL = (1280, 720)
REAR = Sensor("imx219", PI_5.format("80000", "imx219@10"))
VIRTUAL = Sensor("Virtual front", "Virtual0", ("NV12",), ((640, 480), (1280, 720)), planes="two", align=2, raw=False,
                 controls={}, tells_duration=False)  # fmt: skip


class Bench:
    """A rig, a keeper, and the sources on it; all is taken down at the end."""

    def __init__(self, *sensors: Sensor, old: bool = False) -> None:
        self.rig = Rig(*sensors, old=old)
        self.keeper = Keeper(self.rig.stack)
        self.sources: list[PicameraSource] = []

    def source(self, which: str = "0", **settings: Any) -> PicameraSource:
        settings = {"name": "front", "source": f"picamera:{which}"} | settings
        small, raw = settings.pop("small", SMALL), settings.pop("raw", False)
        source = PicameraSource(which, CameraConfig(**settings), small, keeper=self.keeper)
        if raw:
            source.want_raw()
        self.sources.append(source)
        return source

    def opened(self, which: str = "0", **settings: Any) -> PicameraSource:
        source = self.source(which, **settings)
        source.open()
        return source

    def end(self) -> None:
        for source in self.sources:
            source.stop()
            source.close()
        self.keeper.close_all()


class Frames:
    """Collects what a source delivers, held until told."""

    def __init__(self, source: PicameraSource) -> None:
        self.all: list[Frame] = []
        self.errors: list[BaseException] = []
        source.start(self.all.append, self.errors.append)

    def close(self) -> None:
        for frame in self.all:
            frame.close()

    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.all]


def run(rig: Rig, frames: Frames, until: Until, count: int = 1, number: int = 0) -> None:
    """`count` frames, one after the other."""
    for _ in range(count):
        have = len(frames.all)
        assert rig.tick(number)
        until(lambda have=have: len(frames.all) > have)
