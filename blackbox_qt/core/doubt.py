"""In words: who says what about the time, and that they cannot all be right."""

from __future__ import annotations

from collections.abc import Iterable

from blackbox_qt.core import trust
from blackbox_qt.core.local_time import local_words


def conflict_words(pairs: Iterable[trust.Pair], zone: str = "") -> str:
    """`Time in doubt: phone ±1 s (10.42.0.7) says …, phone ±1 s (10.42.0.9) says …: 24 h later`; "" when all agree.

    Threads: any.
    """
    doubt = trust.in_doubt(list(pairs))
    if doubt is None:
        return ""
    believed, others = doubt
    said = [f"{says(one, zone)}, {_apart(trust.apart_ns(believed, one))}" for one in others]
    return f"Time in doubt: {says(believed, zone)}; {'; '.join(said)}"


def says(one: trust.Pair, zone: str = "") -> str:
    """`2026-11-20 14:07:31 KST · phone ±1 s (10.42.0.7)`: what was said, when it was said.

    Threads: any.
    """
    by = getattr(one, "by", "")
    moment = local_words(one.utc_ns, zone, one.source, one.uncertainty_ns)
    return f"{moment} ({by})" if by else moment


def _apart(ns: int) -> str:
    """`24 h later than that`."""
    size = abs(ns)
    units = ((trust.NS, "s"), (60 * trust.NS, "min"), (3600 * trust.NS, "h"), (86_400 * trust.NS, "days"))
    unit, name = max(((u, n) for u, n in units if size >= 2 * u), default=units[0])
    return f"{round(size / unit)} {name} {'later' if ns > 0 else 'earlier'} than that"
