"""Forgotten is forgotten: nothing of a trip is left, nothing of another one is touched, also across a crash."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.erasing import EraseError, Eraser, Wish
from blackbox_qt.storage.journal_lines import Deletion
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock
from blackbox_qt.storage.times import TimesFile, Witness

from .cards_full import Drive

LOCK = Lock("m1", "manual", "a test")
EVERYTHING = Wish(None, "page")


class NoMarks:
    """Marks that somebody else keeps."""

    def __init__(self) -> None:
        self.there = 0
        self.forgotten: list[Collection[str] | None] = []

    def count(self, boots: Collection[str] | None) -> int:
        return self.there

    def forget(self, boots: Collection[str] | None) -> None:
        self.forgotten.append(boots)


class Box:
    """Two trips, the second one under way."""

    def __init__(self, data: Path) -> None:
        first = Drive(data)
        first.clock.machine_boot = "the first start of the machine"
        first.go(5)
        first.end()
        first.janitor.step()
        self.drive = Drive(data)
        self.drive.go(5)
        self.root = self.drive.library.root
        self.marks = NoMarks()
        self.eraser = Eraser(self.drive.deletions, self.in_use, self.marks)
        for name in ("quarantine/000001-front-000001-00002.mp4.part-from-99", "thumbnails/front-000001-00002.jpg",
                     "quarantine/000002-front-000002-00001.mp4.part-from-99", "thumbnails/front-000002-00001.jpg",
                     "000001/front-000001-00003.json.torn", "000001/front-000001-00009.mp4.part"):  # fmt: skip
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_bytes(name.encode())

    def in_use(self) -> list[SegmentName]:
        return [place.name for place in self.drive.recording.places]

    def cut(self) -> None:
        self.drive.recording.cut()
        self.drive.go(1.1)

    def left(self, *of: str) -> list[str]:
        """Files whose name or content tells of these."""
        found = []
        for file in self.root.rglob("*"):
            told = str(file) + (file.read_bytes().decode("latin-1") if file.is_file() else "")
            if any(word in told for word in of):
                found.append(str(file.relative_to(self.root)))
        return sorted(found)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "data")


@pytest.mark.parametrize("wish", [Wish(1, "page"), EVERYTHING])
def test_what_was_said_about_its_time_is_forgotten_too(box: Box, wish: Wish) -> None:
    times = TimesFile(Disk(), box.root.parent)
    first, now = "the first start of the machine", box.drive.clock.machine_boot
    times.add([Witness(boot, 1, 1_790_000_000 * 10**9, "phone", 10**9, "10.42.0.7") for boot in (first, now)])
    box.eraser.erase(wish)
    assert [one.machine_boot for one in times.load()] == [now], "what is being recorded needs its time"


def test_a_trip_is_forgotten_with_all_that_tells_of_it(box: Box) -> None:
    other = box.left("front-000002")
    box.drive.deletions.journal.done(box.drive.deletions.journal.begin(Deletion("front-000001-00001", "", "janitor")))
    assert box.eraser.erase(Wish(1, "command line")) == 5
    assert box.left("front-000001") == [] and box.left("front-000002") == other
    (line,) = box.drive.deletions.journal.entries()
    assert (line.deletion.what, line.deletion.who, line.deletion.bytes, line.state) == (
        "trip 1",
        "command line",
        0,
        "done",
    )
    assert box.marks.forgotten == [{"the first start of the machine"}]
    assert [trip.number for trip in box.drive.library.trips()] == [2]


def test_everything_goes_but_what_is_recorded_from_now_on(box: Box) -> None:
    before = {one.stem for one in box.in_use()}
    box.cut()
    during = {one.stem for one in box.in_use()}
    box.eraser.erase(EVERYTHING)
    assert not before & during and box.left("front-000001") == []
    assert {name.split(".")[0] for name in box.left("front-000002")} == {f"000002/{name}" for name in during}
    assert box.marks.forgotten == [None]
    box.drive.go(5)
    box.drive.end()
    result = check_paths([box.root])
    assert not any(report.damage for report in result.segments) and len(result.segments) == 6
    assert (box.root / "boots").read_text() == "2\n", "names are never given again"
    assert Drive(box.drive.store.data).store.place("front", "camera").name.boot == 3


def test_what_is_being_written_is_not_touched_without_a_cut(box: Box) -> None:
    (name,) = box.in_use()
    box.eraser.erase(EVERYTHING)
    assert {f"{name.stem}.mp4.part", f"{name.stem}.json"} == {file.name for file in (box.root / "000002").iterdir()}


def test_another_programs_open_file_is_not_touched(box: Box) -> None:
    (name,) = box.in_use()
    beside = Eraser(box.drive.deletions, list, box.marks)
    beside.erase(EVERYTHING)
    assert (box.root / f"000002/{name.stem}.mp4.part").exists(), "its writer holds it"


def test_what_is_marked_is_refused_until_it_is_confirmed(box: Box) -> None:
    box.drive.library.lock(SegmentName("front", 1, 2), LOCK)
    for wish, what in ((Wish(1, "page"), "trip 1"), (EVERYTHING, "what there is")):
        with pytest.raises(EraseError) as refused:
            box.eraser.erase(wish)
        assert str(refused.value) == f"Some of {what} is kept by marks: nothing was erased. Confirm that it goes too."
    box.marks.there = 1
    with pytest.raises(EraseError, match="Some of trip 2 is kept by marks"):
        box.eraser.erase(Wish(2, "page"))
    assert box.drive.deletions.journal.entries() == () and len(box.drive.names()) == 9
    assert box.eraser.erase(Wish(1, "page", marked_too=True)) == 5
    assert box.left("front-000001") == []


def test_a_trip_that_is_not_there_is_refused(box: Box) -> None:
    with pytest.raises(EraseError, match=r"There is no trip 7; the last ones are: 1, 2\."):
        box.eraser.erase(Wish(7, "page"))


@pytest.mark.parametrize("wish", [Wish(1, "page"), Wish(1, "page", marked_too=True), EVERYTHING])
def test_what_a_crash_interrupted_is_finished(box: Box, wish: Wish) -> None:
    if wish.marked_too:
        box.drive.library.lock(SegmentName("front", 1, 2), LOCK)
    box.drive.disk.refuse = lambda op, path: op == "unlink" and path.endswith("front-000001-00003.mp4")
    with pytest.raises(OSError, match="Input/output"):
        box.eraser.erase(wish)
    box.drive.end()
    again = Drive(box.drive.store.data)
    Eraser(again.deletions, list, box.marks).complete()
    assert box.left("front-000001") == []
    assert [(e.deletion.what, e.state) for e in again.deletions.journal.entries()] == [(wish.what, "done")]
    assert Wish.parse(wish.what, "page") == wish


def test_ordinary_deletions_are_told_of_again_after_an_erase(box: Box) -> None:
    box.eraser.erase(Wish(1, "page"))
    box.drive.library.remove(SegmentName("front", 2, 1), "a test", "tester")
    assert [entry.deletion.what for entry in box.drive.deletions.journal.entries()] == ["trip 1", "front-000002-00001"]
