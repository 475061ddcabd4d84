"""Which camera is meant: by model and connector, for libcamera's ids and numbers change between releases and boots.

`/base/axi/pcie@120000/rp1/i2c@88000/ov5647@36` and `/base/axi/pcie@1000120000/rp1/i2c@88000/ov5647@36` are the same
camera on the same connector of a Pi 5, before and after an update.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackbox_qt.sources.source import SourceError

_CSI = {"88000": "cam0", "80000": "cam1"}
"""Last digits of the I2C controller's address inside RP1 -> connector as printed on a Pi 5 (CAM/DISP 0 and 1)."""
_USB = re.compile(r"([^/\\]*-\d[\d.]*):\d+\.\d+-[0-9a-f]{4}:[0-9a-f]{4}$")  # controller-port:interface-vendor:product


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera as libcamera lists it.

    Threads: immutable, any.
    """

    model: str  # the sensor's, such as "imx708_wide"
    id: str
    number: int  # its place in the list: what `picamera:0` means

    @classmethod
    def of(cls, info: Mapping[str, Any], number: int) -> CameraInfo:
        """From an entry of `Picamera2.global_camera_info()`. A camera without a model is called by its id."""
        return cls(str(info.get("Model") or info["Id"]), str(info["Id"]), number)

    @property
    def connector(self) -> str:
        return connector_of(self.id)

    @property
    def on_usb(self) -> bool:
        """libcamera lists these too; V4L2 knows them better."""
        return _USB.search(self.id) is not None

    @property
    def name(self) -> str:
        """For people: "imx708 on cam0"."""
        return f"{self.model} on {self.connector}"

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when ids and numbers change."""
        return self.model, self.connector


def connector_of(camera_id: str) -> str:
    """Where a camera is plugged in: "cam0" on a Pi 5, "i2c@1" on older ones, "cam0/i2c@1" behind a multiplexer,
    "usb@200000-1.2" for a USB port; the id itself, in small letters, where it tells nothing.
    """
    usb = _USB.search(camera_id)
    if usb:
        return usb[1].lower()
    buses = [part for part in camera_id.lower().split("/")[:-1] if part.startswith("i2c@")]
    if not buses:
        return camera_id.lower()
    if "rp1" in camera_id or "pci" in camera_id:
        buses[0] = next((name for end, name in _CSI.items() if buses[0].endswith(end)), buses[0])
    return "/".join(buses)


def find(which: str, cameras: Sequence[CameraInfo]) -> CameraInfo:
    """The camera that `which` means: a number, a model, a connector, MODEL@CONNECTOR, or an id of any release.

    Raises SourceError: not there (it may come), or more than one of them (somebody must say which).
    """
    which = which.strip()
    if not cameras:
        raise SourceError("no camera was found; check its cable, and camera_auto_detect=1 in /boot/firmware/config.txt")
    found = [camera for camera in cameras if _means(which or "0", camera)]
    if not found:
        raise SourceError(f"there is no camera {which!r}; connected: {_list(cameras)}")
    if len(found) > 1:
        forms = " or ".join(f"picamera:{c.model}@{c.connector}" for c in found)
        raise SourceError(f"picamera:{which} may be {_list(found)}; write {forms}", permanent=True)
    return found[0]


def _list(cameras: Sequence[CameraInfo]) -> str:
    return ", ".join(camera.name for camera in cameras)


def _means(which: str, camera: CameraInfo) -> bool:
    if which.isdecimal():
        return camera.number == int(which)
    if which.startswith(("/", "\\")):  # an id, perhaps of another release: what stays is the connector and the chip
        chip = which.rpartition("/")[2].partition("@")[0]
        return camera.id == which or (connector_of(which) == camera.connector and _is_model(chip, camera.model))
    if _is_connector(which, camera) or _is_model(which, camera.model):
        return True
    model, at, connector = which.partition("@")
    return bool(at) and _is_model(model, camera.model) and _is_connector(connector, camera)


def _is_connector(text: str, camera: CameraInfo) -> bool:
    """By its own name, or by its bus as libcamera writes it (i2c@88000)."""
    text = text.lower()
    return text in (camera.connector, camera.id.lower()) or f"/{text}/" in camera.id.lower()


def _is_model(text: str, model: str) -> bool:
    """An imx708_wide or an imx708_noir is an imx708 too."""
    return model.lower() == text.lower() or model.lower().startswith(text.lower() + "_")


def known(list_them: Callable[[], Sequence[Mapping[str, Any]]]) -> list[CameraInfo]:
    """All cameras, numbered as `picamera:NUMBER` counts them."""
    return [CameraInfo.of(info, number) for number, info in enumerate(list_them())]
