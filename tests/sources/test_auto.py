"""Which camera a box takes that nobody has told which, and that it stays with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources import make, origin_of
from blackbox_qt.sources.auto import AutoSource, first_camera
from blackbox_qt.sources.picamera_keeper import Keeper
from blackbox_qt.sources.picamera_stack import Stack
from blackbox_qt.sources.source import Source, SourceError
from tests.fakes import HandSource
from tests.sources.fake_libcamera import Sensor
from tests.sources.fake_v4l2 import FakeCamera, FakeKernel
from tests.sources.picamera_bench import REAR, Bench

Rigs = Callable[..., Bench]
WEBCAM = Sensor("HD Webcam", r"\_SB_.PCI0.RP1_.USB0-1.2:1.0-046d:082d")


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def no_picamera2() -> Stack:
    raise SourceError("Picamera2 is not installed", permanent=True)


def test_a_pis_own_camera_comes_before_one_on_usb(bench: Rigs, kernel: FakeKernel) -> None:
    kernel.plug(FakeCamera("HD Webcam", port="usb-xhci-hcd.0-1.2"), 0, 1)
    rig = bench(Sensor(), REAR)
    assert first_camera(rig.keeper, kernel, kernel.root) == "picamera:imx708@cam0"


def test_usb_cameras_that_libcamera_lists_are_taken_by_their_driver(bench: Rigs, kernel: FakeKernel) -> None:
    kernel.plug(FakeCamera("HD Webcam", port="usb-xhci-hcd.0-1.2"), 0, 1)
    assert first_camera(bench(WEBCAM).keeper, kernel, kernel.root) == "v4l2:usb-xhci-hcd.0-1.2"


def test_without_picamera2_there_is_usb(kernel: FakeKernel) -> None:
    kernel.plug(FakeCamera("HD Webcam", port="usb-xhci-hcd.0-1.2"), 4, 5)
    assert first_camera(Keeper(no_picamera2), kernel, kernel.root) == "v4l2:usb-xhci-hcd.0-1.2"


@pytest.mark.parametrize("with_picamera2", [True, False])
def test_no_camera_at_all_may_change(bench: Rigs, kernel: FakeKernel, with_picamera2: bool) -> None:
    rig = bench()
    rig.rig.sensors = ()  # and libcamera is asked to look again
    rig.rig.manager.cameras.clear()
    keeper = rig.keeper if with_picamera2 else Keeper(no_picamera2)
    with pytest.raises(SourceError) as caught:
        first_camera(keeper, kernel, kernel.root)
    assert not caught.value.permanent, "it may be plugged in later"
    assert (
        "neither on a ribbon nor on USB" in str(caught.value)
        if with_picamera2
        else "not installed" in str(caught.value)
    )


class Shelf:
    """Cameras by spec; `find` says the first."""

    def __init__(self, *specs: str) -> None:
        self.specs = list(specs)
        self.opened: list[str] = []
        self.chosen: dict[str, str] = {}
        self.broken = False

    def find(self) -> str:
        if not self.specs:
            raise SourceError("none")
        return self.specs[0]

    def build(self, spec: str) -> Source:
        self.opened.append(spec)
        return HandSource(fail_open=SourceError("busy") if self.broken else None)

    def source(self) -> AutoSource:
        return AutoSource("front", 12, self.build, self.find, self.chosen)


def test_it_is_the_camera_that_it_has_found(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    shelf = Shelf("v4l2:usb-1")
    source = shelf.source()
    assert (source.device, source.buffers, source.layout) == ("the first camera found", 12, None)
    source.open()
    frames: list[Frame] = []
    source.start(frames.append, lambda error: None)
    inner = source._real()
    assert isinstance(inner, HandSource)
    inner.tick()
    assert (source.device, source.fps, source.layout) == (inner.device, inner.fps, frames[0].images["main"].layout)
    frames[0].close()
    source.stop()
    source.close()
    assert "front: source auto is v4l2:usb-1" in caplog.text


def test_it_stays_with_its_camera_when_another_one_comes() -> None:
    shelf = Shelf("v4l2:usb-1")
    first = shelf.source()
    first.open()
    first.close()
    shelf.specs.insert(0, "picamera:imx708@cam0")
    again = shelf.source()
    again.open()
    again.close()
    assert shelf.opened == ["v4l2:usb-1", "v4l2:usb-1"]


def test_one_that_could_not_be_opened_is_not_chosen_for_ever() -> None:
    shelf = Shelf("v4l2:usb-1")
    shelf.broken = True
    with pytest.raises(SourceError, match="busy"):
        shelf.source().open()
    shelf.broken, shelf.specs = False, ["v4l2:usb-2"]
    source = shelf.source()
    source.open()
    source.close()
    assert shelf.opened[-1] == "v4l2:usb-2"


def test_the_word_is_auto_and_its_pictures_are_a_cameras() -> None:
    source = make(CameraConfig(source="auto"))
    assert isinstance(source, AutoSource)
    assert source.origin == origin_of("auto") == "camera"
    source.stop()
    source.close()
    with pytest.raises(SourceError, match="write auto, picamera:WHICH"):
        make(CameraConfig(source="auto:2"))
