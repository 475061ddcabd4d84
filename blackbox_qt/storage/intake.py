"""Where packets come in: taken, or refused and counted, while the user pauses, at the end, and after a crash."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.memory import PacketMemory
from blackbox_qt.storage.status import WriterSettings

_NO_MORE_NS = NS  # after so long without a packet a cut does not wait for a key frame


class Intake:
    """The side of a Recording that never touches the disk.

    Threads: any.
    """

    def __init__(self, clock: Clock, settings: WriterSettings, lost_before: Mapping[str, int]) -> None:
        self._clock = clock
        self._fragment_ns = settings.fragment_ms * 1_000_000
        self._lock = threading.Lock()  # never held while calling out
        self._memory = PacketMemory(round(settings.memory_s * NS), self._fragment_ns, lost_before)
        self._dead = False
        self._paused_until: int | None = None
        self._finish_by: int | None = None

    def put(self, packet: Packet) -> bool:
        """Take a packet; True when a step may be due. Microseconds, whatever the disk does."""
        now = self._clock.boot_ns()
        with self._lock:
            if cause := self._refusal(now):
                self._memory.refuse(packet, cause)
                return False
            return self._memory.put(packet, now)

    def pause(self, seconds: float) -> None:
        """Stop recording for a time that ends by itself; ValueError when it is not positive."""
        if not 0 < seconds < 86_400 * 365:
            raise ValueError(f"a pause of {seconds} s is not possible: more than 0")
        with self._lock:
            self._paused_until = self._clock.boot_ns() + round(seconds * NS)
            self._memory.interrupt("paused", "stopped")

    def cut(self) -> None:
        """End the segment at the next key frame and begin a new one; without loss, or at once when nothing comes."""
        with self._lock:
            self._memory.cut_at_key("cut")

    def resume(self) -> None:
        """End a pause now; recording goes on at the next key frame."""
        with self._lock:
            self._paused_until = None

    def _refusal(self, now: int) -> str:
        """The cause under which a packet that comes now is lost; "" if it is taken in."""
        if self._is_paused(now):
            return "stopped"
        if self._dead:
            return "disk"
        return "stopped" if self._finish_by is not None else ""

    @property
    def untold(self) -> Mapping[str, int]:
        """Frames lost, by cause, that no record on the disk will tell of."""
        with self._lock:
            return self._memory.untold

    def _is_paused(self, now: int) -> bool:
        if self._paused_until is not None and now >= self._paused_until:
            self._paused_until = None
        return self._paused_until is not None

    def _fills_up(self) -> bool:
        """Half of the memory is taken: what is written must leave it, whatever interval was asked for."""
        with self._lock:
            return self._memory.half_full

    def _must_flush(self, now: int) -> bool:
        """Packets have stopped coming, for whatever reason: what is here must not stay in memory."""
        newest = self._memory.newest_ns
        stopped = self._finish_by is not None or self._is_paused(now)
        return stopped or (newest is not None and now - newest >= self._fragment_ns)

    def _cut_due_ns(self) -> int:
        """When no key frame is waited for any more."""
        newest = self._memory.newest_ns
        return 0 if newest is None else newest + _NO_MORE_NS

    def _close_for_good(self) -> None:
        """Nothing is kept from now on; what is not known to be durable counts as lost."""
        with self._lock:
            self._dead = True
            self._memory.forsake()
