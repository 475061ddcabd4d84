"""Finishes what a power cut or a disk error left unfinished: cut back to the last whole fragment, ended, named.

Each step is durable before the next one begins, and each may be cut short itself: the next start goes on.

1. What is behind the last whole fragment is copied to the quarantine.
2. The file is cut there.
3. End record, the device's signature of it, and index are written behind it.
4. It gets its final name, and its sidecar says how it ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from blackbox_qt.core.clock import Clock
from blackbox_qt.storage import fmp4, healing_look, record, sidecar
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.healing_look import Whole
from blackbox_qt.storage.quarantine import Quarantine
from blackbox_qt.storage.record import HEALED_WORDS, INTERRUPTED, POWER_LOSS
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Sidecar
from blackbox_qt.storage.signature import Sign, unsigned
from blackbox_qt.storage.verify import FileBytes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Healed:
    """What was done to one unfinished segment.

    Threads: immutable, any.
    """

    name: SegmentName
    folder: Path
    reason: str  # of its end record; "" when nothing of it was whole
    seconds: float  # from its first to its last picture
    cut_bytes: int  # not whole; in quarantine

    @property
    def words(self) -> str:
        """One line for the log and the user."""
        cut = f"; the last {self.cut_bytes} bytes were not whole and are in quarantine" if self.cut_bytes else ""
        if not self.reason:
            if not self.cut_bytes:
                return f"{self.name.stem}: it was empty"
            return f"{self.name.stem}: nothing of it is whole; its {self.cut_bytes} bytes are in quarantine"
        if self.reason in HEALED_WORDS:
            return f"{self.name.stem}: {HEALED_WORDS[self.reason]}, {self.seconds:.1f} s{cut}"
        return f"{self.name.stem}: it was whole ({self.reason}), and has its final name now{cut}"


class Stopped(Exception):
    """Healing was asked to end; the next start goes on.

    Threads: immutable, any.
    """


class Healer:
    """Heals the unfinished segments of one library. OSError from the disk: what is done is done, the next try goes on.

    `rest` is called between two pieces of work, so that whoever records goes first; then `stop` is asked whether the
    rest of it should be left to the next start.

    Threads: one; blocks on the disk.
    """

    def __init__(
        self,
        disk: Disk,
        root: Path,
        clock: Clock,
        software: str,
        rest: Callable[[], None] = lambda: None,
        sign: Sign = unsigned,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.quarantine = Quarantine(disk, root)
        self._disk = disk
        self._clock = clock
        self._software = software
        self._let_others = rest
        self._stop = stop
        self._sign = sign

    def rest(self) -> None:
        """Between two pieces of work that may be left as they are. Raises Stopped."""
        self._let_others()
        if self._stop():
            raise Stopped

    def heal(self, folder: Path, name: SegmentName, *, followed: bool) -> Healed | None:
        """Heal one `.part`; None when another program is writing it, or its final name is taken.

        followed: there are later segments of this camera from the same start. Raises Stopped.
        """
        path = folder / name.part
        if self._disk.exists(folder / name.final):
            log.warning("%s is left as it is: there is a finished segment of that name beside it", path)
            return None
        fd = self._disk.update(path)
        try:
            if not self._disk.hold(fd):
                log.warning("%s is left as it is: another program is writing it", path)
                return None
            return self._heal(fd, path, name, INTERRUPTED if followed else POWER_LOSS)
        finally:
            self._disk.close(fd)

    def _heal(self, fd: int, path: Path, name: SegmentName, reason: str) -> Healed:
        with FileBytes(self._disk, path) as source:
            whole = healing_look.look(source, self.rest)
            index = fmp4.index(whole.index)
            is_complete = bool(whole.reason) and source.at(whole.end, len(index) + 1) == index
            size = source.size
        if not whole.frames:
            return self._put_away(path, name, size)
        cut = 0 if is_complete else size - whole.end
        if not is_complete:
            self._finish(fd, path, whole, self._ending(name, whole, reason) + index, cut)
        reason = whole.reason or reason
        self._name(path, name, reason)
        return Healed(name, path.parent, reason, whole.seconds, cut)

    def _ending(self, name: SegmentName, whole: Whole, reason: str) -> bytes:
        """What must stand between the last whole record and the index: end record and signature, where they lack."""
        digest, ending = whole.digest, b""
        if not whole.reason:
            digest, ending = _boxed(digest, self._end_record(whole, reason))
        signed = None if whole.signed else self._sign(name, digest, "healing")
        return ending if signed is None else ending + _boxed(digest, {**signed, **self._now()})[1]

    def _end_record(self, whole: Whole, reason: str) -> record.Body:
        """Its anchor is the last one known of its own start of the machine; now is another one, most likely."""
        assert whole.first
        assert whole.last
        assert whole.anchor
        body = record.ended(reason, whole.fragments, whole.frames, whole.first, whole.last, whole.lost, whole.anchor)
        return {**body, "healed": self._now()}

    def _now(self) -> record.Body:
        """When and by what it was healed."""
        return {
            "software": self._software,
            "machine_boot": self._clock.machine_boot,
            "anchor": record.anchor_body(self._clock.anchor()),
        }

    def _finish(self, fd: int, path: Path, whole: Whole, ending: bytes, cut: int) -> None:
        if cut:
            self.quarantine.keep(path, whole.end, f"{path.name}-from-{whole.end}", self.rest)
            self._disk.cut(fd, whole.end)
            self._disk.datasync(fd)
        self._disk.write_at(fd, ending, whole.end)
        self._disk.datasync(fd)

    def _name(self, path: Path, name: SegmentName, reason: str) -> None:
        self._disk.rename(path, path.with_name(name.final))
        ended = reason if reason in HEALED_WORDS else ""
        state = sidecar.change(self._disk, path.parent, name, lambda beside: _finished(beside, ended))
        assert state.state == "finished"
        self._disk.sync_dir(path.parent)

    def _put_away(self, path: Path, name: SegmentName, size: int) -> Healed:
        """Nothing of it is whole: all of it goes to the quarantine, and its sidecar with it."""
        beside = path.with_name(name.sidecar)
        for one in (path, beside):
            if self._disk.exists(one):
                if one is beside or size:
                    label = one.name if one is beside else f"{one.name}-from-0"  # `check` must not take it for a file
                    self.quarantine.keep(one, 0, label, self.rest)
                self._disk.unlink(one)
        self._disk.sync_dir(path.parent)
        return Healed(name, path.parent, "", 0.0, size)


def _boxed(previous: bytes, body: record.Body) -> tuple[bytes, bytes]:
    """A record's hash and its box, right behind the record with the hash `previous`."""
    text = record.encode(body)
    digest = fmp4.digest(previous, [], text)
    return digest, fmp4.record_box(digest, text)


def _finished(beside: Sidecar, ended: str) -> Sidecar:
    return replace(beside, state="finished", ended=ended)
