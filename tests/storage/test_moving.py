"""What was recorded without the card goes to the card: whatever happens, nothing is lost and nothing is doubled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blackbox_qt.storage import sidecar
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.moving import MOVING, Mover
from blackbox_qt.storage.ring import Kept
from blackbox_qt.storage.segment import SegmentName

from .cards import EIO, Slot
from .fakes import dull
from .looks import look, times
from .test_card import BACK, GONE

MB = 1 << 20


class Trip:
    """Two segments in the ring, the card back, nothing moved yet."""

    def __init__(self, folder: Path) -> None:
        self.bench = bench = Slot(folder, segment_s=4)
        self.packets = dull(600)
        bench.feed(self.packets[:100])
        away = bench.seam.pull()
        bench.look()
        bench.feed(self.packets[100:400])
        bench.seam.put(away)
        bench.look()
        bench.feed(self.packets[400:])
        bench.finish()
        assert bench.ring is not None
        self.ring = bench.ring
        self.arrived: list[tuple[str, SegmentName]] = []
        self.inside = sorted(path.name for path in self.ring.folder.rglob("*.mp4*"))
        self.mover = self.another()

    def another(self) -> Mover:
        """As after a restart."""
        ring = self.ring
        return Mover(
            self.bench.disk, ring, self.bench.slot, self.heal, lambda lib, _, name: self.arrived.append((lib, name))
        )

    def heal(self, kept: Kept) -> bool:
        healer = Healer(self.bench.disk, self.ring.folder / kept.library, self.bench.clock, "a test")
        return healer.heal(kept.folder, kept.name, followed=True) is not None

    def on_card(self) -> list[str]:
        return sorted(path.name for path in self.bench.slot.rglob("*.mp4*"))

    def is_whole(self) -> bool:
        seen = {t for path in self.bench.slot.rglob("*.mp4") for t in look(path).times_ns}
        return seen == times(self.packets) and not list(self.ring.folder.rglob("*.mp4*"))


@pytest.fixture
def trip(tmp_path: Path, expected_alarms: list[str]) -> Trip:
    expected_alarms += [GONE, BACK]
    return Trip(tmp_path)


def test_all_of_it_is_moved_and_checks(trip: Trip) -> None:
    count = len(trip.inside)
    assert count == 2
    while trip.mover.step(MB):
        pass
    assert trip.is_whole() and trip.mover.count == count and trip.mover.left == 0
    assert [lib for lib, _ in trip.arrived] == ["recordings"] * count
    result = check_paths([trip.bench.slot])
    assert result.ok and {report.state for report in result.segments} == {"finished"}


def test_a_step_copies_no_more_than_it_may(trip: Trip) -> None:
    trip.mover.step(1)
    assert [name for name in trip.on_card() if name.endswith(MOVING)] and trip.mover.count == 0
    trip.mover.give_up()


def test_locks_and_dates_come_along(trip: Trip) -> None:
    first = trip.ring.segments()[0]
    lock = sidecar.Lock("mark-1", "manual", "a test")
    sidecar.change(trip.bench.disk, first.folder, first.name, lambda beside: beside.with_lock(lock))
    while trip.mover.step(MB):
        pass
    beside = sidecar.read(trip.bench.disk, trip.bench.slot / "recordings" / first.folder.name, first.name)
    assert beside.locks == (lock,) and beside.state == "finished"


OPS = ["replace", "write", "datasync", "rename", "mkdir", "unlink", "sync_dir"]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 6])
def test_one_error_anywhere_loses_and_doubles_nothing(trip: Trip, op: str, nth: int) -> None:
    trip.bench.seam.fail(op, nth)
    errors = 0
    for _ in range(50):
        try:
            if not trip.mover.step(MB):
                break
        except OSError:
            errors += 1
    assert trip.is_whole() and errors <= 1
    assert trip.on_card() == [name.removesuffix(".part") for name in trip.on_card()]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 6])
def test_a_program_that_is_killed_anywhere_goes_on_at_the_next_start(trip: Trip, op: str, nth: int) -> None:
    """After the nth operation everything fails until the next start: nothing more gets to either disk."""
    base = trip.bench.seam.counts[op]
    trip.bench.seam.faults.append(lambda o, n: EIO if trip.bench.seam.counts[op] >= base + nth else None)
    try:
        while trip.mover.step(MB):
            pass
    except OSError:
        pass
    trip.bench.seam.faults.clear()
    mover = trip.another()
    while mover.step(MB):
        pass
    assert trip.is_whole()
    assert check_paths([trip.bench.slot]).ok


def test_a_copy_that_reads_differently_is_not_trusted(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trip.bench.disk.read_at

    def flipped(fd: int, count: int, offset: int) -> bytes:
        """As a card that gives back something else: only while nothing is being copied, which is when it is read."""
        data = real(fd, count, offset)
        return bytes([data[0] ^ 1, *data[1:]]) if data and offset == 0 and trip.mover._copy is None else data

    monkeypatch.setattr(trip.bench.disk, "read_at", flipped)
    with pytest.raises(OSError, match="reads differently"):
        trip.mover.step(MB)
    monkeypatch.undo()
    assert len(list(trip.ring.folder.rglob("*.mp4"))) == 2, "the originals are still there"
    while trip.mover.step(MB):
        pass
    assert trip.is_whole()


def test_a_name_that_is_another_recordings_is_left_alone(trip: Trip, expected_alarms: list[str]) -> None:
    expected_alarms.append("the card has another recording of that name")
    first = trip.ring.segments()[0]
    folder = trip.bench.slot / "recordings" / first.folder.name
    folder.mkdir(exist_ok=True)
    (folder / first.name.final).write_bytes(b"somebody else's")
    while trip.mover.step(MB):
        pass
    assert (folder / first.name.final).read_bytes() == b"somebody else's"
    assert [kept.name for kept in trip.ring.segments()] == [first.name]
    assert "another recording of that name" in trip.mover.words


def test_a_card_without_room_is_waited_for(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trip.bench.disk, "space", lambda _: (4 * MB, 100 * MB))
    assert not trip.mover.step(MB) and "no room" in trip.mover.words
    monkeypatch.undo()
    while trip.mover.step(MB):
        pass
    assert trip.is_whole() and trip.mover.words == ""


def test_what_a_crash_left_open_in_the_ring_is_healed_and_moved(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms += [GONE, BACK]
    bench = Slot(tmp_path)
    packets = dull(90)
    bench.feed(packets[:40])
    bench.look()
    bench.recording.abandon()
    bench.seam.pull()
    bench.look()
    bench.feed(packets[40:])
    bench.recording.abandon()  # as a crash leaves it
    part = next((tmp_path / "state").rglob("*.part"))
    kept = look(part).frames
    shutil.rmtree(bench.slot)
    expected_alarms.append("another card is at")
    later = Slot(tmp_path)
    assert later.ring is not None

    def heal(one: Kept) -> bool:
        healer = Healer(later.disk, tmp_path / "state/emergency" / one.library, later.clock, "a test")
        return healer.heal(one.folder, one.name, followed=True) is not None

    expected_alarms.remove(BACK)
    mover = Mover(later.disk, later.ring, later.slot, heal)
    while mover.step(MB):
        pass
    moved = next(later.slot.rglob("*.mp4"))
    assert look(moved).frames == kept > 0 and mover.count == 1
