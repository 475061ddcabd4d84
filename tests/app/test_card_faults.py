"""The whole recorder on a small real file system that is pulled, stalled, filled and read-only. As root only."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.app import App
from blackbox_qt.app.words import strip
from blackbox_qt.config import load
from blackbox_qt.storage.check import CheckResult, check_paths
from tests.loopdisk import LoopDisk, MakeDisk, loop_disk

__all__ = ["loop_disk"]

Until = Callable[..., None]
GONE, BACK = "Card missing: nothing is mounted at", "the card is back"


@pytest.fixture(autouse=True)
def a_busy_machine_may_lose_frames(possible_alarms: list[str]) -> None:
    possible_alarms.append("frames lost so far")


@contextmanager
def recorder(card: LoopDisk, folder: Path, *settings: str) -> Iterator[App]:
    """It records a moving picture on the card, at 30 a second."""
    places = [f"storage.data={card.point}", f"storage.state={folder / 'state'}", "emergency.keep_free_mb=0"]
    config = load(None, [*places, *settings], sources=[("front", "pattern:160x96@30")])
    with App(config) as app:
        yield app


def recording(app: App) -> bool:
    return app.status().recording == "recording"


class Watch:
    """Somebody looks at the live picture."""

    def __init__(self, app: App) -> None:
        self.pictures = 0
        self.longest_s = 0.0
        self._last = time.monotonic()
        self._app = app
        self._lock = threading.Lock()

    def came(self) -> None:
        with self._lock:
            now = time.monotonic()
            self.longest_s = max(self.longest_s, now - self._last)
            self._last = now
            self.pictures += 1


def everything(card: LoopDisk, folder: Path) -> CheckResult:
    """What is on the card and what is still in the ring; all of it sound."""
    result = check_paths([card.point / "demo", *folder.glob("state/emergency/demo")])
    assert result.ok, result
    return result


def every_picture_is_there(result: CheckResult, app: App) -> None:
    """No time is missing between two pictures but for those that never came so far as the disk (a busy machine)."""
    times = sorted({t for report in result.segments for t in report.times_ns})
    lost = app.cameras["front"].status().lost
    assert lost["disk"] == lost["encoder"] == lost["stopped"] == 0, lost
    holes = sum(round((b - a) * 30 / 1e9) - 1 for a, b in itertools.pairwise(times))
    assert holes <= lost["mailbox"] + lost["camera"], (holes, lost)


def test_a_pulled_card_is_an_alarm_within_a_second_and_all_else_goes_on(
    tmp_path: Path, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk("ext4", 64)
    expected_alarms += [BACK]
    possible_alarms += ["Card error", "read-only", GONE, "was taken away", "healing", "reading",
                        "final name", "Input/output", "Read-only"]  # fmt: skip
    with recorder(card, tmp_path, "storage.segment_s=3") as app:
        watch = Watch(app)
        until(lambda: recording(app))
        with app.cameras["front"].jpeg.watch(watch.came):
            until(lambda: watch.pictures > 5)
            card.pull()
            pulled = time.monotonic()
            until(lambda: strip(app.status()).mood in ("alarm", "danger"))
            assert time.monotonic() - pulled < 1.0
            until(lambda: app.guard.alarm().on)
            assert time.monotonic() - pulled < 1.5, "heard within a second, where nobody else needs the processor"
            until(lambda: recording(app) and app.status().card.state in ("missing", "broken"))
            seen = strip(app.status())
            assert (seen.mood, seen.shape) == ("danger", "triangle") and seen.title.startswith("CARD")
            in_ring = app.status().cameras[0].recording.frames
            until(lambda: app.status().cameras[0].recording.frames > in_ring + 60)
            card.mount()
            until(lambda: app.status().card.state == "fine" and strip(app.status()).mood == "well")
            until(lambda: app.status().card.moved >= 1, 20)
            until(lambda: not list((tmp_path / "state").rglob("*.mp4*")), 20)  # all of them are on the card
            assert watch.longest_s < 0.5, "the live picture went on"
    every_picture_is_there(everything(card, tmp_path), app)


def test_a_card_that_stalls_for_five_seconds_costs_no_frame(
    tmp_path: Path, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk("ext4", 64)
    expected_alarms += ["are not on the disk yet; the card is slow"]
    possible_alarms += ["frames lost so far"]
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app))
        before = app.status().cameras[0].recording.frames
        card.freeze()
        try:
            stalled = time.monotonic()
            until(lambda: strip(app.status()).mood != "well", 4)
            assert time.monotonic() - stalled < 3.2, "said when 2 s are not safe"
            until(lambda: time.monotonic() - stalled >= 5)
        finally:
            card.thaw()
        until(lambda: recording(app) and app.status().cameras[0].recording.frames > before + 150)
    every_picture_is_there(everything(card, tmp_path), app)


@pytest.mark.parametrize("kind", ["ext4", "vfat", "exfat"])
def test_a_full_card_is_said_and_recorded_on_when_there_is_room(
    tmp_path: Path, kind: str, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk(kind, 32)
    expected_alarms += ["Disk full: free space on"]
    possible_alarms += [
        "frames lost so far",
        "retention",
        "room",
        "No space left",
        "nearly full",
        "journal of deletions",
        "The disk says it is full although",  # the test has made room before the janitor looked
    ]
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app))
        filler = card.fill()
        until(lambda: "Disk full" in strip(app.status()).words)
        filler.unlink()
        until(lambda: recording(app))
        assert app.status().card.state == "fine", "a full card is no missing one"
    assert everything(card, tmp_path).frames > 5


def test_a_card_that_is_read_only_at_the_start_is_recorded_to_once_it_is_not(
    tmp_path: Path, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk("ext4", 32)
    expected_alarms += ["Disk is read-only", BACK]
    possible_alarms += ["healing", "reading", "Read-only", "read-only"]
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app) and app.status().card.id)
        until((tmp_path / "state" / "card").exists)
    card.remount("ro")
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app) and app.status().card.state == "broken")
        assert strip(app.status()).mood == "danger"
        card.remount("rw")
        until(lambda: app.status().card.state == "fine" and app.status().card.moved, 20)
    assert everything(card, tmp_path).frames > 5


def test_a_card_that_is_taken_out_politely_is_unmounted_and_whole(
    tmp_path: Path, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk("ext4", 64)
    expected_alarms += ["Card removed: put it back", "Card removed: it can be pulled out now", BACK]
    possible_alarms += ["healing", "reading", "frames lost so far"]
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app))
        unmount, open_then = app.emergency._unmounting.unmount, list[Path]()

        def look(point: Path, number: int) -> str:
            open_then.extend(point.rglob("*.part"))
            return unmount(point, number)

        app.emergency._unmounting.unmount = look  # type: ignore[method-assign]
        app.emergency.remove()
        until(lambda: app.status().card.state == "removed" and not app.status().card.doing, 20)
        assert app.status().card.words.endswith("and it is unmounted.")
        assert open_then == [], "every file was finished before"
        assert not card.point.is_mount() and list(card.point.iterdir()) == []
        run_fsck(card)
        until(lambda: recording(app) and strip(app.status()).title == "CARD REMOVED")
        card.mount()
        until(lambda: app.status().card.state == "fine" and app.status().card.moved, 20)
        until(lambda: strip(app.status()).mood == "well")
    result = everything(card, tmp_path)
    assert {report.state for report in result.segments} == {"finished"}
    every_picture_is_there(result, app)


def run_fsck(card: LoopDisk) -> None:
    from tests.loopdisk import run

    run("fsck.ext4", "-n", card.device)


def test_a_start_without_the_card_records_and_the_card_gets_it_later(
    tmp_path: Path, loop_disk: MakeDisk, until: Until, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    card = loop_disk("ext4", 64)
    expected_alarms += [GONE, BACK]
    possible_alarms += ["healing", "reading", "frames lost so far"]
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app))
        until((tmp_path / "state" / "card").exists)
    card.unmount()
    with recorder(card, tmp_path) as app:
        until(lambda: recording(app) and app.status().card.state == "missing")
        assert list(card.point.iterdir()) == []
        until(lambda: app.status().cameras[0].recording.frames > 20)
    with recorder(card, tmp_path) as app:
        card.mount()
        until(lambda: app.status().card.state == "fine" and app.status().card.moved >= 2, 20)
    starts = sorted(path.name for path in (card.point / "demo").glob("0*"))
    assert starts == ["000001", "000002", "000003", "000004"], "in the order they were recorded"
    everything(card, tmp_path)


def test_without_emergency_recording_the_gap_is_in_the_record_and_the_notes_explain_it(
    tmp_path: Path,
    loop_disk: MakeDisk,
    until: Until,
    expected_alarms: list[str],
    possible_alarms: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = loop_disk("ext4", 64)
    expected_alarms += [GONE, BACK]
    possible_alarms += ["Card error", "read-only", "healing", "reading", "final name", "was taken away"]
    alone = ["emergency.enabled=false", "storage.memory_s=1", "health.every_s=1"]
    with recorder(card, tmp_path, *alone) as app:
        until(lambda: recording(app) and app.status().cameras[0].recording.frames > 30)
        card.pull()
        until(lambda: strip(app.status()).mood == "alarm")
        until(lambda: app.guard.alarm().on)
        until(lambda: app.status().cameras[0].lost["disk"] > 60)
        card.mount()
        until(lambda: recording(app) and app.status().card.state == "fine")
        until(lambda: strip(app.status()).mood == "well" and not app.guard.alarm().on, 20)
        lost = app.cameras["front"].status().lost["disk"]
    told = check_paths([card.point / "demo"])
    in_files = sum(report.lost.get("disk", 0) for report in told.segments)
    assert in_files == lost > 60, "the files themselves tell of every one"
    options = ["--set", f"storage.data={card.point}", "--set", f"storage.state={tmp_path / 'state'}"]
    assert main(["health", *options, "--set", "health.every_s=1"]) == 0
    said = capsys.readouterr().out
    missing = next(line for line in said.splitlines() if " s of front: " in line)
    assert "Card missing" in missing and "Missing video:" in said
