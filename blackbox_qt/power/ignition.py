"""When an ignition is off for good. Pure: it is told the level and the time."""

from __future__ import annotations

from blackbox_qt.core.clock import NS


class Ignition:
    """Off counts after `off_s` seconds without a break: cranking drops the line for a moment, and that is forgiven.

    A box that started without ignition (on the bench, after a wrong wire) stays on for `parked_s` seconds, so that
    somebody can mend its settings before it goes.

    Threads: one; `on` any.
    """

    def __init__(self, off_s: float, parked_s: float) -> None:
        self.on = False
        self._off_ns, self._parked_ns = round(off_s * NS), round(parked_s * NS)
        self._seen_on = False
        self._since_ns: int | None = None  # of being off

    def see(self, on: bool, now: int) -> None:
        """The level, now and at every change."""
        self.on = on
        self._seen_on |= on
        if on:
            self._since_ns = None
        elif self._since_ns is None:
            self._since_ns = now

    def left_s(self, now: int) -> float | None:
        """Seconds until it is off for good, 0 when it is; None while it is on."""
        if self._since_ns is None:
            return None
        return max(0, self._since_ns + self._patience_ns - now) / NS

    @property
    def words(self) -> str:
        """Why the box switches off."""
        if self._seen_on:
            return f"the ignition has been off for {self._off_ns / NS:g} s"
        return f"the box started without ignition {self._parked_ns / NS / 60:g} min ago"

    @property
    def _patience_ns(self) -> int:
        return self._off_ns if self._seen_on else self._parked_ns
