"""What can be typed about the worst day: `card` and `health`; their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

AddTo = Callable[[argparse.ArgumentParser], None]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: AddTo, json: AddTo) -> None:
    """Both commands, with the options that others have too."""
    card = commands.add_parser("card", help="take the recorder's card out safely, use it again, or say how it is")
    card.add_argument("action", choices=("remove", "use", "status"))
    settings(card)
    card.set_defaults(command=_card)
    health = commands.add_parser("health", help="the last hours of the recorder itself: what explains missing video")
    health.add_argument("path", type=Path, nargs="?", metavar="PATH",
                        help="the file or its folder; that of storage.state if not given")  # fmt: skip
    settings(health)
    json(health)
    health.set_defaults(command=_health)


def _card(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.card import run_card

    return run_card(args)


def _health(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.health import run_health

    return run_health(args)
