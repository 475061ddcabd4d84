"""What can be typed about what is kept: `retention` and `erase`; their arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

AddTo = Callable[[argparse.ArgumentParser], None]
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([MGT])B?", re.IGNORECASE)
_UNITS = {"M": 10**6, "G": 10**9, "T": 10**12}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: AddTo) -> None:
    """Both commands, with the options that others have too."""
    _add_retention(commands, settings)
    _add_erase(commands, settings)


def _add_retention(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: AddTo) -> None:
    kept = commands.add_parser("retention", help="what is kept, what goes next, and how long a card lasts; reads only")
    kept.add_argument("path", type=Path, nargs="?", metavar="PATH",
                      help="a data folder or a library; storage.data if not given")  # fmt: skip
    kept.add_argument("--simulate", action="store_true", help="play it forward: how much is kept, when marks are full")
    kept.add_argument("--disk", type=_size, metavar="SIZE", help="of an empty card to simulate, as 128GB (default)")
    kept.add_argument("--cameras", type=_count, metavar="N", help="how many to simulate; else the configured ones")
    kept.add_argument("--bitrate", type=_number, metavar="KBIT", help="kbit/s a camera; else record.bitrate_kbit")
    kept.add_argument("--marks-per-day", type=_number, default=0.0, metavar="N", help="by hand (default: none)")
    kept.add_argument("--hours-per-day", type=_number, default=2.0, metavar="H", help="under way (default 2)")
    settings(kept)
    kept.set_defaults(command=_retention)


def _add_erase(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: AddTo) -> None:
    erase = commands.add_parser("erase", help="forget a trip, or erase everything that was recorded")
    what = erase.add_mutually_exclusive_group(required=True)
    what.add_argument("--trip", type=_count, metavar="N", help="one trip, by its number in `blackbox-qt list`")
    what.add_argument("--everything", action="store_true", help="all footage; recording goes on in a new file")
    erase.add_argument("--demo", action="store_true", help="the trip is one of the library of test pictures")
    erase.add_argument("--marked-too", action="store_true", help="also what marks keep")
    erase.add_argument("--yes", action="store_true", help="--everything is meant")
    settings(erase)
    erase.set_defaults(command=_erase)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not 10**7 <= size <= 10**15:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a size as 128GB or 500MB")
    return size


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a whole number from 1 on")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 10**6:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a number above 0")
    return value


def _retention(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.retention import run_retention

    return run_retention(args)


def _erase(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.erase import run_erase

    return run_erase(args)
