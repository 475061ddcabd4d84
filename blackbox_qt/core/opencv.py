"""OpenCV, imported late and told to keep to the thread that called it."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def opencv() -> Any:
    """The cv2 module. The first call imports it: some 100 ms during which other threads may stand still.

    With threads of its own OpenCV spins waiting for them, which costs more than it saves on pictures this small (720p
    to JPEG's colours: 1.3 ms of CPU with two threads, 0.7 with one, before that was made cheaper).

    Threads: any, but never the camera's or the encoder's.
    """
    import cv2

    cv2.setNumThreads(1)
    return cv2
