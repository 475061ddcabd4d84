"""A moment as people read it: the time of day where they are, and what it is worth."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNKNOWN = "time unknown"
UNSYNCED = "unsynced"
"""The source of a time that nobody vouches for."""
_NS = 1_000_000_000
_LAST_NS = 253_000_000_000 * _NS  # in the year 9987: later ones no calendar here can show
_ABBREVIATIONS = {"gps": "GPS", "ntp": "NTP", "rtc": "RTC"}


def local_words(utc_ns: int | None, zone: str = "", source: str = "", uncertainty_ns: int | None = None) -> str:
    """`2026-11-20 14:07:31 KST`; with a source `2026-11-20 14:07:31 KST · phone ±1 s`; or "time unknown".

    utc_ns: ns since 1970, None when nobody knows. zone: IANA name; "" is the system's, as it is now. source: what
    vouches for the time, as in `core.clock`; "" leaves it out, "unsynced" makes it unknown.
    """
    if utc_ns is None or source == UNSYNCED or not 0 <= utc_ns < _LAST_NS:
        return UNKNOWN
    moment = local(utc_ns, zone)
    text = f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"
    return f"{text} · {source_words(source, uncertainty_ns)}" if source else text


def local(utc_ns: int, zone: str = "") -> datetime:
    """The moment in that zone, whole seconds; ValueError when no calendar has it."""
    moment = datetime.fromtimestamp(utc_ns // _NS, UTC)
    if zone:
        return moment.astimezone(ZoneInfo(zone))
    time.tzset()  # a zone that was changed while the program runs counts from now on
    return moment.astimezone()


def offset_s(utc_ns: int, zone: str = "") -> int:
    """Seconds that the zone's clocks are ahead of UTC at that moment; 0 where no calendar has it."""
    if not 0 <= utc_ns < _LAST_NS:
        return 0
    ahead = local(utc_ns, zone).utcoffset()
    return 0 if ahead is None else round(ahead.total_seconds())


def source_words(source: str, uncertainty_ns: int | None) -> str:
    """`phone ±1 s`, `NTP ±12 ms`, `manual` when nothing is known of how wrong it may be."""
    name = _ABBREVIATIONS.get(source, source)
    return name if uncertainty_ns is None else f"{name} {uncertainty_words(uncertainty_ns)}"


def uncertainty_words(ns: int) -> str:
    """`±1 s`: rounded up, never better than it is; from 0.1 s on in whole seconds, like the times it stands beside."""
    for unit, name, most in ((_NS // 1000, "ms", 100), (_NS, "s", 120), (60 * _NS, "min", 120)):
        count = max(1, -(-ns // unit))
        if count < most:
            return f"±{count} {name}"
    return f"±{-(-ns // (3600 * _NS))} h"


def is_zone(name: str) -> bool:
    """Whether this system knows a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
