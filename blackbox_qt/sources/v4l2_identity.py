"""Which camera is meant: by serial number, connector or name. /dev/videoN says only in which order they were found."""

from __future__ import annotations

import errno
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.source import SourceError
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_kernel import Kernel

_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_LEVELS_TO_USB = 4  # from a video node's device up to the USB device that carries serial number and address


@dataclass(frozen=True, slots=True)
class Camera:
    """One video node, and whose it is.

    Threads: immutable, any.
    """

    node: str  # "/dev/video0": the kernel's number, which moves
    index: int  # which of its device's nodes
    name: str  # as the device calls itself
    driver: str = ""
    port: str = ""  # "usb-xhci-hcd.0-1.2": the connector
    serial: str = ""  # empty where the maker gave none
    pictures: bool = False  # False: a metadata node, an output, a part of the Pi's own camera
    closed: int = 0  # why it could not be opened (errno)

    def __str__(self) -> str:
        marks = [f"serial {self.serial}"] if self.serial else []
        return f"{self.name} ({', '.join([*marks, self.port])})"

    @property
    def device(self) -> tuple[str, str, str]:
        """The same for all nodes of one device."""
        return self.serial, self.port, self.name


def cameras(kernel: Kernel, root: Path = Path("/")) -> list[Camera]:
    """All video nodes of the machine, by number; those that give pictures have `pictures`.

    Threads: any.
    """
    folder = root / "sys/class/video4linux"
    names = sorted(_numbered(folder), key=lambda name: int(name[5:]))
    return [found for name in names if (found := _look(kernel, folder / name)) is not None]


def _numbered(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if re.fullmatch(r"video\d+", name)]
    except FileNotFoundError:  # no video device since the machine started
        return []


def _look(kernel: Kernel, entry: Path) -> Camera | None:
    node = f"/dev/{entry.name}"
    index = int(_read(entry / "index") or 0)
    try:
        device = Device(kernel, node)
    except OSError as error:
        if error.errno in _GONE:
            return None
        name = _read(entry / "name") or entry.name
        return Camera(node, index, name, serial=_serial(entry), pictures=True, closed=error.errno or errno.EIO)
    try:
        who, can = device.capability()
    except OSError as error:
        return None if error.errno in _GONE else Camera(node, index, entry.name, closed=error.errno or errno.EIO)
    finally:
        device.close()
    wanted = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    pictures = can & wanted == wanted and not can & abi.CAP_IO_MC
    name, driver, port = (text.decode("utf-8", "replace").strip() for text in (who.card, who.driver, who.bus_info))
    return Camera(node, index, name, driver, port, _serial(entry), pictures)


def _serial(entry: Path) -> str:
    """The USB device's serial number, from the first folder above that is a USB device."""
    folder = Path(os.path.realpath(entry / "device"))
    for _ in range(_LEVELS_TO_USB):
        if (folder / "idVendor").exists():
            return _read(folder / "serial")
        folder = folder.parent
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:  # not every device says everything
        return ""


class Known:
    """Which camera each name of the configuration turned out to be, for as long as the program runs.

    So that one named by its number is found again under another, and never taken for its neighbour. `first_time`
    remembers what has been said.

    Threads: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cameras: dict[str, tuple[str, Camera]] = {}  # name in the configuration -> (its source, what it was)
        self._said: set[tuple[str, str]] = set()

    def find(self, who: str, which: str, kernel: Kernel, root: Path) -> Camera:
        """The camera that `which` means for the camera called `who` in the configuration. Raises SourceError."""
        present = cameras(kernel, root)
        with self._lock:
            if self._cameras.get(who, (which,))[0] != which:
                del self._cameras[who]  # it has another source now; that one is free for others
            before = self._cameras[who][1] if who in self._cameras else None
            taken = [camera for other, (_, camera) in self._cameras.items() if other != who]
            found = _choose(which, present, before, taken, root)
            self._cameras[who] = which, found
        return found

    def first_time(self, who: str, words: str) -> bool:
        """True once for the same words: what is tried again and again is not said again and again."""
        with self._lock:
            new = (who, words) not in self._said
            self._said.add((who, words))
            return new


def _choose(which: str, present: list[Camera], before: Camera | None, taken: list[Camera], root: Path) -> Camera:
    if re.fullmatch(r"/dev/video\d+|video\d+|\d+", which) and before is not None:
        return _again(which, present, before, taken)
    matching = _matching(which, present, root)
    useful = [camera for camera in matching if camera.pictures]
    if matching and not useful:
        raise SourceError(_not_a_camera(matching[0], present))
    devices = {camera.device: camera for camera in reversed(useful)}  # the first node of each
    if which.startswith("/") and useful:
        return useful[0]
    if before is not None and before.device in devices:
        return devices[before.device]
    if len(devices) > 1:
        names = " or ".join(f"v4l2:{camera.port}" for camera in sorted(devices.values(), key=lambda c: c.node))
        raise SourceError(f"v4l2:{which} may be {len(devices)} cameras; write {names}")
    if not devices:
        raise SourceError(_absent(which, present, before))
    return next(iter(devices.values()))


def _again(which: str, present: list[Camera], before: Camera, taken: list[Camera]) -> Camera:
    """The camera that was called `which` when it was opened first, wherever it is now."""
    elsewhere = {camera.device for camera in taken}
    free = [c for c in present if c.pictures and c.index == before.index and c.device not in elsewhere]
    for same in (
        lambda c: c.device == before.device,
        lambda c: bool(before.serial) and (c.serial, c.name) == (before.serial, before.name),
        lambda c: bool(c.closed) and c.name == before.name,  # it does not even tell its port: opening it says why
    ):
        found = [camera for camera in free if same(camera)]
        if len(found) == 1:
            return found[0]
    raise SourceError(_absent(which, present, before))


def _matching(which: str, present: list[Camera], root: Path) -> list[Camera]:
    """Nodes that are meant by a path, number, serial number, port or (part of the) name, the first rule that fits."""
    if which.startswith("/"):
        path = "/dev/" + os.path.basename(os.path.realpath(root / which.lstrip("/")))
        return [camera for camera in present if camera.node == path]
    low = which.lower()
    for rule in (
        lambda c: c.serial == which,
        lambda c: c.port == which,
        lambda c: c.name.lower() == low,
        lambda c: c.node in (f"/dev/{which}", f"/dev/video{which}"),
        lambda c: low in c.name.lower(),
    ):
        found = [camera for camera in present if which and rule(camera)]
        if any(camera.pictures for camera in found):
            return found
    return [] if which else [camera for camera in present if camera.pictures]


def _absent(which: str, present: list[Camera], before: Camera | None) -> str:
    if before is not None:
        return f"{before} was unplugged; plug it in again"
    others = "; ".join(f"v4l2:{c.serial or c.port} is {c.name}" for c in present if c.pictures)
    there = f"there is {others}" if others else "there is no USB camera at all"
    return f"the camera v4l2:{which} is not there ({there}); plug it in, or correct the setting source"


def _not_a_camera(camera: Camera, present: list[Camera]) -> str:
    twin = next((c.node for c in present if c.pictures and c.device == camera.device), None)
    advice = f"its pictures come from {twin}" if twin else "take another one"
    return f"{camera.node} of {camera.name} gives no pictures; {advice}"
