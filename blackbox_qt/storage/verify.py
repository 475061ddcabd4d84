"""Reads one segment, finished, torn or hostile, and reports what it holds. Never writes."""

from __future__ import annotations

import copy
from array import array
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from blackbox_qt.core.clock import Anchor
from blackbox_qt.core.trust import worth
from blackbox_qt.storage import record_read, signature
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.fmp4 import IndexEntry
from blackbox_qt.storage.healing_look import UNSYNCED_NS
from blackbox_qt.storage.record_read import FragmentRecord, Head
from blackbox_qt.storage.report import Damage, Gap, SegmentReport, gap_between
from blackbox_qt.storage.segment import PART, SegmentName
from blackbox_qt.storage.signature import Signature
from blackbox_qt.storage.walk import Piece, Walk, index_matches

_MAX_KEPT = 1_000_000  # frames, records: what is remembered of one file, however large
_MAX_GAPS = 1000
_MAX_DAMAGE = 100


class FileBytes(AbstractContextManager["FileBytes"]):
    """A file through the Disk, as the reader wants it.

    Threads: one owner.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._fd = disk.open_read(path)
        self.size = disk.size(self._fd)

    def at(self, offset: int, count: int) -> bytes:
        return self._disk.read_at(self._fd, count, offset)

    def __exit__(self, *_: object) -> None:
        self._disk.close(self._fd)


def verify(disk: Disk, path: Path) -> SegmentReport:
    """Report on one file; whatever is in it, and also when it cannot be read, there is a report and no exception."""
    look = _Look(path)
    try:
        with FileBytes(disk, path) as source:
            for piece in Walk(source):
                look.add(piece, source)
            return look.report(source.size)
    except OSError as error:
        return look.unreadable(f"cannot be read: {error.strerror or error}")


class _Look:
    """Gathers a report piece by piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: Head | None = None
        self._kinds: Counter[str] = Counter()
        self._index: list[IndexEntry] = []
        self._damage: list[Damage] = []
        self._until: list[int | None] = []  # the first good picture behind each
        self._good_end = 0
        self._frames = self._keys = self._missing = 0
        self._lost: Counter[str] = Counter()
        self._losses: list[tuple[int, Counter[str]]] = []
        self._gaps: list[Gap] = []
        self._first: tuple[int, int] | None = None  # number, t_ns
        self._last: tuple[int, int] | None = None
        self._anchor: Anchor | None = None
        self._reason = ""
        self._end = b""
        self._signature: Signature | None = None
        self._digests: list[bytes] = []
        self._times = array("q")
        self._before: _Look | None = None  # as all this was before the first damage, in an unfinished file

    def add(self, piece: Piece, source: FileBytes) -> None:
        try:
            words = piece.words or self._take(piece, source)
        except ValueError as error:
            words = str(error)
        if words:
            if self._before is None and self._path.name.endswith(PART):
                self._before = copy.deepcopy(self)
            self._note(Damage(piece.offset, piece.end, words, piece.kind, self._last[1] if self._last else None))
            self._identify(piece)
        else:
            self._kinds[piece.kind] += 1
            self._good_end = piece.end
            if piece.digest and len(self._digests) < _MAX_KEPT:
                self._digests.append(piece.digest)

    def _note(self, damage: Damage) -> None:
        if len(self._damage) < _MAX_DAMAGE:
            self._damage.append(damage)
            self._until.append(None)

    def _identify(self, piece: Piece) -> None:
        """A damaged opening still says, unproven, whose file this is."""
        if self._head is None and piece.body is not None and piece.offset == 0:
            try:
                self._head = record_read.head(piece.body)
            except ValueError:
                return

    def _take(self, piece: Piece, source: FileBytes) -> str:
        """Use a proven piece; returns what is wrong with it nevertheless."""
        if piece.kind == "head" and piece.body:
            self._head = record_read.head(piece.body)
            self._consider(self._head.anchor)
        elif piece.kind == "fragment" and piece.body and piece.moof:
            record = record_read.fragment(piece.body)
            if len(record.times_ns) != len(piece.moof.sizes):
                return "a record counts other frames than its fragment holds"
            if piece.moof.keys[0] and len(self._index) < _MAX_KEPT:
                self._index.append(IndexEntry(piece.moof.start_us, piece.offset))
            self._keys += sum(piece.moof.keys)
            self._add_frames(record)
        elif piece.kind == "end" and piece.body:
            self._reason, self._end = record_read.end_reason(piece.body), piece.digest
        elif piece.kind == "signature" and piece.body:
            self._signature = signature.read(piece.body)
            if self._end and self._signature.digest != self._end:
                return "the signature is of another end record"
        elif piece.kind == "index" and not self._damage and not index_matches(source, piece, self._index):
            return "the index of key frames at the end does not match (the pictures are whole)"
        return ""

    def _add_frames(self, record: FragmentRecord) -> None:
        self._consider(record.anchor)
        self._lost.update(record.lost)
        if record.lost and len(self._losses) < _MAX_KEPT:
            self._losses.append((record.times_ns[0], record.lost))
        self._frames += len(record.times_ns)
        for number in range(len(self._until) - 1, -1, -1):
            if self._until[number] is not None:
                break
            self._until[number] = record.times_ns[0]
        for frame in zip(record.seqs, record.times_ns, strict=True):
            self._compare(frame)
            self._first, self._last = self._first or frame, frame
        if len(self._times) < _MAX_KEPT:
            self._times.extend(record.times_ns)

    def _compare(self, frame: tuple[int, int]) -> None:
        gap = gap_between(self._last, frame) if self._last else None
        if gap is not None:
            self._missing += gap.frames
            if len(self._gaps) < _MAX_GAPS:
                self._gaps.append(gap)

    def _consider(self, anchor: Anchor) -> None:
        """Keep the anchor that is worth most; among equals the latest."""
        if self._anchor is None or worth(anchor) >= worth(self._anchor):
            self._anchor = anchor

    def report(self, size: int) -> SegmentReport:
        part = self._path.name.endswith(PART)
        if not self._kinds and self._head is None and not (part and SegmentName.parse(self._path.name)):
            return self.unreadable("is empty" if size == 0 else "is not a recording of this program")
        ended, indexed = bool(self._kinds["end"]), bool(self._kinds["index"])
        if part and not indexed and self._before is not None and self._is_mixed(self._before):
            return self._before.report(size)
        torn = 0
        if part and not indexed:  # what a power cut leaves: everything is good up to some byte
            torn = size - self._good_end
            self._damage = [damage for damage in self._damage if damage.offset < self._good_end]
        elif not indexed and not self._damage:
            what = "the index at the end is missing (the pictures are whole)" if ended else "it is cut off"
            last_ns = self._last[1] if self._last else None
            self._note(Damage(size, size, what, "index" if ended else "broken", last_ns))
        state = "damaged" if self._damage else "finished" if indexed else "torn"
        return self._filled(state, torn, size)

    def _is_mixed(self, before: _Look) -> bool:
        """Whether what is whole behind the first damage was not synced: a power cut lets any of it reach the disk, and
        healing will cut the file before it."""
        first, last = before._last or self._first, self._last
        return first is None or last is None or last[1] - first[1] <= UNSYNCED_NS

    def _filled(self, state: str, torn: int, size: int) -> SegmentReport:
        head = self._head
        return SegmentReport(
            path=self._path,
            state=state,
            name=head.name if head else SegmentName.parse(self._path.name),
            origin=head.origin if head else "",
            machine_boot=head.machine_boot if head else "",
            device=head.device if head else "",
            software=head.software if head else "",
            width=head.width if head else 0,
            height=head.height if head else 0,
            previous=head.previous if head else None,
            fragments=self._kinds["fragment"],
            frames=self._frames,
            key_frames=self._keys,
            lost=self._lost,
            losses=tuple(self._losses),
            missing=self._missing,
            gaps=tuple(self._gaps),
            first_t_ns=self._first[1] if self._first else None,
            last_t_ns=self._last[1] if self._last else None,
            first_seq=self._first[0] if self._first else 0,
            last_seq=self._last[0] if self._last else 0,
            anchor=self._anchor,
            end_reason=self._reason,
            signature=self._signature,
            damage=tuple(replace(one, until_ns=t) for one, t in zip(self._damage, self._until, strict=False)),
            torn_bytes=torn,
            good_bytes=size - torn,
            digests=tuple(self._digests),
            times_ns=self._times,
        )

    def unreadable(self, words: str) -> SegmentReport:
        damage = (Damage(0, 0, words),)
        return SegmentReport(self._path, "unreadable", SegmentName.parse(self._path.name), damage=damage)
