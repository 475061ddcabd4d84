"""Counting what passes by: rate, holes, age. Counted per frame, read about once a second."""

from __future__ import annotations

from collections import deque

from blackbox_qt.core.clock import NS

STOPPED_AFTER_S = 0.3
"""A picture older than this is not live: it is dimmed and says so, wherever it is shown."""


class Meter:
    """Counts frames by their driver's numbers and times.

    Threads: `tick` on one thread; reading from any (single integers, no lock).
    """

    def __init__(self, window_s: float = 2.0) -> None:
        self.frames = 0
        self.lost = 0  # holes in the driver's numbers
        self.last_seq: int | None = None
        self.last_t_ns = 0
        self._window_ns = int(window_s * NS)
        self._times: deque[int] = deque(maxlen=512)

    def tick(self, seq: int, t_ns: int) -> int:
        """Count one frame. Returns how many are missing before it (0 after a restart of the numbers)."""
        hole = 0
        if self.last_seq is not None and seq > self.last_seq:
            hole = seq - self.last_seq - 1
        self.last_seq, self.last_t_ns = seq, t_ns
        self.frames += 1
        self.lost += hole
        self._times.append(t_ns)
        return hole

    def restart(self) -> None:
        """The camera was opened anew: its numbers begin again, which is no hole."""
        self.last_seq = None

    def fps(self, now_ns: int) -> float:
        """Frames per second over the last two seconds before `now_ns` (boot clock); 0.0 when none came."""
        times = [t for t in tuple(self._times) if now_ns - t <= self._window_ns]
        if len(times) < 2:
            return 0.0
        return (len(times) - 1) * NS / max(1, times[-1] - times[0])

    def age_s(self, now_ns: int) -> float | None:
        """Seconds since the newest frame's sensor time; None before the first."""
        return None if not self.frames else max(0, now_ns - self.last_t_ns) / NS
