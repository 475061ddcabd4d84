"""Stills of full size into DATA/snapshots, under names that are never used again. No Qt."""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from pathlib import Path

from blackbox_qt.app import App
from blackbox_qt.app.status import Status
from blackbox_qt.core.frame import Frame
from blackbox_qt.sinks.jpeg import encode
from blackbox_qt.storage.disk import Disk, words_for
from blackbox_qt.storage.numbering import next_number
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.ui.errands import Errands

FOLDER = "snapshots"
QUALITY = 92
_FRAME_WITHIN_S = 3.0
_COUNTER = "count"
_NUMBER = re.compile(r".*-(\d{5,9})\.jpg(?:\.tmp)?")


class SnapshotError(Exception):
    """No still was saved; the text is one sentence for a person."""


async def take_snapshot(app: App, camera: str, disk: Disk, errands: Errands) -> Path:
    """Save the camera's next frame as JPEG of its full size; where. Raises SnapshotError.

    Encoded on the JPEG sink's thread, written by one of `errands`; the caller's loop is never held up.

    Threads: that of the running loop; one at a time.
    """
    grabbed = app.cameras[camera].jpeg.grab(_encode)
    try:
        picture = await asyncio.wait_for(asyncio.wrap_future(grabbed), _FRAME_WITHIN_S)
    except TimeoutError:
        raise SnapshotError(f"{camera.upper()} gives no picture") from None
    except (ValueError, RuntimeError) as error:  # a format JPEG does not know; the program is ending
        raise SnapshotError(str(error)) from error
    folder = app.data / FOLDER
    stamp = _stamp(app.status(), camera)
    save = partial(save_still, disk, folder, f"{camera}-{stamp}", picture)
    try:
        return await asyncio.wrap_future(errands.send(save))
    except OSError as error:
        raise SnapshotError(words_for(error, folder)) from error


def save_still(disk: Disk, folder: Path, stem: str, picture: bytes) -> Path:
    """Write `stem`-NUMBER.jpg, durable on return; the number goes up with every still ever saved here.

    Raises OSError. Threads: one at a time; blocks on the disk.
    """
    disk.mkdir(folder)
    path = folder / f"{stem}-{next_number(disk, folder, _COUNTER, _NUMBER):05d}.jpg"
    disk.write_small(path, picture)
    return path


def _encode(frame: Frame) -> bytes:
    return encode(frame.images["main"], QUALITY)


def _stamp(status: Status, camera: str) -> str:
    """UTC if anybody vouches for it, else which start of the recorder this is."""
    if status.utc_source != "unsynced":
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(status.utc_ns // 1_000_000_000))
    segment = next((c.recording.segment for c in status.cameras if c.name == camera), "")
    name = SegmentName.parse(segment if segment.endswith(".mp4") else f"{segment}.mp4")
    return f"boot{name.boot:06d}" if name else "notime"
