"""`blackbox-qt cameras`: every camera that is plugged in, what to write in the configuration, and who holds it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator

from blackbox_qt.commands import Exit
from blackbox_qt.core.holders import in_words
from blackbox_qt.doctor.cameras import CABLE
from blackbox_qt.doctor.checkup import SCHEMA
from blackbox_qt.doctor.found import Found, Search, find_cameras, is_recorder
from blackbox_qt.doctor.machine import Machine


def cameras(args: argparse.Namespace) -> int:
    """Print them; OK also when there is none."""
    machine = Machine()
    search = find_cameras(machine)
    if args.json:
        found = [{"number": number, **camera.as_dict()} for number, camera in enumerate(search.cameras)]
        print(json.dumps({"schema": SCHEMA, "cameras": found, "trouble": list(search.trouble)}, indent=1))
    else:
        print("\n".join(lines(search, machine)))
    return Exit.OK


def lines(search: Search, machine: Machine) -> Iterator[str]:
    """The same for a person."""
    for number, camera in enumerate(search.cameras):
        yield from _one(number, camera, machine)
    if search.cameras:
        yield "Test one: blackbox-qt camera-test --camera 0"
        yield 'Record it: write source = "..." under [[camera]] in the configuration file, with what stands there.'
    else:
        yield "No camera found."
        yield f"  {CABLE}"
        yield "  Without one, `blackbox-qt run` shows a test picture, and --source file:road.mp4 plays a video."
    for trouble in search.trouble:
        yield f"Note: {trouble}"


def _held(camera: Found, machine: Machine) -> str:
    if not camera.holders:  # other users' programs are seen by root only
        return "nobody" if os.geteuid() == 0 else "nobody that this user can see (sudo sees all)"
    ours = all(is_recorder(machine, holder) for holder in camera.holders)
    return in_words(camera.holders) + (", the recorder itself" if ours else "")


def _one(number: int, camera: Found, machine: Machine) -> Iterator[str]:
    yield f"{number}  {camera.model}"
    rows = (
        ("source", camera.spec), ("at", camera.where), ("serial", camera.serial), ("device", camera.device),
        ("formats", ", ".join(camera.formats)), ("held by", _held(camera, machine)),
        ("trouble", camera.words),
    )  # fmt: skip
    for name, text in rows:
        if text:
            yield f"   {name:<9}{text}"
