"""`blackbox-qt check`: reads recordings and says what they hold and whether they are as they were recorded."""

from __future__ import annotations

import argparse

from blackbox_qt.commands import Exit
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines


def check(args: argparse.Namespace) -> int:
    """Print one report a file and a summary; OK, or DAMAGED when anything is not as it was recorded."""
    result = check_paths(args.paths)
    print("\n".join(lines(result)))
    return Exit.OK if result.ok else Exit.DAMAGED
