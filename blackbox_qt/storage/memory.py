"""The packets that are not safe yet: what waits, what is being written, what must be kept to write it again.

Pure: no clock, no lock, no disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from blackbox_qt.core.clock import NS
from blackbox_qt.core.packet import NO_LOSS, Packet, StreamInfo

_CLOCK_CUT_NS = NS  # a camera whose clock goes back again and again gets no more than one segment in this time


class Entry:
    """A packet in memory.

    Threads: as the PacketMemory it is in.
    """

    __slots__ = ("cut", "flow_ns", "lost", "packet", "put_ns")

    def __init__(self, packet: Packet, put_ns: int, flow_ns: int, lost: Mapping[str, int], cut: str) -> None:
        self.packet = packet
        self.put_ns = put_ns  # boot clock when it was handed over
        self.flow_ns = flow_ns  # the same on a clock that stands while nothing comes
        self.lost = lost  # frames missing just before it, by cause
        self.cut = cut  # a reason for which the segment before it must end; "" for none


class PacketMemory:
    """Packets in order: durable ones kept for their key frame, taken ones being written, waiting ones.

    `entries[:synced]` are durable, `entries[:taken]` were handed out for writing. A GOP's key frame stays here until
    nothing that needs it is unsynced, so that after an error the rewrite starts with a picture that decodes.

    Threads: one at a time (the Recording holds its lock).
    """

    def __init__(self, limit_ns: int, fragment_ns: int, lost_before: Mapping[str, int] = NO_LOSS) -> None:
        self.limit_ns = limit_ns
        self.fragment_ns = fragment_ns
        self.lost: Counter[str] = Counter()  # all that was ever missing, by cause
        self._entries: list[Entry] = []
        self._taken = 0
        self._synced = 0
        self._pending: Counter[str] = Counter(lost_before)  # lost before a packet that has not come yet
        self._pending_cut = ""
        self._cut_at_key = ""  # a reason for which the segment ends at the next key frame
        self._stream: StreamInfo | None = None
        self._need_key = ""  # why packets are refused until a key frame comes; "" when they are not
        self._flow_ns = 0
        self._last_t_ns: int | None = None  # of the packet before, in this stream
        self._went_back = False  # time did, and the segment has not been cut for it yet
        self._clock_cut_ns: int | None = None

    def put(self, packet: Packet, now_ns: int) -> bool:
        """Take a packet in; True when that may complete a fragment or start a new one."""
        if packet.stream is not self._stream:
            self._stream = packet.stream
            self._last_t_ns, self._went_back = None, False
            self._need_key = self._need_key or "encoder"
        if self._need_key and not packet.key:
            self.refuse(packet, self._need_key)
            return False
        self._need_key = ""
        lost = packet.lost
        if lost:
            self.lost.update(lost)
        if self._pending:
            lost = self._pending + Counter(packet.lost)
            self._pending = Counter()
        if self._entries:
            self._flow_ns += min(now_ns - self._entries[-1].put_ns, self.fragment_ns)
        self._entries.append(Entry(packet, now_ns, self._flow_ns, lost, self._cut_before(packet, now_ns)))
        self._enforce_limit()
        return self._notable()

    def _cut_before(self, packet: Packet, now_ns: int) -> str:
        """Why the segment must end before this packet; "" if it need not. Time that went back: at a key frame."""
        cut, self._pending_cut = self._pending_cut, ""
        self._went_back |= self._last_t_ns is not None and packet.t_ns <= self._last_t_ns
        self._last_t_ns = packet.t_ns
        if packet.key and self._cut_at_key:
            cut, self._cut_at_key = cut or self._cut_at_key, ""
        if not (packet.key and self._went_back):
            return cut
        recent = self._clock_cut_ns is not None and now_ns - self._clock_cut_ns < _CLOCK_CUT_NS
        if recent and not cut:
            return ""
        self._went_back, self._clock_cut_ns = False, now_ns
        return cut or "clock-changed"

    def _notable(self) -> bool:
        waiting = len(self._entries) - self._taken
        return waiting <= 1 or self._ends(self._entries[self._taken], len(self._entries) - 1)

    def refuse(self, packet: Packet, cause: str) -> None:
        """Count a packet that is not taken in, and what was lost before it."""
        missing = Counter(packet.lost)
        missing[cause] += 1
        self.lost.update(missing)
        self._pending.update(missing)

    def cut_at_key(self, cut: str) -> None:
        """The next key frame starts a new segment; nothing is refused until then."""
        self._cut_at_key = cut

    @property
    def wanted_cut(self) -> str:
        """Why the segment is to end at the next key frame, which has not come yet."""
        return self._cut_at_key

    def interrupt(self, cut: str, cause: str) -> None:
        """The next packet starts a new segment, with a key frame; those refused until then count as `cause`."""
        self._pending_cut, self._cut_at_key = cut, ""
        self._need_key = cause

    def forsake(self) -> None:
        """Nothing here will be written any more: all that is not durable is lost, and waits to be told."""
        self._pending = self._missing(self._synced, len(self._entries)) + self._pending
        self._entries.clear()
        self._taken = self._synced = 0

    @property
    def untold(self) -> Mapping[str, int]:
        """Frames lost before a packet that has not come yet, by cause: no record tells of them."""
        return dict(self._pending)

    def take(self, *, alone: bool, flush: bool) -> list[Entry]:
        """The next fragment's packets, [] when none is complete.

        alone: the first packet by itself. flush: do not wait for the packet that would end the fragment.
        """
        start = self._taken
        if start >= len(self._entries) or self.unsynced == 0:
            return []
        end = start + 1 if alone else self._fragment_end(start, flush)
        self._taken = end
        return self._entries[start:end]

    def _fragment_end(self, start: int, flush: bool) -> int:
        first = self._entries[start]
        for at in range(start + 1, len(self._entries)):
            if self._ends(first, at):
                return at
        return len(self._entries) if flush else start

    def _ends(self, first: Entry, at: int) -> bool:
        """Whether the fragment that `first` begins must end before entry `at`."""
        entry, before = self._entries[at], self._entries[at - 1].packet
        packet = entry.packet
        if packet.key or entry.cut or packet.stream is not before.stream or packet.t_ns <= before.t_ns:
            return True
        return 2 * packet.t_ns - before.t_ns - first.packet.t_ns > self.fragment_ns  # it lasts as long as the last

    def peek(self) -> Entry | None:
        """The next packet to be written."""
        if self.unsynced == 0 or self._taken >= len(self._entries):
            return None
        return self._entries[self._taken]

    def mark_synced(self) -> int:
        """All that was taken is durable; how many packets became so."""
        gained = max(0, self._taken - self._synced)
        self._synced += gained
        self._trim()
        return gained

    def restart(self) -> None:
        """Write again, for a new segment: from the last key frame at or before the first unsynced packet."""
        self._trim()
        self._taken = 0

    def _trim(self) -> None:
        """Forget what no rewrite could need."""
        start = min(self._synced, len(self._entries) - 1)
        while start > 0 and not self._entries[start].packet.key:
            start -= 1
        if start > 0:
            self._forget(0, start)

    def _forget(self, start: int, end: int) -> None:
        del self._entries[start:end]
        self._taken -= max(0, min(end, self._taken) - start)
        self._synced -= max(0, min(end, self._synced) - start)

    def _enforce_limit(self) -> None:
        while self.unsynced > 1 and self._span_ns() > self.limit_ns:
            if not self._drop_oldest_gop():
                return

    def _drop_oldest_gop(self) -> bool:
        """Drop what waits up to the next key frame; what is being written stays, it may yet reach the disk."""
        start, end = self._taken, self._taken + 1
        while end < len(self._entries) and not self._entries[end].packet.key:
            end += 1
        if start >= len(self._entries):
            return False
        missing = self._missing(start, end)
        cut = next((entry.cut for entry in self._entries[start:end] if entry.cut), "")
        self._forget(start, end)
        if start < len(self._entries):
            heir = self._entries[start]
            heir.lost, heir.cut = Counter(heir.lost) + missing, heir.cut or cut
        else:
            self._pending.update(missing)
            self._pending_cut = self._pending_cut or cut
            self._need_key = "disk"
        return True

    def _missing(self, start: int, end: int) -> Counter[str]:
        missing: Counter[str] = Counter()
        for entry in self._entries[start:end]:
            missing.update(entry.lost)
        dropped = end - max(start, self._synced)
        missing["disk"] += max(0, dropped)
        self.lost["disk"] += max(0, dropped)
        return missing

    @property
    def unsynced(self) -> int:
        """Packets not known to be durable."""
        return len(self._entries) - self._synced

    @property
    def waiting(self) -> int:
        """Packets not handed out for writing."""
        return len(self._entries) - self._taken

    @property
    def seconds(self) -> float:
        """Video that is not known to be durable, s; by the time it took to come: a camera's clock may leap."""
        return self._span_ns() / NS

    @property
    def half_full(self) -> bool:
        """What is not durable takes half of the memory, or will with the next fragment."""
        return 2 * (self._span_ns() + self.fragment_ns) >= self.limit_ns

    def _span_ns(self) -> int:
        """What is being written and what waits, without the hole that dropping makes between the two."""
        split = max(self._taken, self._synced)
        return self._between(self._synced, split) + self._between(split, len(self._entries))

    def _between(self, start: int, end: int) -> int:
        return self._entries[end - 1].flow_ns - self._entries[start].flow_ns if start < end else 0

    @property
    def oldest_unsynced_ns(self) -> int | None:
        """When the oldest packet that is not durable was handed over, boot clock."""
        return self._entries[self._synced].put_ns if self.unsynced else None

    @property
    def newest_ns(self) -> int | None:
        """When the newest packet in memory was handed over, boot clock."""
        return self._entries[-1].put_ns if self._entries else None

    @property
    def next_after(self) -> Entry | None:
        """The packet that follows what was taken."""
        return self._entries[self._taken] if self.waiting else None


def total_lost(entries: Sequence[Entry]) -> Counter[str]:
    """Frames missing before or among these packets, by cause."""
    missing: Counter[str] = Counter()
    for entry in entries:
        if entry.lost:
            missing.update(entry.lost)
    return missing
