"""What the Writer does, one step at a time: cut, write, sync, and start over after an error. No thread of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.packet import NO_LOSS, Packet, StreamInfo
from blackbox_qt.storage.disk import is_full
from blackbox_qt.storage.intake import Intake
from blackbox_qt.storage.memory import Entry
from blackbox_qt.storage.naming import Naming, Retry
from blackbox_qt.storage.open_segment import FinishedSegment, OpenSegment
from blackbox_qt.storage.segment import Place, Store
from blackbox_qt.storage.status import WriterSettings, WriterStatus, judge, patience_s

_BACKLOG_SYNC = 8  # fragments written between two syncs while catching up after a stall


class Recording(Intake):
    """Packets in, segments out. `put`, `pause`, `resume` and `status` never touch the disk; `step` does.

    Threads: `step` by one thread; everything else any.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: WriterSettings,
        on_segment: Callable[[FinishedSegment], None],
        lost_before: Mapping[str, int] = NO_LOSS,
    ) -> None:
        super().__init__(clock, settings, lost_before)
        self._store = store
        self._disk = store.disk
        self._settings = settings
        self._naming = Naming(store.data, on_segment, store.lacks)
        self._segment_ns = round(settings.segment_s * NS)
        self._segment: OpenSegment | None = None  # from here on: written by step() only
        self._unsynced_fragments = 0
        self._synced_at: int | None = None
        self._fault = ""
        self._retry = Retry()
        self._frames = self._durable = self._bytes = 0
        self._ended = False

    def finish(self, timeout_s: float) -> None:
        """No more packets; the steps that follow write the rest and end the segment, or give up after the time."""
        with self._lock:
            self._finish_by = self._clock.boot_ns() + round(timeout_s * NS)
            self._retry.reset()
            self._naming.retry.reset()

    def die(self, words: str) -> None:
        """There will be no more steps, because of an error that is not the disk's. Nothing is kept from now on.

        What is not known to be durable counts as lost, though some of it may be in the file.
        """
        self._fault = words
        self.abandon()
        self._close_for_good()

    def step(self) -> float | None:
        """Do what is due now; returns the seconds until something may be due, None: not before the next call.

        After `finish`, `ended` tells when there is nothing left to do.
        """
        now = self._clock.boot_ns()
        if self._fault and now < self._retry.at_ns:
            return self._wait_for_retry(now)
        try:
            self._write_what_is_complete(now)
            self._sync_if_due(self._clock.boot_ns())
            self._naming.step(self._clock.boot_ns())
            self._close_if_stopped()
            self._close_if_cut(self._clock.boot_ns())
        except OSError as error:
            self._fail(error)
            return self._wait_for_retry(self._clock.boot_ns())
        return self._next_wait(self._clock.boot_ns())

    def _wait_for_retry(self, now: int) -> float:
        if self._finish_by is not None and self._retry.at_ns > self._finish_by:
            self._ended = True
        return max(0, self._retry.at_ns - now) / NS

    def _write_what_is_complete(self, now: int) -> None:
        while True:
            reason, taken, follower = self._next(now)
            if reason:
                self._close(reason)
            elif taken:
                self._write(taken, follower)
            else:
                return

    def _next(self, now: int) -> tuple[str, list[Entry], Packet | None]:
        """Why the open segment must end, or the next fragment's packets and the one after them in the same segment.

        Looked at and taken under one lock: `put` may drop waiting packets at any moment.
        """
        with self._lock:
            if self._segment is None:
                self._memory.restart()
            entry = self._memory.peek()
            if entry is None:
                return "", [], None
            if reason := self._reason_to_cut(entry):
                return reason, [], None
            alone = self._segment is None or self._segment.totals.frames == 0
            taken = self._memory.take(alone=alone, flush=self._must_flush(now))
            after = self._memory.next_after
        if not taken or after is None or after.cut or after.packet.stream is not taken[-1].packet.stream:
            return "", taken, None
        return "", taken, after.packet

    def _reason_to_cut(self, entry: Entry) -> str:
        segment = self._segment
        if segment is None:
            return ""
        if entry.cut and segment.totals.frames:
            return entry.cut
        if entry.packet.stream is not segment.stream:
            return "stream-changed"
        if not (entry.packet.key and segment.totals.frames):
            return ""
        if self._store.is_left(segment.place):
            return "moved"
        full = segment.is_due(entry.packet, self._segment_ns) or self._store.outgrown(segment.place, segment.bytes)
        return "full" if full else ""

    def _write(self, taken: list[Entry], follower: Packet | None) -> None:
        opened = self._segment is None
        segment = self._segment or self._open(taken[0].packet.stream)
        before = segment.bytes
        segment.append(taken, follower)
        self._frames += len(taken)
        self._bytes += segment.bytes - before
        self._unsynced_fragments += 1
        if self._settings.sync_ms == 0 and opened:
            self._sync()
        if self._unsynced_fragments >= _BACKLOG_SYNC and (self._settings.sync_ms == 0 or self._fills_up()):
            self._sync()

    def _open(self, stream: StreamInfo) -> OpenSegment:
        try:
            return self._open_next(stream)
        except FileExistsError:
            assert self._segment is not None
            self._store.renew(self._segment.place)
            self._segment.abandon()
            return self._open_next(stream)

    def _open_next(self, stream: StreamInfo) -> OpenSegment:
        place = self._store.place(stream.camera, stream.origin)
        self._segment = OpenSegment(self._disk, place, stream, self._clock, self._settings.sign)
        self._segment.open(self._settings.software)
        return self._segment

    def _sync_if_due(self, now: int) -> None:
        if self._unsynced_fragments == 0 or self._segment is None:
            return
        interval = round(self._settings.sync_s * NS)
        recent = interval and self._synced_at is not None and now - self._synced_at < interval
        if recent and not self._fills_up():
            return
        self._sync()

    def _sync(self) -> None:
        assert self._segment is not None
        self._segment.sync()
        self._mark_durable()

    def _mark_durable(self) -> None:
        """Everything handed out is on the medium: only now may it leave the memory."""
        assert self._segment is not None
        assert self._segment.durable is not None
        self._fault = ""
        self._retry.reset()
        self._synced_at = self._clock.boot_ns()
        self._unsynced_fragments = 0
        self._store.continue_from(self._segment.place, self._segment.durable)
        with self._lock:
            self._durable += self._memory.mark_synced()

    def _close_if_stopped(self) -> None:
        """A pause or the end of all recording closes the segment once everything is in it.

        So does a card that is to be left while no pictures come that could begin another segment.
        """
        segment = self._segment
        with self._lock:
            rest = self._memory.unsynced and self._memory.waiting
            finish_by = self._finish_by
            paused = self._is_paused(self._clock.boot_ns())
            idle = self._must_flush(self._clock.boot_ns())
        left = segment is not None and idle and self._store.is_left(segment.place)
        if rest or not (finish_by is not None or paused or left):
            return
        if segment is not None:
            self._close("stopped" if finish_by is not None else "paused" if paused else "moved")
        unnamed = self._naming.due_ns()
        self._ended = finish_by is not None and (unnamed is None or unnamed > finish_by)

    def _close_if_cut(self, now: int) -> None:
        """A cut was asked for and no key frame comes: a camera that is dead must not keep its segment open."""
        with self._lock:
            reason, due = self._memory.wanted_cut, self._cut_due_ns()
            if not reason or self._memory.waiting or now < due:
                return
            self._memory.interrupt(reason, "encoder")
        if self._segment is not None:
            self._close(reason)

    def _close(self, reason: str) -> None:
        assert self._segment is not None
        self._segment.end(reason)
        self._mark_durable()
        self._naming.add(self._segment)
        self._segment = None
        self._naming.step(self._clock.boot_ns())

    def _fail(self, error: OSError) -> None:
        """The descriptor may lie from now on: leave the file, and write what is not durable to a new one."""
        self._fault = self._store.failed(error, self._segment.place if self._segment else None)
        self._retry.failed(self._clock.boot_ns())
        self.abandon(discard=self._finish_by is None)  # at the end it may be the last that is left of these pictures
        if is_full(error):
            self._store.when_full()

    def abandon(self, *, discard: bool = False) -> None:
        """Leave the open file; what is not durable is written again if there is another step.

        discard: a file of which nothing is durable is removed.
        """
        self._unsynced_fragments = 0
        if self._segment is not None:
            if discard:
                self._segment.discard()
            else:
                self._segment.abandon()
            self._segment = None
        with self._lock:
            self._memory.restart()

    def _next_wait(self, now: int) -> float | None:
        with self._lock:
            newest, waiting = self._memory.newest_ns, self._memory.waiting and self._memory.unsynced
            due = [self._cut_due_ns()] if self._memory.wanted_cut else []
        if waiting and newest is not None:
            due.append(newest + self._fragment_ns)
        if self._unsynced_fragments and self._synced_at is not None:
            due.append(self._synced_at + round(self._settings.sync_s * NS))
        if (unnamed := self._naming.due_ns()) is not None:
            due.append(unnamed)
        return max(0, min(due) - now) / NS if due else None

    @property
    def ended(self) -> bool:
        """After `finish`: no step is left to do."""
        return self._ended

    @property
    def all_durable(self) -> bool:
        """Every packet that was taken in is on the medium, and no segment is open; one may lack its final name."""
        with self._lock:
            return self._memory.unsynced == 0 and self._segment is None and not self._fault

    @property
    def has_durable(self) -> bool:
        """At least one picture is on the medium."""
        return self._durable > 0

    @property
    def places(self) -> tuple[Place, ...]:
        """Where something is open, or not yet named."""
        segment = self._segment
        return (*self._naming.places, *((segment.place,) if segment else ()))

    @property
    def trouble(self) -> str:
        """What the disk last said, in words; "" while it works."""
        return self._fault or self._naming.words

    def status(self) -> WriterStatus:
        """One consistent look; the disk is not asked."""
        now = self._clock.boot_ns()
        segment = self._segment
        with self._lock:
            paused = self._is_paused(now)
            oldest = self._memory.oldest_unsynced_ns
            age_s = max(0, now - oldest) / NS if oldest is not None else 0.0
            status = WriterStatus(
                state="idle",
                words="",
                segment=segment.place.name.stem if segment else "",
                frames_written=self._frames,
                frames_durable=self._durable,
                bytes=self._bytes,
                queue_packets=self._memory.unsynced,
                queue_s=self._memory.seconds,
                unsynced_age_s=age_s,
                lost=MappingProxyType(dict(Counter(self._memory.lost))),
                segments=self._naming.named,
                paused_until_ns=self._paused_until,
                late=age_s > patience_s(self._settings),
            )
        if self._fault:
            return replace(status, state="fault", words=self._fault)
        if self._ended:
            return replace(status, state="idle", words=self._naming.words or "Recording has ended")
        since_sync = None if self._synced_at is None else (now - self._synced_at) / NS
        state, words = judge(paused, status.unsynced_age_s, since_sync, self._settings)
        return replace(status, state=state, words=words or self._naming.words)
