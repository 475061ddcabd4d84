"""Picamera2 and libcamera, loaded when the first camera is opened, and kept from disturbing the rest of the program."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from blackbox_qt.sources.libcamera_identity import CameraInfo, known
from blackbox_qt.sources.picamera_errors import NOT_INSTALLED
from blackbox_qt.sources.source import SourceError


@dataclass(frozen=True, slots=True)
class Stack:
    """The two libraries, or what stands for them in a test.

    Threads: any, one at a time.
    """

    Picamera2: Any  # the class
    libcamera: Any  # the module
    switch_sensor_hdr: Callable[[CameraInfo, bool], bool]

    def cameras(self) -> list[CameraInfo]:
        """All that libcamera knows now."""
        return known(self.Picamera2.global_camera_info)


def load() -> Stack:
    """Import both; takes a second on a Pi 5. Raises SourceError with what to install."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")  # at INFO it tells of every configuration
    with _unchanged("QT_QPA_PLATFORM"):
        try:
            import libcamera
            from picamera2 import Picamera2
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("libcamera", "picamera2"):
                raise SourceError(NOT_INSTALLED, permanent=True) from error
            repair = "run `sudo apt install --reinstall python3-picamera2`"
            raise SourceError(f"Picamera2 lacks the Python package {error.name}; {repair}", permanent=True) from error
        except (ImportError, ValueError, OSError) as error:  # ValueError: numpy of another ABI
            words = f"Picamera2 cannot be loaded ({error}); its packages and this Python's do not fit together"
            raise SourceError(words, permanent=True) from error
    logger = logging.getLogger("picamera2")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)  # it tells each error on its way up; we tell it once, with what to do
    return Stack(Picamera2, libcamera, _switch_sensor_hdr)


@contextmanager
def _unchanged(name: str) -> Iterator[None]:
    """WORKAROUND for picamera2/__init__.py: on a Wayland session it makes every Qt program of this process use X11."""
    before = os.environ.get(name)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def has_sensor_hdr(info: CameraInfo) -> bool:
    """Whether the sensor itself joins exposures; others leave that to the image processor."""
    return info.model.startswith("imx708")


def _switch_sensor_hdr(info: CameraInfo, on: bool) -> bool:
    """HDR in the sensor itself, which must be switched before the camera is opened. False where it has none."""
    if not has_sensor_hdr(info):
        return False
    from picamera2 import Picamera2
    from picamera2.devices.imx708 import IMX708

    numbers = {entry["Id"]: entry["Num"] for entry in Picamera2.global_camera_info()}
    try:
        with IMX708(numbers[info.id]) as sensor:
            sensor.set_sensor_hdr_mode(on)
    except (RuntimeError, OSError) as error:
        logging.getLogger(__name__).debug("%s: sensor HDR cannot be switched (%s)", info.name, error)
        return False
    return True
