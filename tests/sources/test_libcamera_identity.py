"""Cameras are known by model and connector, whatever their numbers and ids do."""

from __future__ import annotations

import pytest

from blackbox_qt.sources import SourceError
from blackbox_qt.sources.libcamera_identity import CameraInfo, connector_of, find, known

WIDE = CameraInfo("imx708_wide", "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a", 0)
OLD = CameraInfo("ov5647", "/base/axi/pcie@1000120000/rp1/i2c@80000/ov5647@36", 1)
USB = CameraInfo("HD Webcam", "/base/axi/pcie@1000120000/rp1/usb@200000-1.2:1.0-046d:0825", 2)
ALL = [WIDE, OLD, USB]
TWINS = [WIDE, CameraInfo("imx708_wide", "/base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a", 1)]


@pytest.mark.parametrize(
    ("camera_id", "connector"),
    [
        ("/base/axi/pcie@120000/rp1/i2c@88000/ov5647@36", "cam0"),
        ("/base/axi/pcie@1000120000/rp1/i2c@88000/ov5647@36", "cam0"),
        ("/base/axi/pcie@1000120000/rp1/i2c@80000/imx219@10", "cam1"),
        ("/base/axi/pcie@1000120000/pci@0,0/dev@0,0/pci-ep-bus@1/i2c@40088000/imx219@10", "cam0"),
        ("/base/soc/i2c0mux/i2c@1/imx219@10", "i2c@1"),
        ("/base/axi/pcie@1000120000/rp1/i2c@88000/i2c-mux@70/i2c@2/imx219@10", "cam0/i2c@2"),
        ("/base/axi/pcie@1000120000/rp1/usb@200000-1.2:1.0-046d:0825", "usb@200000-1.2"),
        (r"\_SB_.PCI0.XHC_.RHUB-4:1.0-0bda:58f4", "_sb_.pci0.xhc_.rhub-4"),
        ("Virtual0", "virtual0"),
    ],
)
def test_where_a_camera_is_plugged_in(camera_id: str, connector: str) -> None:
    assert connector_of(camera_id) == connector


@pytest.mark.parametrize(
    ("which", "camera"),
    [
        ("", WIDE), ("0", WIDE), ("1", OLD), ("2", USB), ("imx708", WIDE), ("IMX708_wide", WIDE), ("ov5647", OLD),
        ("cam1", OLD), ("i2c@80000", OLD), ("ov5647@cam1", OLD), ("ov5647@i2c@80000", OLD), ("imx708@CAM0", WIDE),
        ("hd webcam", USB), ("usb@200000-1.2", USB), (WIDE.id, WIDE),
        ("/base/axi/pcie@120000/rp1/i2c@80000/ov5647@36", OLD),
    ],
)  # fmt: skip
def test_forms_of_saying_which(which: str, camera: CameraInfo) -> None:
    assert find(which, ALL) is camera


@pytest.mark.parametrize(
    "which", ["7", "imx7", "imx219", "imx708@cam1", "cam2", "@", "/base/soc/i2c0mux/i2c@1/imx219@10"]
)
def test_a_camera_that_is_not_there_may_come(which: str) -> None:
    with pytest.raises(SourceError, match="connected: imx708_wide on cam0, ov5647 on cam1, HD Webcam on usb") as caught:
        find(which, ALL)
    assert not caught.value.permanent


def test_twins_are_told_apart_by_connector() -> None:
    with pytest.raises(SourceError, match="write picamera:imx708_wide@cam0 or picamera:imx708_wide@cam1") as caught:
        find("imx708", TWINS)
    assert caught.value.permanent
    assert find("imx708@cam1", TWINS) is TWINS[1]
    assert find("cam0", TWINS) is TWINS[0]


def test_no_camera_at_all() -> None:
    with pytest.raises(SourceError, match="no camera was found; check its cable"):
        find("0", [])


def test_a_camera_without_a_model_is_called_by_its_id() -> None:
    infos = [{"Id": "odd", "Num": 3}, {"Id": "Virtual1", "Model": "Virtual rear", "Num": 0}]
    assert [c.name for c in known(lambda: infos)] == ["odd on odd", "Virtual rear on virtual1"]
