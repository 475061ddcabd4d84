"""What can be typed about evidence: `bundle`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from blackbox_qt.commands.moment import moment


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], settings: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add the command to the parser's."""
    bundle = commands.add_parser("bundle", help="everything about an incident in one folder, to be handed on")
    what = bundle.add_mutually_exclusive_group()
    what.add_argument("--mark", metavar="ID", help="what a mark keeps")
    what.add_argument("--trip", type=int, metavar="N", help="all of a trip")
    what.add_argument("--from", type=moment, metavar="TIME", dest="since", help="from then, as 2026-11-20T14:07")
    bundle.add_argument("--to", type=moment, metavar="TIME", dest="until", help="with --from: until then")
    bundle.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    bundle.add_argument("path", type=Path, nargs="?", metavar="PATH", help="data folder; storage.data if not given")
    settings(bundle)
    bundle.set_defaults(command=_bundle)


def _bundle(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.bundle import bundle

    return bundle(args)
