"""What a look at a segment found: values only."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.storage.record import Link
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.signature import Signature


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are not as they were recorded.

    Threads: immutable, any.
    """

    offset: int  # first byte that may be wrong
    end: int  # first byte that is right again, or the file's size
    words: str
    kind: str = "broken"  # what should be there: head | fragment | end | signature | index; broken: who knows
    after_ns: int | None = None  # boot clock: the last picture before it that is as recorded
    until_ns: int | None = None  # the first one behind it

    @property
    def in_pictures(self) -> bool:
        """Whether pictures may have been changed, and not only what is said about them."""
        return self.kind in ("fragment", "broken")


def moment(utc_ns: int) -> str:
    """A moment in words, UTC; "" when no calendar has it."""
    if not 0 <= utc_ns < 253_000_000_000 * NS:
        return ""
    found = datetime.fromtimestamp(utc_ns // NS, UTC)
    return f"{found:%Y-%m-%d %H:%M:%S}.{utc_ns // 10**6 % 1000:03d} UTC"


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where pictures are missing, or where the camera's clock went back.

    Threads: immutable, any.
    """

    t_ns: int  # last picture before it, boot clock
    length_ns: int  # to the next picture; not above 0 where the clock went back
    frames: int  # numbers the driver gave to pictures that are not here


GAP_NS = NS
"""Pictures further apart than this are a gap even if no number says that one is missing: the camera was away."""
EXPOSURE_NS = 2 * NS
"""But where the driver's numbers follow each other the night is dark: later than this a camera is taken for stalled."""


def gap_between(before: tuple[int, int], after: tuple[int, int]) -> Gap | None:
    """What is odd between two pictures that follow each other, given as (number, t_ns); None: nothing."""
    missing = max(0, after[0] - before[0] - 1)
    length = after[1] - before[1]
    longest = EXPOSURE_NS if after[0] == before[0] + 1 else GAP_NS
    return Gap(before[1], length, missing) if missing or not 0 < length <= longest else None


def gap_words(gap: Gap) -> str:
    """How long and how many, for a line of its own."""
    if gap.length_ns > 0:
        length = f"gap of {gap.length_ns / 1e9:.3f} s"
        return f"{length}, {gap.frames} frames" if gap.frames else length  # a hole in time: no number says how many
    back = "two pictures at one time"
    if gap.length_ns:
        back = f"the camera's clock went back by {-gap.length_ns / 1e9:.3f} s"
    return f"{back}, {gap.frames} frames missing" if gap.frames else back


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """One file, read and verified.

    state: finished | torn (ends without an end record; whole up to there) | damaged | unreadable.

    Threads: immutable, any.
    """

    path: Path
    state: str
    name: SegmentName | None  # from the head record, or else the file's name
    origin: str = ""
    device: str = ""
    software: str = ""
    width: int = 0
    height: int = 0
    previous: Link | None = None  # what the head record says it continues
    fragments: int = 0
    frames: int = 0
    key_frames: int = 0
    lost: Counter[str] = field(default_factory=Counter)  # frames missing, by cause, as recorded
    losses: tuple[tuple[int, Counter[str]], ...] = ()  # the same by fragment: (its first t_ns, what is missing before)
    missing: int = 0  # holes in the driver's frame numbers
    gaps: tuple[Gap, ...] = ()  # the first 1000
    first_t_ns: int | None = None
    last_t_ns: int | None = None
    first_seq: int = 0  # the driver's numbers of the same two pictures
    last_seq: int = 0
    anchor: Anchor | None = None  # the best the file has
    end_reason: str = ""
    machine_boot: str = ""  # which start of the machine its boot times count from; "": not told
    damage: tuple[Damage, ...] = ()
    torn_bytes: int = 0  # at the end, not part of the recording
    good_bytes: int = 0  # the file without them: what a player should be given
    signature: Signature | None = None  # as it stands in the file; `storage.chain` says whether it is right
    digests: tuple[bytes, ...] = ()  # of the good records, in order
    times_ns: array[int] = field(default_factory=lambda: array("q"))  # of the good frames, in order

    @property
    def ok(self) -> bool:
        """Nothing is wrong with it; a torn tail is what a power cut leaves, not damage."""
        return self.state in ("finished", "torn")

    @property
    def chain_ok(self) -> bool:
        return self.ok

    @property
    def duration_s(self) -> float:
        """From the first to the last picture, without the leaps of a clock that went back, s."""
        if self.first_t_ns is None or self.last_t_ns is None:
            return 0.0
        back = sum(min(0, gap.length_ns) for gap in self.gaps)
        return max(0, self.last_t_ns - self.first_t_ns - back) / 1e9

    def utc_ns(self, t_ns: int) -> int | None:
        """A boot time as UTC, ns since 1970, by the file's best anchor; None without one."""
        return self.anchor.utc_ns + t_ns - self.anchor.boot_ns if self.anchor else None
