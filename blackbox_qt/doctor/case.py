"""What the doctor is asked to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.doctor.found import Find, find_cameras
from blackbox_qt.doctor.machine import Machine

_DRIVEN = ("picamera", "v4l2", "auto")


@dataclass(frozen=True, slots=True)
class Case:
    """A machine and how the program is configured on it, and for how long to measure.

    Threads: immutable, any.
    """

    machine: Machine = field(default_factory=Machine)
    config: Config = field(default_factory=Config)
    sync_s: float = 10.0  # the card
    encode_s: float = 3.0
    find: Find = find_cameras

    @property
    def data(self) -> Path:
        """Folder for recordings; need not exist yet."""
        return self.config.storage.data.expanduser().absolute()

    def wants(self, kind: str) -> bool:
        """Whether a configured camera has a source of this kind, e.g. picamera."""
        return any(kind_of(camera) == kind for camera in self.config.camera)


def kind_of(camera: CameraConfig) -> str:
    """The part of a source before its colon.

    Threads: any.
    """
    return camera.source.partition(":")[0]


def is_hardware(camera: CameraConfig) -> bool:
    """Whether frames come from a real camera, whose size and rate the configuration asks for.

    Threads: any.
    """
    return kind_of(camera) in _DRIVEN
