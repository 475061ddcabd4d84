"""`blackbox-qt snapshot`: one still picture from a source, as JPEG, as planes with a description, or as a DNG."""

from __future__ import annotations

import argparse
import json
import queue
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, configuration
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.sinks.jpeg import encode
from blackbox_qt.sources import RawStills, Source, SourceError, make
from blackbox_qt.storage.disk import Disk

_LIMIT_S = 10.0
_SETTLE_FRAMES = 3
"""A camera's first pictures are too dark or too light; a later one is taken."""


def snapshot(args: argparse.Namespace) -> int:
    """Take it and say where it is. Returns an Exit."""
    try:
        camera = _camera(configuration(args), args.camera)
        source = make(camera)
        if args.dng:
            _raw_stills(source, camera).want_raw()
        source.open()
        try:
            written = _take(source, args)
        finally:
            source.close()
    except ConfigError as error:
        return _refuse(error, Exit.USAGE)
    except SourceError as error:
        return _refuse(error, Exit.SOURCE)
    except OSError as error:
        return _refuse(f"{error.filename or args.output}: cannot be written ({error.strerror})", Exit.STORAGE)
    for path in written:
        print(path)
    return Exit.OK


def _refuse(why: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code


def _camera(config: Config, name: str | None) -> CameraConfig:
    for camera in config.camera:
        if name in (None, camera.name):
            return camera
    known = ", ".join(c.name for c in config.camera)
    raise ConfigError(f"--camera {name}: there is no such camera; allowed: {known}")


def _raw_stills(source: Source, camera: CameraConfig) -> RawStills:
    if not isinstance(source, RawStills):
        words = f"--dng needs a Pi's own camera (source picamera:), and {camera.name} is {camera.source}"
        raise SourceError(words, permanent=True)
    return source


def _take(source: Source, args: argparse.Namespace) -> list[Path]:
    box = Mailbox("snapshot")
    failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def failed(error: BaseException) -> None:
        failures.put(error)
        box.close()

    def deliver(frame: Frame) -> None:
        with frame:
            box.put(frame)

    source.start(deliver, failed)
    try:
        for _ in range(_SETTLE_FRAMES):
            frame = box.take(_LIMIT_S)
            if frame is None:
                why = f" ({failures.get()})" if not failures.empty() else ""
                raise SourceError(f"{source.device} gave no picture within {_LIMIT_S:.0f} s{why}")
            with frame:
                picture = {} if args.dng else _encoded(frame, args)
        if isinstance(source, RawStills) and args.dng:
            picture = {"": source.raw_still(_LIMIT_S)}
    finally:
        source.stop()
        box.close()
    return _write(args.output, picture)


def _encoded(frame: Frame, args: argparse.Namespace) -> dict[str, bytes]:
    """File name (empty: the output itself) -> content."""
    image = frame.images["main"]
    if not args.raw:
        return {"": encode(image, args.quality)}
    return _raw(frame, image)


def _raw(frame: Frame, image: Image) -> dict[str, bytes]:
    """Planes without padding, and what somebody needs to know to use them."""
    layout = image.layout
    files = {f"plane{i}.raw": np.ascontiguousarray(plane).tobytes() for i, plane in enumerate(image.planes())}
    anchor = SystemClock().anchor()
    description = {
        "camera": frame.camera,
        "seq": frame.seq,
        "t_ns": frame.t_ns,
        "utc": {"ns": anchor.utc_ns - anchor.boot_ns + frame.t_ns, "source": anchor.source},
        "width": layout.width,
        "height": layout.height,
        "fourcc": layout.fourcc,
        "matrix": layout.matrix,
        "full_range": layout.full_range,
        "planes": [
            {"file": name, "row_bytes": plane.width, "rows": plane.rows}
            for name, plane in zip(files, layout.planes, strict=True)
        ],
        "as_captured": [asdict(plane) for plane in layout.planes],
    }
    return {**files, "frame.json": json.dumps(description, indent=1).encode() + b"\n"}


def _write(output: Path, picture: dict[str, bytes]) -> list[Path]:
    paths = [output / name if name else output for name in picture]
    disk = Disk()
    for path, content in zip(paths, picture.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_small(path, content)
    return paths
