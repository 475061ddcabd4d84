"""How much of an unfinished segment is whole. Reads only, in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.storage import fmp4, record_read, signature
from blackbox_qt.storage.fmp4_read import Bytes
from blackbox_qt.storage.walk import Piece, Walk

UNSYNCED_NS = 10 * NS
"""More video than this never waits for a sync. So much behind the first bad byte is what a power cut mixed up; damage
with more that is whole behind it is old, and what is behind it is kept."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What is whole up to `end`.

    Threads: immutable, any; `index` and `lost` are not changed any more when it is handed out.
    """

    end: int = 0  # bytes; behind the last good record
    digest: bytes = fmp4.NO_DIGEST  # that record's
    anchor: Anchor | None = None  # that record's
    fragments: int = 0
    frames: int = 0
    first: tuple[int, int] | None = None  # driver's number and boot time of the first picture
    last: tuple[int, int] | None = None
    lost: Counter[str] = field(default_factory=Counter)
    index: tuple[fmp4.IndexEntry, ...] = ()
    reason: str = ""  # why it ended, if its end record is there
    signed: bool = False  # a signature of that is there

    @property
    def seconds(self) -> float:
        """From the first to the last picture."""
        return (self.last[1] - self.first[1]) / NS if self.first and self.last else 0.0


def look(source: Bytes, rest: Callable[[], None] = lambda: None) -> Whole:
    """What of this file is to be kept; everything behind it is a torn tail."""
    whole, before_damage = Whole(), None
    for piece in Walk(source):
        rest()
        after = _add(whole, piece)
        if after is not None:
            whole = after
        elif before_damage is None:
            before_damage = whole
    if before_damage is None or _is_old(before_damage, whole):
        return whole
    return before_damage


def _is_old(before: Whole, whole: Whole) -> bool:
    """Whether what is whole behind the first damage must have been synced long ago."""
    if whole.last is None or whole.frames == before.frames:
        return False
    since = before.last or whole.first
    return since is not None and whole.last[1] - since[1] > UNSYNCED_NS


def _add(whole: Whole, piece: Piece) -> Whole | None:
    """With one more piece; None when the piece is not whole."""
    if piece.words or (piece.body is None and piece.kind != "index"):
        return None
    try:
        if piece.kind == "head" and piece.body:
            anchor = record_read.head(piece.body).anchor
            return replace(whole, end=piece.end, digest=piece.digest, anchor=anchor)
        if piece.kind == "fragment" and piece.body and piece.moof:
            return _with_fragment(whole, piece)
        if piece.kind == "end" and piece.body:
            end = record_read.end(piece.body)
            return replace(whole, end=piece.end, digest=piece.digest, anchor=end.anchor, reason=end.reason)
        if piece.kind == "signature" and piece.body:
            signature.read(piece.body)
            return replace(whole, end=piece.end, digest=piece.digest, signed=True)
    except ValueError:
        return None
    return whole  # the index: it is compared by whoever finishes the file


def _with_fragment(whole: Whole, piece: Piece) -> Whole | None:
    assert piece.body
    assert piece.moof
    found = record_read.fragment(piece.body)
    if len(found.times_ns) != len(piece.moof.sizes):
        return None
    key = (fmp4.IndexEntry(piece.moof.start_us, piece.offset),) if piece.moof.keys[0] else ()
    return replace(
        whole,
        end=piece.end,
        digest=piece.digest,
        anchor=found.anchor,
        fragments=whole.fragments + 1,
        frames=whole.frames + len(found.times_ns),
        first=whole.first or (found.seqs[0], found.times_ns[0]),
        last=(found.seqs[-1], found.times_ns[-1]),
        lost=whole.lost + found.lost,
        index=whole.index + key,
    )
