"""Builds the program from its configuration, heals its parts, and says how it is."""

from blackbox_qt.app.app import App
from blackbox_qt.app.reconfigure import ReconfigureError
from blackbox_qt.app.status import (
    CameraStatus,
    DiskStatus,
    DisplayStatus,
    EncoderStatus,
    HealingStatus,
    RecordingStatus,
    Status,
    StreamStatus,
)

__all__ = [
    "App",
    "CameraStatus",
    "DiskStatus",
    "DisplayStatus",
    "EncoderStatus",
    "HealingStatus",
    "ReconfigureError",
    "RecordingStatus",
    "Status",
    "StreamStatus",
]
