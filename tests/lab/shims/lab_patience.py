"""Time limits that a window cannot keep where its processor is emulated, widened if LAB_PATIENT is set.

A picture that takes a second to reach the screen would be given back unpainted, and an end that takes five is cut off.
Both limits have tests of their own on real processors.
"""

from __future__ import annotations

import os
from types import ModuleType

LIMITS = {"STOP_LIMIT_S": 50.0, "STOPPED_AFTER_NS": 60_000_000_000}


def apply(module: ModuleType) -> None:
    """Change blackbox_qt.app.app or blackbox_qt.ui.feed."""
    if "LAB_PATIENT" not in os.environ:
        return
    found = [name for name in LIMITS if hasattr(module, name)]
    assert found, f"{module.__name__} has none of the limits that the lab widens"
    for name in found:
        setattr(module, name, LIMITS[name])
