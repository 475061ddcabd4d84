from __future__ import annotations

import itertools
import select
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import BudgetError, Hub, buffers_needed
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.core.worker import Worker
from tests.fakes import HandSource

LAYOUT = Layout.packed(64, 48)
MEMORY = bytearray(LAYOUT.size)


def frame(seq: int, home: list[int] | None = None) -> Frame:
    note = (lambda: home.append(seq)) if home is not None else (lambda: None)
    return Frame.lend("front", seq, seq, {"main": Image(LAYOUT, [MEMORY])}, note)


def put(box: Mailbox, seq: int, home: list[int] | None = None) -> None:
    with frame(seq, home) as handle:
        box.put(handle)


def test_keeps_the_newest_and_counts_the_rest() -> None:
    home: list[int] = []
    box = Mailbox("jpeg", depth=2)
    for seq in range(5):
        put(box, seq, home)
    assert box.dropped == 3 and home == [0, 1, 2]
    for expected in (3, 4):
        taken = box.take(0)
        assert taken is not None and taken.seq == expected
        taken.close()
    assert box.take(0) is None
    box.close()


def test_pausing_empties_it_and_nothing_is_called_a_drop() -> None:
    home: list[int] = []
    box = Mailbox("jpeg")
    put(box, 0, home)
    box.paused = True
    assert home == [0] and not box.dropped
    put(box, 1, home)
    assert home == [0, 1] and not len(box)
    box.paused = False
    put(box, 2, home)
    assert len(box) == 1
    box.close()
    assert home == [0, 1, 2]


def test_take_waits_for_a_frame_and_close_ends_the_wait() -> None:
    box = Mailbox("encoder")
    got: list[int | None] = []

    def consume() -> None:
        while True:
            taken = box.take()
            got.append(None if taken is None else taken.seq)
            if taken is None:
                return
            taken.close()

    thread = threading.Thread(target=consume)
    thread.start()
    put(box, 1)
    box.close()
    thread.join(5)
    assert not thread.is_alive() and got[-1] is None


def test_no_frame_is_slept_over_however_the_wait_and_the_frame_meet() -> None:
    """Waits that time out, that find a frame, and that are woken for one another consumer's clear took."""
    box = Mailbox("jpeg", depth=1)
    seen: list[int] = []

    def consume() -> None:
        timeouts = itertools.cycle((0.0, 0.00001, 0.001, 30.0))
        while not box.closed:
            taken = box.take(next(timeouts))
            if taken is not None:
                seen.append(taken.seq)
                taken.close()

    worker = Worker("consumer", consume)
    worker.start()
    for seq in range(3000):
        put(box, seq)
        if seq % 7 == 0:
            box.clear()
    last = frame(3000)
    box.put(last)
    last.close()
    until = time.monotonic() + 10
    while len(box):
        assert time.monotonic() < until, "a frame was slept over: it would stay for the 30 s"
    box.close()
    assert worker.join(10)
    assert seen == sorted(set(seen)) and seen[-1] == 3000


def test_its_descriptor_is_readable_exactly_while_a_frame_waits() -> None:
    box = Mailbox("display", depth=2)
    put(box, 0)
    fd = box.fileno()

    def readable() -> bool:
        return bool(select.select([fd], [], [], 0)[0])

    assert readable()
    put(box, 1)
    for expected in (True, False):
        taken = box.take(0)
        assert taken is not None
        taken.close()
        assert readable() is expected
    put(box, 2)
    assert readable()
    box.paused = True
    assert not readable()
    box.close()
    with pytest.raises(ValueError, match="display is closed"):
        box.fileno()


def test_too_few_buffers_are_a_sentence_at_boot() -> None:
    hub = Hub("front", 11)
    boxes = [hub.attach("encoder", depth=4), hub.attach("display", holds=2), hub.attach("jpeg")]
    with pytest.raises(BudgetError, match=r"camera front has 11 buffers, but with shm .* need 12"):
        hub.attach("shm")
    hub.detach(boxes[1])
    boxes.append(hub.attach("shm"))
    for box in boxes:
        hub.detach(box)


def test_who_holds_what() -> None:
    hub = Hub("front", 12)
    encoder, jpeg = hub.attach("encoder", depth=4), hub.attach("jpeg")
    for seq in range(3):
        hub.publish(frame(seq))
    taken = encoder.take(0)
    assert hub.holders() == {"encoder": 3, "jpeg": 1, "free": 9}
    assert taken is not None
    taken.close()
    assert hub.holders() == {"encoder": 2, "jpeg": 1, "free": 10}
    for box in (encoder, jpeg):
        hub.detach(box)
    assert hub.holders() == {"free": 12}


def test_a_detached_mailbox_gets_nothing_more() -> None:
    hub = Hub("front", 12)
    box = hub.attach("jpeg")
    hub.detach(box)
    hub.detach(box)
    home: list[int] = []
    hub.publish(frame(0, home))
    assert home == [0] and not len(box)


Action = st.one_of(
    st.just(("publish", 0)),
    st.tuples(st.sampled_from(["take", "close", "pause", "resume"]), st.integers(0, 3)),
)


@settings(max_examples=150, deadline=None)
@given(
    wants=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=4),
    actions=st.lists(Action, max_size=120),
)
def test_the_budget_keeps_the_camera_alive(wants: list[tuple[int, int]], actions: list[tuple[str, int]]) -> None:
    """Whatever consumers do within their promises, a camera with just enough buffers always has its three."""
    probe = tuple(Mailbox(str(i), depth, holds) for i, (depth, holds) in enumerate(wants))
    source = HandSource(buffers=buffers_needed(probe))
    hub = Hub("front", source.buffers)
    boxes = [hub.attach(str(i), depth=depth, holds=holds) for i, (depth, holds) in enumerate(wants)]
    held: list[list[Frame]] = [[] for _ in boxes]
    source.open()
    source.start(hub.publish, lambda error: None)
    for what, index in actions:
        index %= len(boxes)
        box, mine = boxes[index], held[index]
        if what == "publish":
            assert source.tick(), "no buffer was free"
        elif what == "take" and len(mine) < box.holds and (taken := box.take(0)) is not None:
            mine.append(taken)
        elif what == "close" and mine:
            mine.pop(0).close()
        elif what in ("pause", "resume"):
            box.paused = what == "pause"
        waiting = {f.seq for b in boxes for f in b._frames}
        assert len(waiting) <= max(depth for depth, _ in wants)
        assert source.out <= source.buffers - 3
    for mine in held:
        for taken in mine:
            taken.close()
    for box in boxes:
        hub.detach(box)
    source.stop()
    source.close()


@pytest.mark.parametrize("consumers", [1, 4])
def test_every_frame_comes_home_from_many_threads(consumers: int) -> None:
    source = HandSource(buffers=4 + consumers + 3)
    hub = Hub("front", source.buffers)
    boxes = [hub.attach(str(i), depth=4) for i in range(consumers)]
    source.open()
    source.start(hub.publish, lambda error: None)
    seen = [0] * consumers

    def consume(index: int) -> None:
        while (taken := boxes[index].take()) is not None:
            with taken:
                seen[index] += 1

    threads = [threading.Thread(target=consume, args=(i,)) for i in range(consumers)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        assert source.tick()
    source.stop()
    for box in boxes:
        while len(box):
            threading.Event().wait(0.001)
        hub.detach(box)
    for thread in threads:
        thread.join(5)
    source.close()
    for index, box in enumerate(boxes):
        assert seen[index] + box.dropped == 2000
