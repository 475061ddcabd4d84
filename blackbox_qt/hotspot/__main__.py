"""`python3 -m blackbox_qt.hotspot FOLDER` makes name and password if FOLDER has none; the package's postinst runs it.

So they are on the card before it is made read-only, and before the box stands in a car.
"""

from __future__ import annotations

import sys
from pathlib import Path

from blackbox_qt.hotspot.identity import IdentityError, load_identity


def main(folder: str) -> int:
    try:
        load_identity(Path(folder))
    except IdentityError as error:
        print(f"blackbox-qt: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
