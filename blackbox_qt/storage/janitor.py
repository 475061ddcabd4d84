"""Keeps the disk from filling: asks the retention what to delete, deletes it, measures again. No thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.storage import holdings, retention, shelf
from blackbox_qt.storage.disk import Disk, StorageError
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.retention import Verdict
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.shelf import Held, LockKind, Locks, Policy, Space

log = logging.getLogger(__name__)

WHO = "janitor"
EVERY_S = 1.0
"""A look costs one question to the kernel. At 100 Mbit/s from four cameras 50 MB are written in this time."""
_LOOK_NS = 10 * NS  # so often it is counted how much is kept, and what is too old: that walks through all segments
_PATIENCE = 3  # segments that the disk does not let go in one step, before it is left for the next
_FULL_ANYWAY = "The disk says it is full although {} are free: look at it with `blackbox-qt doctor`"


@dataclass(frozen=True, slots=True)
class JanitorStatus:
    """How much is kept, when last looked.

    Threads: immutable, any.
    """

    kept_s: Mapping[str, float]  # by camera: recorded time that is there
    oldest_utc_ns: int | None  # of the oldest segment, where its time is vouched for
    locked_bytes: int
    lockable_bytes: int  # the most that marks may keep
    deleted: int  # segments, since the start of the program
    words: str  # a warning; "" when there is nothing to say
    stuck: bool = False  # room runs out, and nothing may be deleted


class Janitor:
    """One for a data folder and the libraries in it.

    `present()`: whether the card is there; nothing is deleted while it is not. `cameras` are those that record.
    `rest()` is called between two deletions, so that whoever records goes first.

    Threads: `step` one at a time, it blocks on the disk; `full`, `may_lock`, `status` any.
    """

    def __init__(
        self,
        disk: Disk,
        data: Path,
        libraries: Callable[[], Mapping[str, Library]],
        config: RetentionConfig,
        clock: Clock,
        cameras: Callable[[], Collection[str]],
        expected_rate: float,
        present: Callable[[], bool] = lambda: True,
        rest: Callable[[], None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None  # called when a Writer found the disk full
        self._disk = disk
        self._data = data
        self._libraries = libraries
        self._config = config
        self._clock = clock
        self._cameras = cameras
        self._expected_rate = expected_rate  # bytes a second and camera, while none has recorded
        self._present = present
        self._rest = rest
        self._stopping = stopping
        self._clearing = False
        self._full = threading.Event()
        self._held: dict[int, tuple[SegmentInfo, Held]] = {}  # by the info's id, which the info here keeps its own
        self._deleted = 0
        self._look_ns = 0  # when to count again, boot clock
        self._stubborn: dict[tuple[str, str], Exception] = {}  # what could not be deleted in this step, and why
        self._space: Space | None = None  # when last measured
        self._status = JanitorStatus({}, None, 0, 0, 0, "")
        self._said = ""

    # ---- any thread's

    @property
    def status(self) -> JanitorStatus:
        return self._status

    def full(self) -> None:
        """A Writer was refused room: the next step deletes something, whatever was measured. Never waits."""
        self._full.set()
        self.wake()

    def may_lock(self, bytes_more: int, kind: LockKind) -> Verdict:
        """Whether a mark may keep so much more, by what was measured last; the disk is not asked."""
        if self._space is None:
            return Verdict(True, "")  # nothing is known yet, and a moment that is not kept is gone
        segments = self._segments()
        return retention.may_lock(segments, self._space, self._policy(segments), bytes_more, kind)

    def rates(self) -> Mapping[str, float]:
        """Bytes a second of each camera that records."""
        return holdings.rates(self._segments(), self._cameras(), self._expected_rate)

    def _known(self) -> dict[str, Library]:
        """The libraries that were looked through: who does not know what is locked or newest deletes nothing."""
        return {name: library for name, library in self._libraries().items() if library.loaded.is_set()}

    def _segments(self) -> list[Held]:
        found = {name: library.segments() for name, library in self._known().items()}
        if self._config.max_age_h:
            return holdings.all_held(found, self._clock.anchor(), self._clock.machine_boot)
        # Ten thousand made anew for every deletion would take a tenth of a second each time.
        known, new = self._held, {}
        for name, segments in found.items():
            for one in segments:
                new[id(one)] = known.get(id(one)) or (one, holdings.held(name, one, None, ""))
        self._held = new
        return [held for _, held in new.values()]

    def _policy(self, segments: list[Held]) -> Policy:
        each = holdings.rates(segments, self._cameras(), self._expected_rate)
        return holdings.policy(self._config, sum(each.values()))

    # ---- the step

    def step(self) -> None:
        """Delete what must go, one after the other, measuring in between; then look how much is kept. OSError."""
        if not self._known() or not self._is_due():
            return
        self._stubborn = {}
        words = ""
        while not self._stopping():
            if not self._present():
                return
            space = self._measure()
            segments = [one for one in self._segments() if one.key not in self._stubborn]
            decision = self._decide(segments, space)
            self._clearing, words = decision.clearing, decision.warning or words
            if decision.delete is None:
                break
            self._delete(decision.delete, decision.why)
            self._rest()
        self._look(words)

    def _is_due(self) -> bool:
        """Whether the disk needs it, or it is time to count again."""
        if self._full.is_set() or self._clock.boot_ns() >= self._look_ns:
            return True
        if not self._present():
            return False
        policy, space = holdings.policy(self._config, 0), self._measure()
        return space.free < (policy.high(space) if self._clearing else policy.low(space))

    def _measure(self) -> Space:
        self._space = Space(*self._disk.space(self._data))
        return self._space

    def _decide(self, segments: list[Held], space: Space) -> retention.Decision:
        policy = self._policy(segments)
        if not self._config.enabled:
            return retention.Decision(None, "", False)
        if not self._full.is_set():
            return retention.plan(segments, space, policy, self._clearing)
        self._full.clear()
        if space.free >= policy.high(space):
            return retention.Decision(None, "", False, _FULL_ANYWAY.format(retention.size(space.free)))
        return retention.plan(segments, replace(space, free=0), policy, True)

    def _delete(self, one: Held, why: str) -> None:
        """One that cannot be deleted is passed over in this step: the next one may give room."""
        name = SegmentName.parse(one.name)
        assert name is not None
        try:
            self._libraries()[one.library].remove(name, why, WHO, locked_too=bool(one.lock))
        except (OSError, StorageError) as error:
            self._stubborn[one.key] = error
            log.log(logging.WARNING if isinstance(error, OSError) else logging.INFO, "%s stays: %s", one.name, error)
            if isinstance(error, OSError) and len(self._stubborn) >= _PATIENCE:
                raise
            return
        self._deleted += 1
        log.log(logging.WARNING if one.lock else logging.INFO, "%s was deleted: %s", one.name, why)

    def _look(self, words: str) -> None:
        self._look_ns = self._clock.boot_ns() + _LOOK_NS
        segments = self._segments()
        assert self._space is not None
        policy = self._policy(segments)
        kept = shelf.locks(segments, self._space, policy)
        words = words or retention.filling(kept, policy)
        counted = kept_s(segments), self._oldest(segments), kept.total, kept.limit
        self._status = JanitorStatus(*counted, self._deleted, words, stuck=words == retention.FULL)
        if words != self._said:
            self._said = words
            if words:
                log.warning("%s", words)

    def _oldest(self, segments: list[Held]) -> int | None:
        """UTC of the oldest picture; None where nobody vouches for it."""
        real = [one for one in segments if not one.demo] or segments
        oldest = min(real, key=lambda one: one.order, default=None)
        name = SegmentName.parse(oldest.name) if oldest else None
        info = self._libraries()[oldest.library].get(name) if oldest and name else None
        if info is None or info.first_t_ns is None or not info.dated:
            return None
        return info.utc_ns(info.first_t_ns)


def kept_s(segments: list[Held]) -> dict[str, float]:
    """Recorded time that is there, s, by camera.

    Threads: any.
    """
    kept: dict[str, float] = {}
    for one in segments:
        kept[one.camera] = kept.get(one.camera, 0.0) + one.seconds
    return kept


__all__ = ["EVERY_S", "Janitor", "JanitorStatus", "Locks", "kept_s"]
