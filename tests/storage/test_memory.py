"""The packet memory, against a model of a disk that syncs, fails and lags as it likes."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.memory import PacketMemory

from .fakes import FRAME_NS, SECOND, dull

FRAGMENT = SECOND // 4


def seqs(entries: list[object]) -> list[int]:
    return [entry.packet.seq for entry in entries]  # type: ignore[attr-defined]


def filled(packets: list[Packet], limit_s: float = 10) -> PacketMemory:
    memory = PacketMemory(round(limit_s * SECOND), FRAGMENT)
    for packet in packets:
        memory.put(packet, packet.t_ns)
    return memory


def test_fragments_end_before_key_frames_and_at_a_quarter_second() -> None:
    memory = filled(dull(40))
    assert seqs(memory.take(alone=True, flush=False)) == [0]
    assert seqs(memory.take(alone=False, flush=False)) == list(range(1, 8))
    assert [len(memory.take(alone=False, flush=False)) for _ in range(4)] == [7, 7, 7, 1]
    assert seqs(memory.take(alone=False, flush=False)) == list(range(30, 37))
    assert memory.take(alone=False, flush=False) == []
    assert seqs(memory.take(alone=False, flush=True)) == [37, 38, 39]


def test_what_waits_before_the_first_key_frame_is_counted() -> None:
    memory = filled(dull(40)[5:])
    assert memory.lost == {"encoder": 25}
    assert memory.take(alone=True, flush=True)[0].lost == {"encoder": 25}


def test_nothing_leaves_before_its_sync_returned() -> None:
    memory = filled(dull(45))
    while memory.take(alone=False, flush=True):
        pass
    assert memory.unsynced == 45
    memory.restart()
    assert seqs(memory.take(alone=False, flush=True)) == list(range(7))


def test_a_rewrite_starts_at_the_key_frame_before_the_first_unsynced() -> None:
    memory = filled(dull(75))
    while memory.waiting > 35:  # up to frame 39
        memory.take(alone=False, flush=False)
    written = 75 - memory.waiting
    assert memory.mark_synced() == written
    assert written > 35
    memory.restart()
    assert seqs(memory.take(alone=True, flush=False)) == [30]
    assert memory.mark_synced() == 0, "a frame that is durable already does not become so again"


def test_over_the_limit_whole_oldest_gops_go_and_are_counted() -> None:
    memory = filled(dull(30 * 15), limit_s=10)
    first = memory.take(alone=True, flush=False)[0]
    assert first.packet.key
    assert memory.lost["disk"] == first.packet.seq
    assert first.lost["disk"] == first.packet.seq
    assert memory.seconds <= 10
    assert memory.seconds > 8.9


def test_what_is_being_written_is_not_dropped() -> None:
    packets = dull(30 * 15)
    memory = filled(packets[:60], limit_s=10)
    taken = memory.take(alone=False, flush=False)
    for packet in packets[60:]:
        memory.put(packet, packet.t_ns)
    assert seqs(taken) == list(range(7))
    following = memory.take(alone=False, flush=False)[0]
    assert following.packet.key
    assert following.packet.seq == following.lost["disk"] + 7
    memory.restart()
    assert seqs(memory.take(alone=True, flush=False)) == [0]


def test_a_clock_that_leaps_ahead_costs_no_frame() -> None:
    packets = dull(60)
    packets[20:] = [replace(packet, t_ns=packet.t_ns + 3600 * SECOND) for packet in packets[20:]]
    memory = PacketMemory(10 * SECOND, FRAGMENT)
    for i, packet in enumerate(packets):
        memory.put(packet, i * FRAME_NS)
    assert memory.lost == {}


def test_put_tells_of_every_fragment_while_the_clock_goes_back() -> None:
    memory = PacketMemory(10 * SECOND, FRAGMENT)
    packets = [replace(packet, t_ns=SECOND - packet.seq) for packet in dull(20)]
    for i, packet in enumerate(packets):
        assert memory.put(packet, i * FRAME_NS)
        memory.take(alone=False, flush=False)
    assert memory.waiting == 1


def test_a_gop_longer_than_the_memory_waits_for_a_key_frame() -> None:
    memory = filled(dull(700, key_every=650), limit_s=10)
    assert seqs(memory.take(alone=True, flush=False)) == [650]
    assert memory.lost["disk"] == 650


def test_a_new_stream_needs_a_key_frame() -> None:
    packets = dull(60)
    other = replace(packets[0].stream)
    memory = filled(packets[:20] + [replace(packet, stream=other) for packet in packets[20:]])
    assert memory.lost == {"encoder": 10}


@given(
    st.lists(st.sampled_from(["put"] * 6 + ["take", "take", "alone", "sync", "fail", "flush", "pause"]), max_size=250),
    st.integers(2, 12),
)
def test_every_frame_is_durable_or_counted(steps: list[str], gop: int) -> None:
    """Whatever happens, in any order: at the end every frame put in is on the disk or counted, and GOPs are whole."""
    memory = PacketMemory(40 * FRAME_NS, FRAGMENT)
    source = iter(dull(400, key_every=gop))
    put, durable, segments = 0, set[int](), [[]]
    for step in [*steps, "fail", *["flush"] * 60, "sync"]:
        if step == "put":
            packet = next(source)
            memory.put(packet, packet.t_ns)
            put += 1
        elif step in ("take", "flush", "alone"):
            segments[-1] += memory.take(alone=step == "alone", flush=step == "flush")
        elif step == "sync":
            durable |= {entry.packet.seq for entry in segments[-1]}
            memory.mark_synced()
        elif step == "fail":
            memory.restart()
            segments.append([])
        else:
            memory.interrupt("paused", "stopped")
    assert memory.unsynced == 0
    assert len(durable) + memory.lost.total() == put
    for entries in segments:
        assert not entries or entries[0].packet.key, "a segment starts with a key frame"
        for before, after in itertools.pairwise(entries):
            assert after.packet.key or after.packet.seq == before.packet.seq + 1, (
                "only before a key frame may be a hole"
            )


def test_a_loss_is_told_once_with_the_next_packet() -> None:
    packets = dull(10)
    packets[4] = replace(packets[4], lost={"mailbox": 3})
    memory = filled(packets)
    told = Counter[str]()
    for _ in range(10):
        for entry in memory.take(alone=False, flush=True):
            told.update(entry.lost)
    assert told == {"mailbox": 3}
    assert memory.lost == {"mailbox": 3}
