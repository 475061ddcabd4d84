"""Prints what Picamera2 lists, as JSON, from a process of its own: `python -m blackbox_qt.doctor.pi_probe`."""

from __future__ import annotations

import json


def cameras() -> list[dict[str, object]]:
    """Model, id and whatever else libcamera tells of each camera.

    Threads: the main one.
    """
    from picamera2 import Picamera2

    return [{name: value for name, value in info.items() if isinstance(value, str | int)}
            for info in Picamera2.global_camera_info()]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(cameras()))
