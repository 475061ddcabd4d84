"""From the driver's time stamps to the boot clock."""

from __future__ import annotations

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.sources.v4l2_kernel import Kernel

_SUSPENDED_NS = NS // 100  # the two clocks part only while the machine sleeps; less is the noise of reading both
_FUTURE_NS = NS // 20
_PAST_NS = 10 * NS


class Stamps:
    """CLOCK_MONOTONIC to CLOCK_BOOTTIME; a stamp that cannot be, or none, becomes the time of arrival.

    Times always grow: a stamp that does not is a driver's fault, and would begin a new file.

    Threads: one.
    """

    def __init__(self, clock: Clock, kernel: Kernel) -> None:
        self.replaced = 0  # stamps that could not be believed
        self._clock = clock
        self._kernel = kernel
        self._offset = clock.boot_ns() - kernel.monotonic_ns()
        self._last = 0

    def boot_ns(self, stamp_ns: int | None) -> int:
        """When the picture was taken, boot clock, ns; `stamp_ns` is the driver's, None when it has none."""
        now = self._clock.boot_ns()
        offset = now - self._kernel.monotonic_ns()
        if abs(offset - self._offset) > _SUSPENDED_NS:
            self._offset = offset
        when = now if stamp_ns is None else stamp_ns + self._offset
        if not (now - _PAST_NS < when < now + _FUTURE_NS) or when <= self._last:
            self.replaced += 1
            when = max(now, self._last + 1)
        self._last = when
        return when
