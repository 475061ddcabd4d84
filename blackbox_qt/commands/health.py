"""`blackbox-qt health`: what the box noted about itself, in words, and what explains missing video."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from blackbox_qt.app.health_words import Happening, Hole, Note, happenings, holes, moment, why
from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.local_time import UNKNOWN, local_words
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.health_ring import NAME, read
from blackbox_qt.storage.library import Library

_NS = 1_000_000_000
_MOST = 40  # lines of what happened; --json has all


def run_health(args: argparse.Namespace) -> int:
    """Print it. Returns an Exit."""
    try:
        config = installed_configuration(args)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    path = args.path or config.storage.state.expanduser()
    path = path / NAME if path.is_dir() else path
    try:
        notes = read(Disk(), path)
    except OSError as error:
        return refuse(f"{path}: cannot be read ({error.strerror}); the recorder writes it while it runs", Exit.FAILED)
    if not notes:
        return refuse(f"{path}: holds no notes of a recorder", Exit.FAILED)
    found = happenings(notes, config.health.every_s)
    missing = holes(_segments(config, {note["machine_boot"] for note in notes}))
    if args.json:
        print(json.dumps(_object(notes, found, missing), indent=1))
    else:
        for line in lines(notes, found, missing, config.time.zone):
            print(line)
    return Exit.OK


def _segments(config: Config, boots: set[str]) -> Iterator[tuple[str, str, int, int]]:
    """Of every recording of these starts of the machine that can be found: on the card, and in the ring."""
    disk = Disk()
    state, data = config.storage.state.expanduser(), config.storage.data.expanduser()
    roots = [base / library for base in (data, state / "emergency") for library in ("recordings", "demo")]
    for root in (root for root in roots if root.is_dir()):
        library = Library(disk, root, SystemClock())
        library.load()  # reads, and writes nothing
        for one in library.segments():
            if one.machine_boot in boots and one.first_t_ns is not None and one.last_t_ns is not None:
                yield one.machine_boot, one.name.camera, one.first_t_ns, one.last_t_ns


def _object(notes: Sequence[Note], found: Sequence[Happening], missing: Sequence[Hole]) -> dict[str, Any]:
    def plain(one: Happening | Hole) -> dict[str, Any]:
        return {name: getattr(one, name) for name in type(one).__dataclass_fields__}

    return {
        "notes": list(notes),
        "happenings": [plain(one) for one in found],
        "missing": [{**plain(hole), "why": why(hole, found)} for hole in missing],
    }


def lines(notes: Sequence[Note], found: Sequence[Happening], missing: Sequence[Hole], zone: str = "") -> Iterator[str]:
    """For a person.

    Threads: any.
    """
    last = notes[-1]

    def when(boot: str, at_ns: int) -> str:
        utc = moment(boot, at_ns, notes)
        if utc is not None:
            return local_words(utc, zone)
        return f"{at_ns / _NS:.0f} s after the start {boot[:8]}, {UNKNOWN}"

    yield f"{len(notes)} notes, from {when(notes[0]['machine_boot'], notes[0]['boot_ns'])} to " + when(
        last["machine_boot"], last["boot_ns"]
    )
    yield f"Last: {last['words'] or last['recording']}; {_figures(last)}"
    yield from _missing(missing, found, when)
    yield "What happened:" if found else "Nothing else happened."
    for one in found[-_MOST:]:
        camera = f"{one.camera}: " if one.camera else ""
        yield f"  {when(one.machine_boot, one.from_ns)}, {one.seconds:.0f} s: {camera}{one.words}"
    if len(found) > _MOST:
        yield f"  (and {len(found) - _MOST} before; --json shows all)"


def _missing(missing: Sequence[Hole], found: Sequence[Happening], when: Any) -> Iterator[str]:
    yield "Missing video:" if missing else "No video is missing between the recordings that are here."
    for hole in missing:
        reasons = "; ".join(why(hole, found)) or "not explained by these notes"
        seconds = (hole.to_ns - hole.from_ns) / _NS
        yield f"  {when(hole.machine_boot, hole.from_ns)}, {seconds:.1f} s of {hole.camera}: {reasons}"


def _figures(note: Note) -> str:
    cameras = [f"{name} {c['fps']:.0f} fps" for name, c in note["cameras"].items()]
    warmth = [] if note["celsius"] is None else [f"{note['celsius']:.0f} °C"]
    return ", ".join([*cameras, f"{note['free_mb'] / 1000:.1f} GB free", f"card {note['card']}", *warmth])
