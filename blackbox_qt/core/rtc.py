"""The clock that runs without power (RTC), and whether the machine's clock came from it at its start."""

from __future__ import annotations

from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.clock import NS, Anchor

UNCERTAINTY_NS = 60 * NS
"""A quartz of 20 ppm that nobody set for a month is off by 52 s; when it was set last, nothing tells."""
_AGREE_NS = 5 * NS
_FOLDER = Path("/sys/class/rtc")


def rtc_anchor(now: Anchor, folder: Path = _FOLDER) -> Anchor | None:
    """What the RTC vouches for, given the machine's clocks read at the same moment; None: nothing.

    The kernel must have set the machine's clock from it (`hctosys`), and both must still agree: a clock that somebody
    moved since is not the RTC's word any more, and one without a battery starts in 1970, where nobody believes it.
    May block as long as the chip does.
    """
    for rtc in sorted(folder.glob("rtc*")):
        seconds = _number(rtc / "since_epoch")
        if _number(rtc / "hctosys") != 1 or seconds is None or not trust.plausible(seconds * NS):
            continue
        if abs(seconds * NS - now.utc_ns) <= _AGREE_NS:
            return Anchor(now.boot_ns, now.utc_ns, "rtc", UNCERTAINTY_NS)
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
