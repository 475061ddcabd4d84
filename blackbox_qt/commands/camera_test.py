"""`blackbox-qt camera-test`: half a second of one camera, and what is to be said about it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.doctor.camera_test import Seen, findings, watch
from blackbox_qt.doctor.checkup import SCHEMA, verdict
from blackbox_qt.doctor.finding import Line, ok
from blackbox_qt.doctor.found import find_cameras
from blackbox_qt.doctor.machine import Machine
from blackbox_qt.doctor.text import lines_of
from blackbox_qt.sources import Source, SourceError, make
from blackbox_qt.storage.disk import Disk


def camera_test(args: argparse.Namespace) -> int:
    """Test it and say what was seen. OK, or FAILED when it is not as it should be, SOURCE when there is no picture."""
    try:
        config = installed_configuration(args)
        camera = _camera(config, args)
        source = make(camera)
        seen = _seen(source, args.seconds)
    except ConfigError as error:
        return _refuse(error, Exit.USAGE)
    except SourceError as error:
        return _refuse(error, Exit.SOURCE)
    still = args.output or Path(f"camera-test-{camera.name}.jpg")
    try:
        Disk().write_small(still.absolute(), seen.jpeg)
    except OSError as error:
        words = f"{still} cannot be written ({error.strerror}); name another place with --output"
        return _refuse(words, Exit.STORAGE)
    lines = [*findings(seen, source, camera), Line("still", ok(str(still.absolute()), path=str(still.absolute())))]
    _say(camera, source, lines, as_json=args.json)
    return Exit.FAILED if verdict(lines) == "broken" else Exit.OK


def _refuse(why: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code


def _camera(config: Config, args: argparse.Namespace) -> CameraConfig:
    """The one of that name in the configuration; a number is one of `blackbox-qt cameras`."""
    wanted: str | None = args.camera
    if wanted is not None and wanted.isdecimal():
        return _plugged(int(wanted), config)
    for camera in config.camera:
        if wanted in (None, camera.name):
            return camera
    known = ", ".join(camera.name for camera in config.camera)
    words = f"configured: {known}; or a number of `blackbox-qt cameras`"
    raise ConfigError(f"--camera {wanted}: there is no such camera; {words}")


def _plugged(number: int, config: Config) -> CameraConfig:
    found = find_cameras(Machine()).cameras
    if number >= len(found):
        many = f"{len(found)} found, numbered from 0" if found else "no camera was found"
        raise ConfigError(f"--camera {number}: {many}; see `blackbox-qt cameras`")
    spec = found[number].spec
    same = next((camera for camera in config.camera if camera.source == spec), None)
    return same or CameraConfig(name=f"camera{number}", source=spec)


def _seen(source: Source, seconds: float) -> Seen:
    source.open()
    try:
        return watch(source, seconds, SystemClock())
    finally:
        source.close()


def _say(camera: CameraConfig, source: Source, lines: list[Line], *, as_json: bool) -> None:
    if as_json:
        answer: dict[str, Any] = {
            "schema": SCHEMA, "camera": camera.name, "source": camera.source, "device": source.device,
            "verdict": verdict(lines), "checks": [line.as_dict() for line in lines],
        }  # fmt: skip
        print(json.dumps(answer, indent=1))
        return
    print(f"{camera.name}: {source.device}")
    for line in lines:
        print("\n".join(lines_of(line, colour=sys.stdout.isatty())))
    if source.origin != "camera":
        print(f"\nThis was no camera but {source.device}; `blackbox-qt cameras` lists those that are plugged in.")
