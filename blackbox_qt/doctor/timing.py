"""When each frame was safe on the disk: a Disk that knows which packets it was given, and looks at the clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from blackbox_qt.core.clock import Clock
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.disk import Disk

_MOST = 100_000  # some 50 minutes of two cameras


class TimingDisk(Disk):
    """The real disk; `take` gives the milliseconds from each frame's sensor time to the return of the sync after it.

    A packet's bytes are recognised as the very object that `note` was shown, so nothing is copied or parsed. One that
    is written before it was noted is not timed.

    Threads: any; a descriptor belongs to one thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[int, tuple[bytes, int]] = {}  # id -> the bytes, kept so that the id stays theirs, and t_ns
        self._written: dict[int, list[int]] = {}  # descriptor -> sensor times waiting for its sync
        self._ages_ms: list[float] = []

    def note(self, packet: Packet) -> None:
        """This packet is on its way. An Outlet."""
        with self._lock:
            if len(self._noted) < _MOST:
                self._noted[id(packet.data)] = packet.data, packet.t_ns

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        super().write(fd, parts)
        with self._lock:
            known = [self._noted.pop(id(part), None) for part in parts]
            self._written.setdefault(fd, []).extend(entry[1] for entry in known if entry is not None)

    def datasync(self, fd: int) -> None:
        super().datasync(fd)
        now = self._clock.boot_ns()
        with self._lock:
            self._ages_ms += [(now - t_ns) / 1e6 for t_ns in self._written.pop(fd, [])]

    def close(self, fd: int) -> None:
        with self._lock:
            self._written.pop(fd, None)
        super().close(fd)

    def take(self) -> list[float]:
        """The milliseconds of all frames that became safe since the last call."""
        with self._lock:
            ages, self._ages_ms = self._ages_ms, []
        return ages
