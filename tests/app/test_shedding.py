"""Recording last: what is given up, in which order, and that it comes back."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_qt.app.shedding import (
    AMPLE,
    GOOD_MOST_NS,
    LADDER,
    LEAST_FPS,
    NS,
    TIGHT,
    Limits,
    Seen,
    Shed,
    decide,
)

HOT = 80.0
FINE, SLOW = Seen(0.8), Seen(0.02)


class Machine:
    """Looked at once a second."""

    def __init__(self) -> None:
        self.shed = Shed()
        self.now = 0
        self.levels: list[int] = []

    def __call__(self, seen: Seen, seconds: int) -> list[int]:
        """Levels during so long of this, each change once."""
        begin = len(self.levels)
        for _ in range(seconds):
            before = self.shed.level
            self.shed = decide(self.shed, seen, self.now, HOT)
            if self.shed.level != before:
                self.levels.append(self.shed.level)
            self.now += NS
        return self.levels[begin:]


def test_the_order_is_web_screen_bitrate_and_last_the_rate_of_pictures() -> None:
    limits = [step.limits for step in LADDER]
    first = [next(n for n, limit in enumerate(limits) if what(limit)) for what in (
        lambda x: x.stream_fps, lambda x: x.screen_fps, lambda x: x.bitrate < 1, lambda x: x.fps)]  # fmt: skip
    assert first == sorted(first) and len(set(first)) == 4
    assert all(limit.fps is None or limit.fps >= LEAST_FPS for limit in limits)
    assert all(limit.bitrate >= 0.5 for limit in limits)
    for before, after in itertools.pairwise(limits):
        assert tighter(after, before), "what was given up stays given up"


def tighter(one: Limits, other: Limits) -> bool:
    def worth(value: float | None) -> float:
        return 1e9 if value is None else value

    return all(worth(getattr(one, name)) <= worth(getattr(other, name)) for name in Limits.__dataclass_fields__)


def test_a_busy_moment_gives_up_nothing() -> None:
    machine = Machine()
    for _ in range(50):
        assert machine(SLOW, 3) == [] and machine(FINE, 1) == []


def test_a_slow_encoder_sheds_step_by_step_to_the_last_and_no_further() -> None:
    machine = Machine()
    machine(SLOW, 300)
    assert machine.levels == list(range(1, len(LADDER) + 1))
    assert machine.shed.words == "the encoder is too slow: 20 pictures a second are recorded"
    assert machine.shed.limits.fps == LEAST_FPS and machine.shed.taken == len(LADDER)


def test_what_helps_is_enough() -> None:
    machine = Machine()
    machine(SLOW, 13)
    level = machine.shed.level
    assert level >= 1 and machine(replace(FINE, headroom=0.2), 600) == [], "neither bad nor ample: it stays"
    assert machine(FINE, 59) == [] and machine(FINE, 62 * level) == list(range(level - 1, -1, -1))
    assert machine.shed.undone == level and machine.shed.words == "" and machine.shed.limits == Limits()


def test_steps_that_change_nothing_are_passed() -> None:
    machine = Machine()
    unwatched = Seen(0.02, viewers=0, window=False)
    machine(unwatched, 5)
    assert machine.shed.level == 5 and machine.shed.limits.bitrate < 1, "nobody watches page or screen"


def test_heat_is_given_time_and_named() -> None:
    machine = Machine()
    machine(Seen(0.9, celsius=84.0), 64)
    assert machine.levels == [1, 2, 3] and machine.shed.words.startswith("the board is too hot (84 °C)")
    assert machine(Seen(0.9, celsius=77.0), 300) == [], "only when it is well below"
    assert machine(Seen(0.9, celsius=73.0), 200)[-1] == 0
    assert Machine()(Seen(0.9, throttled=True), 5) == [1]


def test_frames_that_came_too_late_count_whatever_the_headroom_says() -> None:
    machine = Machine()
    for late in range(10):
        machine(Seen(0.5, late=late), 1)
    assert machine.shed.level == 1


def test_giving_back_too_early_is_not_done_again_and_again() -> None:
    machine = Machine()
    for _ in range(40):
        machine(SLOW, 10)
        machine(FINE, 70)
    steps = len(machine.levels)
    quick = 40 * 2
    assert steps < quick and machine.shed.patience_ns > 60 * NS
    machine(FINE, 12_000)
    assert machine.shed.level == 0
    machine(FINE, GOOD_MOST_NS // NS + 10)
    assert machine.shed.patience_ns == 60 * NS, "all is forgotten"


SEEN = st.builds(
    Seen, st.none() | st.floats(0, 1), st.just(0), st.none() | st.floats(20, 110), st.booleans(), st.integers(0, 3),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(SEEN, st.integers(1, 200)), max_size=12))
def test_whatever_happens_it_stays_on_the_ladder_and_comes_back(story: list[tuple[Seen, int]]) -> None:
    machine = Machine()
    for seen, seconds in story:
        before, at = machine.shed.level, machine.now
        machine(seen, seconds)
        assert 0 <= machine.shed.level <= len(LADDER)
        assert (machine.shed.limits.fps or LEAST_FPS) >= LEAST_FPS
        assert machine.shed.taken - machine.shed.undone == machine.shed.level, "each step is counted"
        downs = machine.shed.level - before
        if seen.viewers and seen.window:
            assert downs <= 1 + (machine.now - at) / (8 * NS), "one step at a time"
        if (seen.headroom is None or seen.headroom >= AMPLE) and not seen.throttled and (seen.celsius or 0) < HOT - 6:
            assert machine.shed.level <= before, "nothing is given up while all is well"
        if seen.headroom is not None and seen.headroom < TIGHT:
            assert machine.shed.level >= before, "nothing is given back while it is not"
    machine(FINE, 8 * 960 + 960)
    assert machine.shed.level == 0
