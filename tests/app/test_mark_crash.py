"""The power goes at every step of a mark: what was confirmed ends in locks, and what was undone in none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.marks import Mark
from tests.app.mark_bench import MarkBench
from tests.crash.disk import RecordingDisk
from tests.crash.model import CORNERS, World, world_at

RANDOM = 12 if os.environ.get("BLACKBOX_PROVE") else 1
EVERY = 1 if os.environ.get("BLACKBOX_PROVE") else 4


@dataclass
class Story:
    """What was done, and what the user was told after which operation."""

    disk: RecordingDisk
    told: list[tuple[int, Mark]]

    def promised(self, point: int) -> dict[str, Mark]:
        """What holds if the power goes after so many operations: of each mark the last word."""
        return {mark.id: mark for at, mark in self.told if at <= point}

    def unsure(self, point: int) -> set[str]:
        """Marks of which something was asked and is not confirmed yet, or that come later."""
        return {mark.id for at, mark in self.told if at > point}


def story(root: Path) -> Story:
    """Two cameras; a press, its extension, another one that is undone, files that end meanwhile, one that does not."""
    (root / "car" / "recordings" / "000001").mkdir(parents=True)  # durable, as the Store makes it
    disk = RecordingDisk(root)
    bench = MarkBench(root / "car", disk)
    bench.load()
    told: list[tuple[int, Mark]] = []

    def say(mark: Mark) -> Mark:
        assert mark.state in ("asked", "extended", "undone")
        told.append((len(disk.log), mark))
        return mark

    for camera in ("front", "rear"):
        bench.segment(camera, 900, 980)
    front, rear = bench.open("front", 981, 999), bench.open("rear", 981, 999)
    say(bench.mark(note="ABC 123"))
    bench.drive()
    bench.clock.advance(40)
    bench.finish(front)
    say(bench.mark("page"))
    bench.drive()
    bench.clock.advance(100)
    bench.finish(rear)
    for camera in ("front", "rear"):
        bench.segment(camera, 1041, 1130)
    bench.drive()
    second = say(bench.mark("button"))
    bench.drive()
    say(bench.undo(second.id))
    bench.drive()
    bench.open("front", 1131, 1141).abandon()  # and so it is left
    bench.drive()
    return Story(disk, told)


def states(story: Story) -> Iterator[tuple[int, str, World]]:
    log, begin = story.disk.log, story.disk.begin
    world = world_at(log, begin)
    for point in range(begin, len(log) + 1):
        if point > begin:
            world.apply(log[point - 1])
        if (point - begin) % EVERY == 0:
            for variant in (*CORNERS, *(f"r{i}" for i in range(RANDOM))):
                yield point, variant, world


def the_next_morning(data: Path) -> MarkBench:
    """Another start of the machine: what is unfinished is healed, then marks are driven, as the keeper does it."""
    bench = MarkBench(data, boot="the-next-morning", at=20)
    healer = Healer(bench.disk, bench.root, bench.clock, "a test")
    bench.load()
    for segment in bench.library.segments():
        if segment.state == "open":
            healer.heal(segment.folder, segment.name, followed=False)
    bench.library = Library(bench.disk, bench.root, bench.clock)
    bench.load()
    bench.drive()
    return bench


def problems(story: Story, point: int, data: Path) -> list[str]:
    """What was promised and is not so."""
    bench = the_next_morning(data)
    locked = bench.locked()
    bad = []
    for mark in story.promised(point).values():
        covered = {s.name.stem for s in bench.library.segments() if s.state == "finished" and mark.covers(s)}
        has = {stem for stem, marks in locked.items() if mark.id in marks}
        if mark.undone and has:
            bad.append(f"{mark.id} was undone, and locks {has}")
        elif not mark.undone and mark.id not in story.unsure(point) and has != covered:
            bad.append(f"{mark.id} locks {has}, and not {covered}")
        elif not mark.undone and mark.id not in _undone_later(story) and not has >= covered:
            bad.append(f"{mark.id} locks {has}, and not all of {covered}")
    return bad


def _undone_later(story: Story) -> set[str]:
    return {mark.id for _, mark in story.told if mark.undone}


@pytest.mark.prove
def test_a_confirmed_mark_ends_in_locks_wherever_the_power_goes(
    tmp_path: Path, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    possible_alarms += ["cannot be understood; it is kept as", "cannot be read; the others hold"]
    told = story(tmp_path / "drive")
    count = 0
    for point, variant, world in states(told):
        target = tmp_path / f"{point}-{variant}"
        target.mkdir()
        world.crash(variant, f"{point}:{variant}", target)
        if (target / "car" / "recordings").is_dir():
            assert problems(told, point, target / "car") == [], f"after {point}: {told.disk.log[point - 1]}, {variant}"
            count += 1
    assert count > 200


@pytest.mark.parametrize("forgotten", ["sync", "sync_dir"])
def test_without_its_syncs_it_would_be_seen(
    tmp_path: Path, forgotten: str, possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof above can fail: a journal that is not synced loses confirmed marks."""
    possible_alarms += ["cannot be understood; it is kept as", "cannot be read; the others hold"]
    real: Callable[[RecordingDisk, object], None] = RecordingDisk._note  # type: ignore[assignment]

    def note(self: RecordingDisk, op: object) -> None:
        is_journal = str(getattr(op, "path", "")).endswith(("recordings/marks", "car/recordings"))
        if not (is_journal and getattr(op, "kind", "") == forgotten):
            real(self, op)

    monkeypatch.setattr(RecordingDisk, "_note", note)
    told = story(tmp_path / "drive")
    found = []
    for point, variant, world in states(told):
        if variant == "least":
            target = tmp_path / f"{point}"
            target.mkdir()
            world.crash(variant, "", target)
            if (target / "car" / "recordings").is_dir():
                found += problems(told, point, target / "car")
    assert found
