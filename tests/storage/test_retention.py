"""What goes next: never what must stay, always something when something may go, and locks never stop the recording."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_qt.storage import retention
from blackbox_qt.storage.retention import may_lock, plan
from blackbox_qt.storage.shelf import Held, LockKind, Policy, Space, certain_ages, locks, newest

MB = 1_000_000
MANY = 20 if os.environ.get("BLACKBOX_PROVE") else 1
POLICY = Policy(
    low_bytes=100 * MB, low_percent=0, high_bytes=150 * MB, high_percent=0, locked_percent=50, reserve_bytes=100 * MB
)
LOW, MIDDLE, HIGH = Space(99 * MB, 1000 * MB), Space(120 * MB, 1000 * MB), Space(150 * MB, 1000 * MB)


def seg(
    number: int, camera: str = "front", *, lock: LockKind = "", start: int = 1, size: int = 10 * MB, **more: object
) -> Held:
    library = "demo" if more.get("demo") else "recordings"
    name = f"{camera}-{start:06d}-{number:05d}"
    return Held(library, name, camera, (start, number * 10**9, number), size, 60, lock, **more)  # type: ignore[arg-type]


def row(count: int, **more: object) -> list[Held]:
    return [seg(number, **more) for number in range(1, count + 1)]  # type: ignore[arg-type]


def test_it_begins_at_the_low_watermark_and_ends_at_the_high_one() -> None:
    segments = row(5)
    assert plan(segments, MIDDLE, POLICY).delete is None
    begun = plan(segments, LOW, POLICY)
    assert (begun.delete, begun.why, begun.clearing) == (segments[0], retention.OLDEST, True)
    assert plan(segments[1:], MIDDLE, POLICY, begun.clearing).delete is segments[1]
    ended = plan(segments[2:], HIGH, POLICY, True)
    assert ended.delete is None and not ended.clearing


def test_bytes_and_percent_the_larger_holds_and_small_disks_keep_most_of_theirs() -> None:
    both = Policy(low_bytes=10 * MB, low_percent=5, high_bytes=300 * MB, high_percent=6)
    assert (both.low(Space(0, 1000 * MB)), both.high(Space(0, 2000 * MB))) == (50 * MB, 300 * MB)
    default, small = Policy(), Space(0, 64 * MB)
    assert (default.low(small), default.high(small)) == (8 * MB, 16 * MB)


def test_the_oldest_goes_first_across_cameras_and_starts() -> None:
    segments = [seg(2, start=2), seg(1, "rear", start=2), seg(7, start=1), seg(3, "rear", start=2), seg(3, start=2)]
    gone = []
    while decision := plan(segments, LOW, POLICY).delete:
        segments.remove(decision)
        gone.append(decision.name)
    assert gone == ["front-000001-00007", "rear-000002-00001", "front-000002-00002"]
    assert plan(segments, LOW, POLICY).warning == retention.FULL


def test_what_no_camera_recorded_goes_before_footage() -> None:
    segments = [seg(1), seg(2), seg(8, demo=True), seg(9, demo=True)]
    decision = plan(segments, LOW, POLICY)
    assert (decision.delete, decision.why) == (segments[2], retention.DEMO)
    assert plan([s for s in segments if s is not decision.delete], LOW, POLICY).delete is segments[0]


def test_locked_open_and_newest_stay() -> None:
    segments = [seg(1, lock="manual"), seg(2, closed=False), seg(3), seg(1, "old_camera")]
    decision = plan(segments, Space(0, 1000 * MB), POLICY)
    assert decision.delete is None and decision.warning == retention.FULL


def test_beyond_the_share_the_oldest_automatic_lock_yields_first() -> None:
    kept = [seg(n, lock="automatic" if n % 2 else "manual", size=100 * MB) for n in range(2, 8)]
    segments = [seg(1), *kept, seg(8)]
    assert locks(segments, LOW, POLICY).over
    decision = plan(segments, LOW, POLICY)
    assert (decision.delete, decision.why) == (kept[1], retention.OVER_SHARE)


def test_manual_locks_yield_only_where_the_settings_say_so() -> None:
    segments = [seg(1), *(seg(n, lock="manual", size=100 * MB) for n in range(2, 8)), seg(8)]
    assert plan(segments, LOW, POLICY).delete is segments[0]
    decision = plan(segments, LOW, replace(POLICY, manual_yields=True))
    assert (decision.delete, decision.why) == (segments[1], retention.OVER_SHARE_MANUAL)


def test_an_automatic_lock_within_its_share_yields_only_when_room_runs_out() -> None:
    segments = [seg(1, lock="automatic"), seg(2, size=200 * MB)]
    roomy = replace(POLICY, reserve_bytes=0)
    assert not locks(segments, MIDDLE, roomy).over
    assert plan(segments, MIDDLE, roomy, clearing=True).delete is None
    decision = plan(segments, LOW, roomy)
    assert (decision.delete, decision.why) == (segments[0], retention.LAST_RESORT)


# ---- age


def test_only_a_certain_age_counts() -> None:
    aged = replace(POLICY, max_age_s=100)
    segments = [seg(1), seg(2), seg(3, age_s=150), seg(4), seg(5, age_s=50), seg(6)]
    assert certain_ages(segments) == {s.key: age for s, age in zip(segments, [150, 150, 150, 50, 50], strict=False)}
    gone = []
    while decision := plan(segments, HIGH, aged):
        if decision.delete is None:
            break
        assert decision.why == retention.AGE
        segments.remove(decision.delete)
        gone.append(decision.delete.order[2])
    assert gone == [1, 2, 3]


def test_a_clock_that_jumped_makes_nothing_older_than_what_was_recorded_before_it() -> None:
    segments = [seg(1, age_s=50), seg(2, age_s=9e8), seg(3), seg(4, age_s=-9e8), seg(5)]
    assert certain_ages(segments) == {segments[0].key: 50, segments[1].key: 50}
    assert plan(segments, HIGH, replace(POLICY, max_age_s=100)).delete is None


def test_age_takes_nothing_locked_open_or_newest() -> None:
    segments = [seg(1, age_s=900, lock="manual"), seg(2, age_s=800, closed=False), seg(3, age_s=700)]
    assert plan(segments, HIGH, replace(POLICY, max_age_s=100)).delete is None


# ---- marks


def test_marks_are_refused_beyond_the_share_with_words() -> None:
    segments = [*row(10), *(seg(n, lock="manual") for n in range(11, 31))]
    kept = locks(segments, HIGH, POLICY)
    assert (kept.manual, kept.limit) == (200 * MB, 150 * MB)  # half of 300 MB, whatever the reserve would leave
    verdict = may_lock(segments, HIGH, POLICY, 10 * MB, "manual")
    assert not verdict.allowed and verdict.words == (
        "Not kept: marks keep 200 MB of the 150 MB they may; take some back or copy them away; recording goes on"
    )
    assert may_lock(segments, HIGH, replace(POLICY, manual_yields=True), 10 * MB, "manual").allowed
    assert not may_lock(segments, HIGH, replace(POLICY, manual_yields=True), 10 * MB, "automatic").allowed


def test_the_reserve_cannot_be_locked() -> None:
    segments = row(10)
    assert locks(segments, HIGH, replace(POLICY, reserve_bytes=80 * MB)).limit == 20 * MB
    small = replace(POLICY, reserve_bytes=10**12)
    assert may_lock(segments, HIGH, small, MB, "automatic").words == (
        "Not kept: this needs 1 MB, and marks may keep 0 MB on this card; recording goes on"
    )


def test_an_automatic_lock_makes_room_for_the_next_mark() -> None:
    segments = [*row(20), *(seg(n, lock="automatic") for n in range(21, 31))]
    for kind in ("manual", "automatic"):
        verdict = may_lock(segments, HIGH, POLICY, 60 * MB, kind)  # type: ignore[arg-type]
        assert verdict.allowed, "100 of 150 MB are kept, automatically"
        assert verdict.words == "Marks keep 150 MB of the 150 MB they may: the oldest automatic ones go next"


def test_it_is_said_early_that_the_share_fills() -> None:
    segments = [*row(19), *(seg(n, lock="manual") for n in range(20, 31))]
    assert may_lock(segments, HIGH, POLICY, 5 * MB, "manual").words == ""
    words = "Marks keep 120 MB of the 150 MB they may: soon no more can be kept"
    assert may_lock(segments, HIGH, POLICY, 10 * MB, "manual") == retention.Verdict(True, words)


# ---- for any segments

KINDS = st.sampled_from(["", "", "", "automatic", "manual"])


@st.composite
def shelves(draw: st.DrawFn) -> list[Held]:
    segments = []
    for camera, demo in itertools.product(("front", "rear"), (False, True)):
        for number in range(1, draw(st.integers(0, 6)) + 1):
            size = draw(st.integers(1, 60)) * MB
            age = draw(st.none() | st.floats(-1000, 1000))
            closed = draw(st.booleans()) or draw(st.booleans())
            segments.append(seg(number, camera, lock=draw(KINDS), size=size, age_s=age, closed=closed, demo=demo))
    return draw(st.permutations(segments))


POLICIES = st.builds(
    Policy,
    low_bytes=st.integers(0, 200).map(lambda n: n * MB),
    low_percent=st.floats(0, 10),
    high_bytes=st.integers(200, 400).map(lambda n: n * MB),
    high_percent=st.floats(10, 20),
    max_age_s=st.sampled_from([0, 0, 100]),
    locked_percent=st.floats(0, 90),
    reserve_bytes=st.integers(0, 300).map(lambda n: n * MB),
    manual_yields=st.booleans(),
)


@given(shelves(), st.integers(0, 1000), POLICIES, st.booleans())
@settings(max_examples=100 * MANY, deadline=None)
def test_for_any_library_it_ends_and_takes_only_what_may_go(
    segments: list[Held], free: int, policy: Policy, clearing: bool
) -> None:
    space = Space(free * MB, 1000 * MB)
    for _ in range(len(segments) + 1):
        decision = plan(segments, space, policy, clearing)
        gone, clearing = decision.delete, decision.clearing
        if gone is None:
            break
        assert gone.closed and gone.key not in newest(segments)
        if gone.lock:
            nothing_else = not [s for s in segments if s.closed and not s.lock and s.key not in newest(segments)]
            assert locks(segments, space, policy).over or nothing_else
            assert gone.lock == "automatic" or policy.manual_yields
        segments = [s for s in segments if s is not gone]
        space = Space(min(space.total, space.free + gone.bytes), space.total)
    else:
        pytest.fail("it never ends")
    if space.free < policy.low(space):
        assert decision.warning, "nothing could be done and nothing was said"
        assert not [s for s in segments if s.closed and s.lock in ("", "automatic") and s.key not in newest(segments)]


@given(shelves(), st.integers(0, 1000), st.integers(0, 1000), POLICIES, st.booleans())
@settings(max_examples=100 * MANY, deadline=None)
def test_more_room_never_deletes_more(
    segments: list[Held], one: int, other: int, policy: Policy, clearing: bool
) -> None:
    less, more = (Space(free * MB, 1000 * MB) for free in sorted((one, other)))
    if plan(segments, more, policy, clearing).delete is not None:
        assert plan(segments, less, policy, clearing).delete is not None


# ---- for any sequence of writes and marks

SEGMENT = 8 * MB


@dataclass
class Car:
    """A card of 1 GB that is recorded to, marked, and kept from filling, one step after the other."""

    policy: Policy
    total: int = 1000 * MB
    others: int = 0
    segments: list[Held] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    clearing: bool = False
    gone: list[Held] = field(default_factory=list)

    @property
    def space(self) -> Space:
        return Space(self.total - self.others - sum(s.bytes for s in self.segments), self.total)

    def record(self, camera: str, size: int, lock: LockKind) -> None:
        assert size <= self.space.free, f"the card is full: recording stops ({self.space})"
        self.numbers[camera] = number = self.numbers.get(camera, 0) + 1
        self.segments.append(seg(number, camera, size=size, lock=lock))

    def keep_room(self) -> None:
        while True:
            decision = plan(self.segments, self.space, self.policy, self.clearing)
            self.clearing = decision.clearing
            if decision.delete is None:
                return
            self.segments.remove(decision.delete)
            self.gone.append(decision.delete)

    def mark(self, kind: LockKind, count: int) -> bool:
        """Keep the last `count` segments of every camera; False when refused."""
        wanted = [s for c in self.numbers for s in [x for x in self.segments if x.camera == c][-count:] if not s.lock]
        if not may_lock(self.segments, self.space, self.policy, sum(s.bytes for s in wanted), kind).allowed:
            return False
        self.segments = [replace(s, lock=kind) if s in wanted else s for s in self.segments]
        return True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.sampled_from(["front", "rear"]), st.integers(1, 10)),
        st.tuples(st.just("mark"), st.sampled_from(["automatic", "manual"]), st.integers(1, 12)),
        st.tuples(st.just("unmark"), st.integers(0, 50), st.just(0)),
    ),
    min_size=30,
    max_size=120,
)


@given(STEPS, st.booleans(), st.sampled_from([100 * MB, 400 * MB]), st.integers(10, 90))
@settings(max_examples=60 * MANY, deadline=None)
def test_locks_never_stop_the_recording(
    steps: Sequence[tuple[str, object, int]], yields: bool, reserve: int, share: int
) -> None:
    policy = Policy(
        low_bytes=30 * MB, low_percent=0, high_bytes=60 * MB, high_percent=0, locked_percent=share,
        reserve_bytes=reserve, manual_yields=yields,
    )  # fmt: skip
    car = Car(policy)
    for what, which, count in steps:
        if what == "record":
            for _ in range(count):
                car.record(str(which), SEGMENT, "")
                car.keep_room()
                assert car.space.free >= policy.low(car.space)
        elif what == "mark":
            car.mark(which, count)  # type: ignore[arg-type]
        elif car.segments:
            at = int(str(which)) % len(car.segments)
            car.segments[at] = replace(car.segments[at], lock="")
    manual = sum(s.bytes for s in car.segments if s.lock == "manual")
    room = car.total - policy.high(car.space)
    assert yields or room - manual >= reserve, "marks took the reserve"
    assert yields or not [s for s in car.gone if s.lock == "manual"]


def test_marks_that_fill_their_share_leave_the_ring_turning() -> None:
    """Seen to fail without `may_lock`: then the locks take all there is."""
    car = Car(replace(POLICY, reserve_bytes=200 * MB), total=900 * MB)
    refused = 0
    for _ in range(500):
        car.record("front", SEGMENT, "")
        refused += not car.mark("manual", 1)
        car.keep_room()
    kept = locks(car.segments, car.space, car.policy)
    assert refused > 400 and not kept.over
    assert sum(s.bytes for s in car.segments if not s.lock) >= 200 * MB


def test_when_others_take_the_room_automatic_locks_go_before_recording_stops() -> None:
    car = Car(POLICY)
    for _ in range(60):
        car.record("front", SEGMENT, "")
        car.mark("automatic", 1)
        car.keep_room()
    car.others = car.space.total - sum(s.bytes for s in car.segments) - 20 * MB
    car.keep_room()
    for _ in range(50):
        car.record("front", SEGMENT, "")
        car.keep_room()
    assert any(s.lock == "automatic" for s in car.gone)
