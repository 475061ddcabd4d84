"""When the next frame of a recorded or painted picture is due."""

from __future__ import annotations

import threading

from blackbox_qt.core.clock import NS, Clock


class Pacer:
    """Turns a moment of the footage into a moment on the boot clock, and waits for it.

    Behind by more than `slack_s` (the machine slept, or is too slow) it starts counting anew from now instead of
    sending everything it missed at once.

    Threads: one, the source's.
    """

    def __init__(self, clock: Clock, stop: threading.Event, slack_s: float = 0.5) -> None:
        self._clock = clock
        self._stop = stop
        self._slack_ns = int(slack_s * NS)
        self._zero: int | None = None

    def wait(self, at_ns: int) -> int | None:
        """Wait until footage time `at_ns` is due. Its boot time, ns, or None when asked to stop."""
        now = self._clock.boot_ns()
        if self._zero is None or now - (self._zero + at_ns) > self._slack_ns:
            self._zero = now - at_ns
        due = self._zero + at_ns
        while (left := due - self._clock.boot_ns()) > 0:
            if self._stop.wait(left / NS):
                return None
        return None if self._stop.is_set() else due
