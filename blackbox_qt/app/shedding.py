"""What is given up while the encoder is too slow or the board too hot: a ladder, one step at a time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

NS = 1_000_000_000
LEAST_FPS = 20.0
"""Recording never falls below this rate; a camera that is slower is left as it is."""

BAD_NS = 3 * NS
"""So long it must be bad before a step is taken."""
SLOW_NS, HOT_NS = 8 * NS, 30 * NS
"""So long a step is given to show what it does: an encoder answers soon, a board cools slowly."""
GOOD_NS, GOOD_MOST_NS = 60 * NS, 960 * NS
"""So long it must be good before a step is undone; twice as long, up to this, each time that proved too early."""
EARLY_NS = 120 * NS
TIGHT, AMPLE = 0.10, 0.30
"""Headroom of the encoder: below the first it is too slow, from the second on a step may be undone."""
COOLER_C = 6.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds at a level; None: no limit.

    Threads: immutable, any.
    """

    stream_fps: float | None = None
    screen_fps: float | None = None
    bitrate: float = 1.0  # part of the one that is configured
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step down.

    Threads: immutable, any.
    """

    words: str
    limits: Limits


def _ladder() -> tuple[Step, ...]:
    """Web first, then the screen, then bitrate, then the rate of pictures: recording last."""
    limits, steps = Limits(), []
    for words, change in (
        ("the page shows 10 pictures a second", {"stream_fps": 10.0}),
        ("the page shows 3 pictures a second", {"stream_fps": 3.0}),
        ("the screen shows 15 pictures a second", {"screen_fps": 15.0}),
        ("the screen shows 8 pictures a second", {"screen_fps": 8.0}),
        ("recording takes three quarters of its bit rate", {"bitrate": 0.75}),
        ("recording takes half of its bit rate", {"bitrate": 0.5}),
        ("25 pictures a second are recorded", {"fps": 25.0}),
        (f"{LEAST_FPS:.0f} pictures a second are recorded", {"fps": LEAST_FPS}),
    ):
        limits = replace(limits, **change)
        steps.append(Step(words, limits))
    return tuple(steps)


LADDER = _ladder()


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the machine.

    Threads: immutable, any.
    """

    headroom: float | None  # of the busiest encoder, 0..1; None: nothing is encoded
    late: int = 0  # frames that the encoders were too late for, since the program's start
    celsius: float | None = None
    throttled: bool = False
    viewers: int = 1
    window: bool = True  # somebody looks at the screen


@dataclass(frozen=True, slots=True)
class Shed:
    """How far down, and what is known.

    Threads: immutable, any.
    """

    level: int = 0
    why: str = ""
    taken: int = 0
    undone: int = 0
    bad_ns: int | None = None  # since when it is bad
    good_ns: int | None = None  # since when it is good
    step_ns: int = -(1 << 62)  # when the last step down was taken
    undo_ns: int = -(1 << 62)  # when the last one was undone
    patience_ns: int = GOOD_NS
    late: int = 0  # as last seen

    @property
    def limits(self) -> Limits:
        return LADDER[self.level - 1].limits if self.level else Limits()

    @property
    def words(self) -> str:
        """What is given up, and why; empty for nothing."""
        return f"{self.why}: {LADDER[self.level - 1].words}" if self.level else ""


def decide(shed: Shed, seen: Seen, now_ns: int, hot_c: float) -> Shed:
    """The next state: at most one step that matters, down or up."""
    why = _why(shed, seen, hot_c)
    good = not why and _is_good(seen, hot_c)
    shed = replace(
        shed,
        late=seen.late,
        bad_ns=(shed.bad_ns if shed.bad_ns is not None else now_ns) if why else None,
        good_ns=(shed.good_ns if shed.good_ns is not None else now_ns) if good else None,
    )
    if why and shed.level < len(LADDER) and _may_step(shed, seen, now_ns, hot_c):
        return _down(shed, seen, now_ns, why)
    if shed.level and shed.good_ns is not None and now_ns - max(shed.good_ns, shed.undo_ns) >= shed.patience_ns:
        return replace(shed, level=shed.level - 1, undone=shed.undone + 1, undo_ns=now_ns)
    if not shed.level and shed.good_ns is not None and now_ns - shed.good_ns >= GOOD_MOST_NS:
        return replace(shed, patience_ns=GOOD_NS)
    return shed


def _why(shed: Shed, seen: Seen, hot_c: float) -> str:
    if seen.celsius is not None and seen.celsius >= hot_c:
        return f"the board is too hot ({seen.celsius:.0f} °C)"
    if seen.throttled:
        return "the processor is being slowed down"
    if seen.late > shed.late or (seen.headroom is not None and seen.headroom < TIGHT):
        return "the encoder is too slow"
    return ""


def _is_good(seen: Seen, hot_c: float) -> bool:
    cool = seen.celsius is None or seen.celsius < hot_c - COOLER_C
    return cool and not seen.throttled and (seen.headroom is None or seen.headroom >= AMPLE)


def _may_step(shed: Shed, seen: Seen, now_ns: int, hot_c: float) -> bool:
    assert shed.bad_ns is not None
    warm = seen.throttled or (seen.celsius is not None and seen.celsius >= hot_c)
    settle = HOT_NS if warm else SLOW_NS
    return now_ns - shed.bad_ns >= BAD_NS and now_ns - shed.step_ns >= settle


def _down(shed: Shed, seen: Seen, now_ns: int, why: str) -> Shed:
    """To the next level that gives something up: nobody is slowed down by a page that nobody watches."""
    level = shed.level + 1
    while level < len(LADDER) and _is_idle(LADDER[:level], seen):
        level += 1
    early = now_ns - shed.undo_ns < EARLY_NS
    patience = min(2 * shed.patience_ns, GOOD_MOST_NS) if early else shed.patience_ns
    return replace(shed, level=level, why=why, taken=shed.taken + level - shed.level, step_ns=now_ns, bad_ns=now_ns,
                   patience_ns=patience)  # fmt: skip


def _is_idle(steps: Sequence[Step], seen: Seen) -> bool:
    """Whether the last of these steps changes nothing now."""
    limits, before = steps[-1].limits, steps[-2].limits if len(steps) > 1 else Limits()
    page, screen = limits.stream_fps != before.stream_fps, limits.screen_fps != before.screen_fps
    return (page and not seen.viewers) or (screen and not seen.window)
