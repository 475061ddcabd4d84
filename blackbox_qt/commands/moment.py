"""A moment as somebody types it."""

from __future__ import annotations

import argparse
import re
from datetime import datetime

_FORM = "a date and a time such as 2026-11-20T14:07 or 2026-11-20T14:07:31+09:00"


def moment(text: str) -> tuple[datetime, bool]:
    """What was typed, and whether with seconds; ArgumentTypeError with words when it is no time."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or not re.search(r"\d[T ]\d", text):
        raise argparse.ArgumentTypeError(f"{text} is not a time; write {_FORM}")
    return found, bool(re.search(r"[T ]\d\d:\d\d:\d\d", text))
