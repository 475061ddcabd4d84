"""The real program with its window, which notes how old each frame is when its draw has been issued.

`python -m benchmarks.drawn run …`, with the file's path in BLACKBOX_BENCH_DRAWN: one line "boot time in ns, age in ms"
a frame, written at the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from blackbox_qt.__main__ import main
from blackbox_qt.ui.viewport import Viewport

FILE = "BLACKBOX_BENCH_DRAWN"


def hook() -> list[tuple[int, float]]:
    """Every Viewport made from now on notes (boot time of the draw, ns; age, ms) here."""
    drawn: list[tuple[int, float]] = []
    make = Viewport.__init__

    def noting(self: Viewport, *args: Any, **more: Any) -> None:
        make(self, *args, **more)
        self.on_drawn = lambda _, t_ns, now_ns: drawn.append((now_ns, (now_ns - t_ns) / 1e6))

    Viewport.__init__ = noting  # type: ignore[method-assign]
    return drawn


if __name__ == "__main__":
    notes = hook()
    code = main(sys.argv[1:])
    Path(os.environ[FILE]).write_text("".join(f"{now_ns} {age_ms:.3f}\n" for now_ns, age_ms in notes))
    sys.exit(code)
