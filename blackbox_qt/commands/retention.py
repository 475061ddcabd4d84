"""`blackbox-qt retention`: what is kept and what goes next; `--simulate`: how long a card keeps what is recorded."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.local_time import local_words
from blackbox_qt.storage import holdings, shelf
from blackbox_qt.storage.disk import Disk, StorageError
from blackbox_qt.storage.forecast import Forecast, Scene, forecast
from blackbox_qt.storage.janitor import kept_s
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.retention import plan, size
from blackbox_qt.storage.shelf import Held, Policy, Space

LIBRARIES = ("recordings", "demo")


@dataclass(frozen=True, slots=True)
class _Here:
    """What a data folder holds."""

    path: Path
    space: Space
    segments: list[Held]
    libraries: Mapping[str, Library]


def run_retention(args: argparse.Namespace) -> int:
    """Print it. Returns an Exit. Reads only."""
    try:
        config = installed_configuration(args)
        if args.simulate and args.path is None:
            lines = _simulated(config, args, None)
        else:
            here = _look(args.path or config.storage.data.expanduser())
            lines = _simulated(config, args, here) if args.simulate else _told(config, here)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    except (StorageError, OSError) as error:
        return refuse(error, Exit.STORAGE)
    print("\n".join(lines))
    return Exit.OK


def _look(path: Path) -> _Here:
    """Of a data folder, or of one library. StorageError when it is neither."""
    disk, clock = Disk(), SystemClock()
    roots = {name: path / name for name in LIBRARIES if disk.is_dir(path / name)}
    if not roots and disk.is_dir(path) and any(entry.name.isdigit() for entry in disk.list(path) if entry.is_dir):
        roots = {"demo" if path.name == "demo" else "recordings": path}
    if not roots:
        raise StorageError(f"There are no recordings in {path}: give a data folder (storage.data) or a library in it.")
    libraries = {name: Library(disk, root, clock) for name, root in roots.items()}
    for library in libraries.values():
        library.load()
    found = {name: library.segments() for name, library in libraries.items()}
    segments = holdings.all_held(found, clock.anchor(), clock.machine_boot)
    return _Here(path, Space(*disk.space(path)), segments, libraries)


def _policy(config: Config, rates: Mapping[str, float]) -> Policy:
    return holdings.policy(config.retention, sum(rates.values()))


def _rate(kbit: float) -> float:
    """Bytes a second, with what the file format adds."""
    return kbit * 125 * 1.01


def _rates(config: Config, here: _Here) -> dict[str, float]:
    """Of the cameras that recorded last, as they did; of the configured ones where there is nothing yet."""
    last = max((one.order[0] for one in here.segments if not one.demo), default=None)
    cameras = {one.camera for one in here.segments if one.order[0] == last and not one.demo}
    names = sorted(cameras) or [camera.name for camera in config.camera]
    return holdings.rates([s for s in here.segments if not s.demo], names, _rate(config.record.bitrate_kbit))


# ---- what is there


def _told(config: Config, here: _Here) -> list[str]:
    policy = _policy(config, _rates(config, here))
    kept = shelf.locks(here.segments, here.space, policy)
    low, high = size(policy.low(here.space)), size(policy.high(here.space))
    what = f"{here.path}: {size(here.space.total)}, {size(here.space.free)} free"
    kept_of = sorted(kept_s(here.segments).items())
    return [
        f"{what}; below {low} the oldest goes, up to {high}",
        *(_camera(here, camera, seconds, config.time.zone) for camera, seconds in kept_of),
        f"marks keep {size(kept.total)} of the {size(kept.limit)} they may",
        _next(config, here, policy),
    ]


def _camera(here: _Here, camera: str, seconds: float, zone: str) -> str:
    own = sorted((one for one in here.segments if one.camera == camera), key=lambda one: one.order)
    what = f"{hours(seconds)} in {len(own)} segments, {size(sum(one.bytes for one in own))}"
    return f"{camera}: {what}, {_since(here, own[0], zone)}"


def _since(here: _Here, oldest: Held, zone: str) -> str:
    info = next((s for s in here.libraries[oldest.library].segments() if s.name.stem == oldest.name), None)
    if info is None or info.first_t_ns is None or not info.dated:
        return f"from {oldest.name} on, time unknown"
    return f"since {local_words(info.utc_ns(info.first_t_ns), zone)}"


def _next(config: Config, here: _Here, policy: Policy) -> str:
    if not config.retention.enabled:
        return "nothing is ever deleted: retention.enabled is false, and recording stops when the disk is full"
    now = plan(here.segments, here.space, policy)
    if now.delete is not None:
        return f"goes next: {now.delete.name}, {size(now.delete.bytes)}: {now.why}"
    later = plan(here.segments, replace(here.space, free=0), policy)
    if later.delete is None:
        return now.warning or "nothing goes now, and nothing could: everything is open, kept by marks or the newest"
    return f"nothing goes now; next would be {later.delete.name}, {size(later.delete.bytes)}: {later.why}"


# ---- what will be


def _simulated(config: Config, args: argparse.Namespace, here: _Here | None) -> list[str]:
    scene = _scene(config, args, here)
    if not scene.rates:
        raise ConfigError("--cameras 0 records nothing; give at least 1")
    without = forecast(replace(scene, marks_per_day=0))
    return [_keeps(scene, without), *_marks(scene, without)]


def _scene(config: Config, args: argparse.Namespace, here: _Here | None) -> Scene:
    rate = _rate(args.bitrate or config.record.bitrate_kbit)
    if here is None:
        count = len(config.camera) if args.cameras is None else args.cameras
        rates = {f"camera {number + 1}": rate for number in range(count)}
        disk = args.disk or 128_000_000_000
        space, segments = Space(disk, disk), []
    else:
        rates = _rates(config, here)
        rates = dict.fromkeys(rates, rate) if args.bitrate else rates
        space, segments = here.space, here.segments
    return Scene(
        space,
        rates,
        _policy(config, rates),
        segment_s=config.storage.segment_s,
        marks_per_day=args.marks_per_day,
        mark_s=config.marks.before_s + config.marks.after_s,
        hours_per_day=args.hours_per_day,
        here=segments,
    )


def _keeps(scene: Scene, found: Forecast) -> str:
    cameras = f"{len(scene.rates)} cameras" if len(scene.rates) > 1 else "1 camera"
    what = f"{size(scene.space.total).replace('.0 ', ' ')}, {cameras}"
    if found.keeps_s is None:
        return f"{what}: that is too small to record on; take a larger card or a lower bitrate"
    days = found.keeps_s / 3600 / scene.hours_per_day
    return f"{what}: keeps the last {hours(found.keeps_s)}, {days:.0f} days at {scene.hours_per_day:g} h a day"


def _marks(scene: Scene, without: Forecast) -> list[str]:
    if not scene.marks_per_day or without.keeps_s is None:
        return [f"marks may keep {size(without.limit_bytes)} of it"]
    found = forecast(scene)
    a_day = f"{scene.marks_per_day:g} marks a day"
    if found.share_day is None:
        return [f"{a_day}: their share of {size(found.limit_bytes)} is not reached in years"]
    then = "" if found.keeps_s is None else f"; the last {hours(found.keeps_s)} of everything else stay"
    reach = f"{a_day}: kept marks reach their share of {size(found.limit_bytes)} on day {found.share_day}"
    after = "older marks go then" if scene.policy.manual_yields else "new ones are refused then"
    return [f"{reach}, {after}{then}"]


def hours(seconds: float) -> str:
    """Rounded down, so that no more is promised than is there: 19 h 40, 12 min.

    Threads: any.
    """
    whole, minutes = divmod(int(seconds // 60), 60)
    return f"{whole} h {minutes:02d}" if whole else f"{minutes} min"
