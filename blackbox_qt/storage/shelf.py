"""What the retention sees: segments as so much room, kept or not, and the disk they lie on. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

LockKind = Literal["", "automatic", "manual"]


@dataclass(frozen=True, slots=True)
class Held:
    """One segment.

    Threads: immutable, any.
    """

    library: str
    name: str  # without suffix
    camera: str
    order: tuple[int, int, int]  # the library's start, first picture's boot time in ns, number: the smaller, the older
    bytes: int
    seconds: float
    lock: LockKind = ""  # one made by hand among several makes it "manual"
    closed: bool = True
    demo: bool = False  # no camera's footage
    age_s: float | None = None  # since it ended, where a clock that can be trusted tells; else None

    @property
    def key(self) -> tuple[str, str]:
        return self.library, self.name


@dataclass(frozen=True, slots=True)
class Space:
    """The disk, bytes.

    Threads: immutable, any.
    """

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be filled, and what of it marks may keep. Bytes and percent: the larger of the two holds.

    Threads: immutable, any.
    """

    low_bytes: int = 1_000_000_000  # with less than this free, deleting begins
    low_percent: float = 2.0
    high_bytes: int = 1_500_000_000  # with so much free it ends
    high_percent: float = 3.0
    max_age_s: float = 0.0  # 0: none
    locked_percent: float = 30.0  # of the room for recordings, that locks may keep
    warn_percent: float = 80.0  # of that share
    reserve_bytes: int = 0  # never to be locked: half an hour of every camera
    manual_yields: bool = False

    def low(self, space: Space) -> int:
        """Bytes; on a small disk never more than an eighth of it."""
        return min(_larger(self.low_bytes, self.low_percent, space), space.total // 8)

    def high(self, space: Space) -> int:
        """Bytes; on a small disk never more than a quarter of it."""
        return min(_larger(self.high_bytes, self.high_percent, space), space.total // 4)


def _larger(size: int, percent: float, space: Space) -> int:
    return max(size, int(space.total * percent / 100))


@dataclass(frozen=True, slots=True)
class Locks:
    """How much is kept by marks, and how much may be. Bytes.

    Threads: immutable, any.
    """

    manual: int
    automatic: int
    limit: int  # never more than the share, and never into the reserve

    @property
    def total(self) -> int:
        return self.manual + self.automatic

    @property
    def over(self) -> bool:
        return self.total > self.limit


def locks(segments: Iterable[Held], space: Space, policy: Policy) -> Locks:
    """Add them up. The room for recordings is what they have and what is free, down to the high watermark.

    Threads: any.
    """
    used = manual = automatic = 0
    for one in segments:
        used += one.bytes
        manual += one.bytes if one.lock == "manual" else 0
        automatic += one.bytes if one.lock == "automatic" else 0
    room = max(0, space.free + used - policy.high(space))
    share = int(room * policy.locked_percent / 100)
    return Locks(manual, automatic, max(0, min(share, room - policy.reserve_bytes)))


def goes_before(one: Held) -> tuple[bool, str, tuple[int, int, int], str]:
    """Sorts what goes first to the front: what no camera recorded, then the oldest.

    Threads: any.
    """
    return not one.demo, one.library, one.order, one.camera


def newest(segments: Iterable[Held]) -> set[tuple[str, str]]:
    """The last finished segment of each camera in each library, by key.

    Threads: any.
    """
    last: dict[tuple[str, str], Held] = {}
    for one in segments:
        where = one.library, one.camera
        if one.closed and (where not in last or _number(one) > _number(last[where])):
            last[where] = one
    return {one.key for one in last.values()}


def _number(one: Held) -> tuple[int, int]:
    """A camera's own order: its clock may have gone back, its numbers never."""
    return one.order[0], one.order[2]


def certain_ages(segments: Sequence[Held]) -> dict[tuple[str, str], float]:
    """How old segments are at the least, s, by key; those of which nothing certain is known are not in it.

    A library's starts are counted, so the order of its segments is certain where no clock is. One without a trusted
    date is at least as old as any that was recorded after it; and none is older than one that was recorded before it,
    whatever a clock that jumped may have said.

    Threads: any.
    """
    ages: dict[tuple[str, str], float] = {}
    for library in {one.library for one in segments}:
        ordered = sorted((one for one in segments if one.library == library), key=lambda one: one.order)
        youngest = float("inf")
        bounded: list[float | None] = []
        for one in ordered:
            known = one.age_s is not None and one.age_s >= 0
            youngest = min(youngest, one.age_s) if known and one.age_s is not None else youngest
            bounded.append(youngest if known else None)
        at_least: float | None = None
        for one, age in zip(reversed(ordered), reversed(bounded), strict=True):
            at_least = age if at_least is None or (age is not None and age > at_least) else at_least
            if at_least is not None:
                ages[one.key] = at_least
    return ages
