"""The cameras of this machine: the Pi's own through Picamera2, USB ones from sysfs, and who has them open."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from blackbox_qt.core.holders import Holder, who_holds
from blackbox_qt.doctor.machine import Machine
from blackbox_qt.sources import libcamera_identity as identity
from blackbox_qt.sources import picamera_errors as errors
from blackbox_qt.sources import v4l2_identity as usb
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_kernel import Kernel, SystemKernel

_USB = re.compile(r":\d+\.\d+-[0-9a-f]{4}:[0-9a-f]{4}$")
"""The end of libcamera's id of a USB camera: interface, vendor, product. V4L2 tells more of those."""
_PATIENCE_S = 60.0  # the first import of Picamera2 from a slow card


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that is plugged in.

    Threads: immutable, any.
    """

    kind: str  # picamera | v4l2
    model: str  # sensor or product name
    where: str  # connector or USB port, in words
    spec: str  # what to write as `source` in the configuration
    serial: str = ""
    device: str = ""  # /dev/videoN of a USB camera
    formats: tuple[str, ...] = ()  # in words, best first
    holders: tuple[Holder, ...] = ()  # who has it open
    words: str = ""  # what keeps it from being used; empty when nothing does

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return {**asdict(self), "formats": list(self.formats), "holders": [asdict(each) for each in self.holders]}


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, and what could not be looked for.

    Threads: immutable, any.
    """

    cameras: tuple[Found, ...] = ()
    trouble: tuple[str, ...] = field(default=())  # one sentence each


Find = Callable[[Machine], Search]


def find_cameras(machine: Machine) -> Search:
    """All cameras, the Pi's own first.

    Threads: one at a time.
    """
    found = [pi_cameras(machine), usb_cameras(machine)]
    return Search(tuple(c for each in found for c in each.cameras), tuple(t for each in found for t in each.trouble))


def is_recorder(machine: Machine, holder: Holder) -> bool:
    """Whether it is this program: the kernel may call it "python3".

    Threads: any.
    """
    return "blackbox" in (machine.value(f"/proc/{holder.pid}/cmdline") or holder.name)


def pi_cameras(machine: Machine) -> Search:
    """What Picamera2 lists, asked in a process of its own: the camera stack talks on standard error, and may crash.

    Threads: one at a time.
    """
    if not machine.importable("picamera2"):
        return Search(trouble=(errors.NOT_INSTALLED,) if machine.is_pi else ())
    done = machine.run([sys.executable, "-m", "blackbox_qt.doctor.pi_probe"], _PATIENCE_S)
    try:
        infos = json.loads(done.out) if done is not None else []
    except ValueError:
        why = (done.error.strip().splitlines() or [f"exit code {done.code}"])[-1] if done is not None else ""
        return Search(trouble=(f"Picamera2 cannot list the Pi's own cameras ({why}); see `blackbox-qt doctor`",))
    known = [camera for camera in identity.known(lambda: infos) if not _USB.search(camera.id)]
    holders = tuple(errors.lock_holders(machine.path("/proc"), machine.path("/dev"))) if known else ()
    return Search(tuple(
        Found("picamera", c.model, c.connector, f"picamera:{c.model}@{c.connector}", holders=holders) for c in known
    ))  # fmt: skip


def usb_cameras(machine: Machine, kernel: Kernel | None = None) -> Search:
    """What sysfs lists and the drivers tell.

    Threads: one at a time.
    """
    kernel = kernel or SystemKernel()
    cameras = [camera for camera in usb.cameras(kernel, machine.root) if camera.pictures]
    return Search(tuple(_usb(camera, machine, kernel) for camera in cameras))


def _usb(camera: usb.Camera, machine: Machine, kernel: Kernel) -> Found:
    holders = tuple(who_holds([camera.node], machine.path("/proc")))
    name = camera.serial or camera.port or camera.node
    words = ""
    formats: tuple[str, ...] = ()
    if camera.closed in (errno.EACCES, errno.EPERM):
        words = "this user may not open it: sudo usermod -aG video $USER, then sign out and in again"
    elif camera.closed:
        words = f"it cannot be opened ({os.strerror(camera.closed)}): unplug it and plug it in again"
    else:
        formats = _formats(camera.node, kernel)
    return Found("v4l2", camera.name, camera.port, f"v4l2:{name}", camera.serial, camera.node, formats, holders, words)


def _formats(node: str, kernel: Kernel) -> tuple[str, ...]:
    """Each format with the largest size it comes in, and how fast."""
    try:
        device = Device(kernel, node)
    except OSError:  # it went away just now
        return ()
    try:
        return tuple(_format(device, fourcc) for fourcc in device.formats())
    finally:
        device.close()


def _format(device: Device, fourcc: str) -> str:
    sizes = [(size.width[1], size.height[1]) for size in device.sizes(fourcc)]
    if not sizes:
        return fourcc
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    shortest = min((each.shortest for each in device.intervals(fourcc, width, height)), default=None)
    return f"{fourcc} up to {width}x{height}" + ("" if shortest is None else f" at {float(1 / shortest):.3g}")
