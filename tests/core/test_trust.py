"""Whom to believe about the time."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.core import trust
from blackbox_qt.core.clock import NS, Anchor

NOON = 1_790_000_000 * NS
DAY = 86_400 * NS


def said(source: str, off_ns: int = 0, within_ns: int | None = NS, boot_s: float = 100) -> Anchor:
    boot = round(boot_s * NS)
    return Anchor(boot, NOON + boot + off_ns, source, within_ns)


def test_trust_comes_first_then_doubt_then_the_latest_word() -> None:
    order = [said(source, within_ns=(5 - i) * NS) for i, source in enumerate(("manual", "phone", "rtc", "ntp", "gps"))]
    for count in range(1, 6):
        for some in permutations(order[:count]):
            assert trust.best(some) == order[count - 1]
    assert trust.best([said("phone", 5, 2 * NS), said("phone", 9, NS), said("phone", 7, 2 * NS)]) == said("phone", 9)
    assert trust.best([said("phone", 5), said("phone", 9)]) == said("phone", 9)


def test_nobody_is_believed_who_does_not_vouch_or_lives_in_1970() -> None:
    assert trust.best([said("unsynced"), said("a friend")]) is None
    assert trust.best([Anchor(5 * NS, 5 * NS, "ntp", 1)]) is None
    assert not trust.adds([], said("unsynced")) and trust.adds([], said("manual"))


def test_a_person_who_types_again_corrects_himself_and_no_phone_corrects_another() -> None:
    wrong, right = said("manual", DAY, 10 * NS), said("manual", 0, 60 * NS)
    assert trust.best([wrong, right]) == right and trust.in_doubt([wrong, right]) is None
    assert trust.adds([wrong, right], wrong), "he may take that back too"
    assert trust.adds([wrong, said("phone")], right) and trust.in_doubt([wrong, said("phone"), right]) is None
    one, other = said("phone"), said("phone", DAY)
    assert trust.best([one, other]) == other and trust.in_doubt([one, other]) == (other, [one])
    sure = said("phone", DAY, NS // 2)
    assert trust.best([one, sure, other]) == sure and trust.in_doubt([one, sure, other]) == (sure, [one])


@pytest.mark.parametrize(("off_s", "doubt"), [(3.9, False), (-3.9, False), (4.1, True), (-4.1, True)])
def test_what_both_doubts_cover_is_no_contradiction(off_s: float, doubt: bool) -> None:
    """One second of each, and two that a leap second and whole seconds may make."""
    assert trust.contradict(said("phone"), said("phone", round(off_s * NS))) is doubt


def test_doubt_grows_with_the_distance_on_the_boot_clock() -> None:
    pair = said("ntp", within_ns=NS, boot_s=100)
    assert trust.uncertainty_at(pair, 100 * NS) == NS
    for far in (100 * NS + DAY, 100 * NS - DAY):
        assert trust.uncertainty_at(pair, far) == NS + 8_640_000_000
        assert trust.utc_at(pair, far) == NOON + far
    assert trust.uncertainty_at(said("ntp", within_ns=None), 0) is None


def test_what_is_known_already_is_not_written_down_again() -> None:
    known = [said("phone")]
    assert not trust.adds(known, said("phone", NS)) and not trust.adds(known, said("manual"))
    assert not trust.adds(known, said("phone", 0, 0)), "a second is not worth a line"
    assert not trust.adds([said("phone", 0, 4 * NS)], said("phone")), "nor is four times as close"
    assert trust.adds([said("phone", 0, 4 * NS + 4)], said("phone"))
    assert trust.adds(known, said("ntp", 0, 30 * NS)), "more trust, whatever its doubt"
    assert trust.adds(known, said("phone", DAY)) and trust.adds(known, said("manual", DAY))
    assert not trust.adds([*known, said("phone", DAY)], said("phone", NS)), "that opinion is known"
    assert trust.adds([*known, said("phone", DAY)], said("phone", 2 * DAY)), "a third one is not"


def test_a_network_that_goes_on_saying_the_same_is_written_down_every_few_hours_and_once_for_a_segment() -> None:
    known: list[Anchor] = []
    for minute in range(600):
        word = said("ntp", within_ns=NS // 100, boot_s=60 * minute)
        if trust.adds(known, word):
            known.append(word)
    assert [round(one.boot_ns / NS / 3600, 1) for one in known] == [0.0, 2.8, 5.6, 8.3]
    own = said("ntp", within_ns=NS // 100, boot_s=3600)
    assert not any(trust.adds([own], one, 3600 * NS) for one in known)
    late = said("ntp", within_ns=4 * NS, boot_s=29_000)  # carried on from long ago
    assert [trust.adds([late], one, 29_000 * NS) for one in known] == [False, False, True, True]


pairs = st.builds(
    said,
    st.sampled_from((*trust.TRUST, "unsynced", "")),
    st.integers(-3 * DAY, 3 * DAY),
    st.none() | st.integers(0, DAY),
    st.floats(0, 10**6),
)


@given(st.lists(pairs, max_size=12))
def test_whatever_is_told_the_most_trusted_is_believed_and_every_other_opinion_is_kept(told: list[Anchor]) -> None:
    kept: list[Anchor] = []
    for pair in told:
        if trust.adds(kept, pair):
            kept.append(pair)
    vouching = [pair for pair in told if pair.source in trust.TRUST]
    believed = trust.best(kept)
    assert (believed is None) == (not vouching)
    if believed:
        assert trust.rank(believed.source) == max(trust.rank(pair.source) for pair in vouching)
        doubt = trust.in_doubt(kept)
        said_otherwise = doubt[1] if doubt else []
        for pair in kept:
            if pair.source == "phone" and trust.contradict(believed, pair):
                assert any(pair == one or not trust.contradict(one, pair) for one in said_otherwise)
