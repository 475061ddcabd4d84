"""What to delete next: a pure function of the segments, the disk's room and the policy. Deleter and simulator use it.

Locks never stop the recording: what marks may keep ends where the reserve begins, `may_lock` refuses beyond it, and
what was kept automatically yields before room runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackbox_qt.storage.shelf import Held, LockKind, Locks, Policy, Space, certain_ages, goes_before, locks, newest

OLDEST = "the oldest makes room for new footage"
DEMO = "what no camera recorded makes room first"
AGE = "it is older than footage may become"
OVER_SHARE = "kept automatically, and more is kept than its share"
OVER_SHARE_MANUAL = "kept by hand, and more is kept than its share"
LAST_RESORT = "kept, but nothing else could make room for the recording"
FULL = "The card is nearly full, and nothing on it may be deleted: take other files or kept footage off it"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next.

    Threads: immutable, any.
    """

    delete: Held | None
    why: str
    clearing: bool  # go on until the high watermark; to be given back the next time
    warning: str = ""  # what the user should know, in words


def plan(segments: Sequence[Held], space: Space, policy: Policy, clearing: bool = False) -> Decision:
    """What to delete next, one segment or nothing; then measure again and ask again.

    Never one that is being written, the newest finished one of a camera, or locked; but of the locked ones the oldest
    automatic lock when more is kept than may be, or when nothing else is left to delete, and one made by hand then only
    where the policy says so.

    clearing: as in the decision before. Threads: any.
    """
    clearing = space.free < policy.low(space) or (clearing and space.free < policy.high(space))
    if policy.max_age_s and (old := _too_old(segments, policy)):
        return Decision(old, AGE, clearing)
    if not clearing:
        return Decision(None, "", False)
    kept, last = locks(segments, space, policy), newest(segments)
    may_go = [one for one in segments if one.closed and one.key not in last]
    if kept.over and (yielding := _yields(may_go, policy)):
        return Decision(yielding, OVER_SHARE if yielding.lock == "automatic" else OVER_SHARE_MANUAL, True)
    if oldest := _first(may_go, lambda one: not one.lock):
        return Decision(oldest, DEMO if oldest.demo else OLDEST, True)
    if space.free >= policy.low(space):  # what is kept does not go for the sake of a high watermark
        return Decision(None, "", False)
    yielding = _yields(may_go, policy)
    return Decision(yielding, LAST_RESORT if yielding else "", True, "" if yielding else FULL)


def _too_old(segments: Sequence[Held], policy: Policy) -> Held | None:
    ages, last = certain_ages(segments), newest(segments)
    return _first(
        segments,
        lambda s: s.closed and not s.lock and s.key not in last and ages.get(s.key, 0.0) > policy.max_age_s,
    )


def _yields(may_go: Sequence[Held], policy: Policy) -> Held | None:
    """The locked one that would go first; None when none may."""
    automatic = _first(may_go, lambda one: one.lock == "automatic")
    if automatic or not policy.manual_yields:
        return automatic
    return _first(may_go, lambda one: one.lock == "manual")


def _first(segments: Sequence[Held], wanted: Callable[[Held], bool]) -> Held | None:
    return min((one for one in segments if wanted(one)), key=goes_before, default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mark may keep so much.

    Threads: immutable, any.
    """

    allowed: bool
    words: str  # why not; or, when it is allowed, a warning that the share fills; "" when there is nothing to say


def may_lock(segments: Sequence[Held], space: Space, policy: Policy, bytes_more: int, kind: LockKind) -> Verdict:
    """Whether a mark may keep `bytes_more` that no lock keeps yet, with what of it is still to be recorded.

    What yields to a new lock is not in its way: automatic ones, and those made by hand where the policy says so. A new
    automatic lock is refused only where all it could use is kept by hand. Threads: any.
    """
    kept = locks(segments, space, policy)
    stays = 0 if policy.manual_yields and kind == "manual" else kept.manual
    if stays + bytes_more > kept.limit:
        return Verdict(False, refusal(kept, bytes_more))
    return Verdict(True, filling(kept, policy, bytes_more))


def refusal(kept: Locks, bytes_more: int) -> str:
    """Why nothing more may be kept.

    Threads: any.
    """
    if bytes_more > kept.limit:
        needs = f"this needs {size(bytes_more)}, and marks may keep {size(kept.limit)} on this card"
        return f"Not kept: {needs}; recording goes on"
    words = f"Not kept: marks keep {size(kept.manual)} of the {size(kept.limit)} they may"
    return f"{words}; take some back or copy them away; recording goes on"


def filling(kept: Locks, policy: Policy, bytes_more: int = 0) -> str:
    """The early warning that what marks keep comes near its share; "" while it does not.

    Threads: any.
    """
    total = min(kept.total + bytes_more, max(kept.limit, kept.manual + bytes_more))
    if not total or total < kept.limit * policy.warn_percent / 100:
        return ""
    what = "the oldest automatic ones go next" if kept.automatic else "soon no more can be kept"
    return f"Marks keep {size(total)} of the {size(kept.limit)} they may: {what}"


def size(count: int) -> str:
    """Bytes in words: 31.9 GB, 64 MB.

    Threads: any.
    """
    return f"{count / 1e9:.1f} GB" if count >= 995_000_000 else f"{count / 1e6:.0f} MB"
