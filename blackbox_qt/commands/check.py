"""`blackbox-qt check`: reads recordings and says what they hold and whether they are as they were recorded."""

from __future__ import annotations

import argparse
import sys

from blackbox_qt.commands import Exit
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.signature import KeyFileError, parse_public_key


def check(args: argparse.Namespace) -> int:
    """Print a report for each file and a summary.

    OK; DAMAGED when anything is not as it was recorded; UNSIGNED when nothing was seen to be changed, but the key that
    was given does not vouch for all of it.
    """
    try:
        key = args.key.read_bytes() if args.key else b""
        key = parse_public_key(key) if args.key else b""
    except (OSError, KeyFileError) as error:
        print(f"blackbox-qt: {args.key} {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return Exit.USAGE
    result = check_paths(args.paths, key=key)
    print("\n".join(lines(result)))
    if not result.ok:
        return Exit.DAMAGED
    return Exit.OK if result.proven else Exit.UNSIGNED
