"""Whom to believe about the time: pairs of (boot clock, UTC), compared by who vouches for them and how closely.

A pair counts for one start of the machine: from it every moment of that start is known, before it and after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

NS = 1_000_000_000
TRUST = ("gps", "ntp", "rtc", "phone", "manual")
"""Who may vouch for a time, best first. Anything else, "unsynced" among it, is nobody."""
EARLIEST_NS = 1_767_225_600 * NS  # 2026-01-01: this program is not older, so no recording is
LATEST_NS = 4_102_444_800 * NS  # 2100-01-01
DRIFT_PPM = 100  # what a board's crystal may be off by, in a car's heat and cold; a Pi's is said to be within 50
SLACK_NS = 2 * NS  # a leap second, and clocks that count whole ones: no contradiction yet
_UNTOLD_NS = 60 * NS  # taken for the doubt of a source that tells none
_BETTER, _BETTER_NS = 4, NS  # so many times closer, and by so much: worth being written down beside what is known


class Pair(Protocol):
    """One instant on both clocks: an `Anchor`, or what was learnt later.

    Threads: immutable, any.
    """

    @property
    def boot_ns(self) -> int: ...
    @property
    def utc_ns(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def uncertainty_ns(self) -> int | None: ...


P = TypeVar("P", bound=Pair)


def plausible(utc_ns: int) -> bool:
    """False for a clock at 1970, and for nonsense."""
    return EARLIEST_NS <= utc_ns < LATEST_NS


def vouched(pair: Pair) -> bool:
    """Whether anybody stands for it."""
    return pair.source in TRUST and plausible(pair.utc_ns)


def rank(source: str) -> int:
    """The more the better; 0 for nobody."""
    return len(TRUST) - TRUST.index(source) if source in TRUST else 0


def utc_at(pair: Pair, boot_ns: int) -> int:
    """UTC of a boot time, ns since 1970."""
    return pair.utc_ns + boot_ns - pair.boot_ns


def uncertainty_at(pair: Pair, boot_ns: int) -> int | None:
    """How wrong `utc_at` may be, ns: the pair's own doubt and what the crystal may have drifted; None: unknown."""
    if pair.uncertainty_ns is None:
        return None
    return pair.uncertainty_ns + abs(boot_ns - pair.boot_ns) * DRIFT_PPM // 1_000_000


def worth(pair: Pair) -> tuple[int, int]:
    """A key for comparing, the more the better: who vouches, then how closely."""
    known = pair.uncertainty_ns if pair.uncertainty_ns is not None else 1 << 62
    return (rank(pair.source) if vouched(pair) else 0), -known


def best(pairs: Iterable[P]) -> P | None:
    """The one to believe, of pairs in the order they were told: by trust, then doubt; among equals the latest.

    Of an instrument, and of what people typed, only the last word counts: it corrects the ones before. Phones are many:
    none corrects another. None when nobody vouches for any.
    """
    return max(reversed(_standing(pairs)), key=worth, default=None)


def _standing(pairs: Iterable[P]) -> list[P]:
    """What nobody took back, in the order told."""
    told = [pair for pair in pairs if vouched(pair)]
    last = {pair.source: at for at, pair in enumerate(told)}
    return [pair for at, pair in enumerate(told) if pair.source == "phone" or last[pair.source] == at]


def apart_ns(one: Pair, other: Pair) -> int:
    """How much later `other` says it is than `one` does, ns; negative: earlier."""
    return (other.utc_ns - other.boot_ns) - (one.utc_ns - one.boot_ns)


def contradict(one: Pair, other: Pair) -> bool:
    """Whether they cannot both be right, whatever doubt they claim."""
    doubt = uncertainty_at(one, other.boot_ns)
    return abs(apart_ns(one, other)) > (_or_untold(doubt) + _or_untold(other.uncertainty_ns) + SLACK_NS)


def adds(known: Sequence[Pair], new: Pair, at_ns: int | None = None) -> bool:
    """Whether `new` says something that is not known yet: more trust, much less doubt, or a contradiction.

    at_ns: the boot time whose date is asked for; None: the time of `new`. Doubt grows with the distance from a word: of
    a network that goes on saying the same a segment needs one only.
    """
    if not vouched(new):
        return False
    believed = best(known)
    if believed is None:
        return True
    same = [pair for pair in known if vouched(pair) and pair.source == new.source]
    if new.source != "phone" and same and contradict(same[-1], new):
        return True  # it corrects itself
    if contradict(believed, new):
        return not any(not contradict(pair, new) for pair in same)
    if rank(new.source) != rank(believed.source):
        return rank(new.source) > rank(believed.source)
    at = new.boot_ns if at_ns is None else at_ns
    before, now = (_or_untold(uncertainty_at(pair, at)) for pair in (believed, new))
    return now * _BETTER < before and before - now > _BETTER_NS


def outranks(known: Iterable[Pair], new: Pair) -> bool:
    """Whether `new` is trusted more than all that is known: it is welcome however much that is."""
    believed = best(known)
    return vouched(new) and (believed is None or rank(new.source) > rank(believed.source))


def in_doubt(pairs: Sequence[P]) -> tuple[P, list[P]] | None:
    """The pair to believe and those that contradict it, one of each opinion; None when all agree."""
    believed = best(pairs)
    if believed is None:
        return None
    others: list[P] = []
    for pair in _standing(pairs):
        if contradict(believed, pair):
            others = [*(one for one in others if one.source != pair.source or contradict(one, pair)), pair]
    return (believed, others) if others else None


def _or_untold(doubt: int | None) -> int:
    return _UNTOLD_NS if doubt is None else doubt
