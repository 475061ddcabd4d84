"""What can be typed about what was recorded: `list`; its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

AddTo = Callable[[argparse.ArgumentParser], None]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: AddTo, json: AddTo) -> None:
    """The command, with the options that others have too."""
    listing = commands.add_parser("list", help="trips and segments: times, gaps, losses, what keeps them; reads only")
    what = "a data folder, a library or any folder of recordings; storage.data if not given"
    listing.add_argument("path", type=Path, nargs="?", metavar="PATH", help=what)
    listing.add_argument("--trip", type=_count, metavar="N", help="one trip; any start in it names it")
    listing.add_argument("--camera", metavar="NAME", help="one camera")
    settings(listing)
    json(listing)
    listing.set_defaults(command=_list)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a whole number from 1 on")
    return int(text)


def _list(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.list import run_list

    return run_list(args)
