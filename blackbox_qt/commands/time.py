"""`blackbox-qt time`: what the running recorder believes about the time and who said so; `--set` tells it by hand."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import NotDoneError, ask, refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config

_PATH = "/api/v1/time"
_EXACT_MS, _ROUGH_MS = 10_000, 60_000  # typed with seconds, and without


def run_time(args: argparse.Namespace) -> int:
    """Say it or set it. Returns an Exit."""
    try:
        config = installed_configuration(args)
        lines = _look(config) if args.time is None else _set(config, args.time)
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    except NotDoneError as error:
        return refuse(error, Exit.FAILED)
    for line in lines:
        print(line)
    return Exit.OK


def _look(config: Config) -> list[str]:
    told = ask(config, "GET", _PATH)
    said = [f"  {one['words']}" for one in told["witnesses"]]
    lines = [told["words"], *(["said since the machine started:", *said] if said else [])]
    return [*lines, *([told["conflict"]] if told["conflict"] else [])]


def _set(config: Config, typed: tuple[datetime, bool]) -> list[str]:
    moment, exact = typed
    if moment.tzinfo is None:
        zone = config.time.zone
        moment = moment.replace(tzinfo=ZoneInfo(zone)) if zone else moment.astimezone()
    wish = {
        "utc_ms": max(0, round(moment.astimezone(UTC).timestamp() * 1000)),
        "uncertainty_ms": _EXACT_MS if exact else _ROUGH_MS,
        "by": "command line",
    }
    return [str(ask(config, "PUT", _PATH, wish)["words"])]
