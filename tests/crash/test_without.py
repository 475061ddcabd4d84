"""Each mechanism that the crash states prove is taken out here, and its proof fails."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.healing_look import Whole
from blackbox_qt.storage.quarantine import Quarantine

from .disk import FaultyRecordingDisk, InPlaceDisk, RecordingDisk
from .histories import tell
from .judge import lay_out, problems, states
from .model import CORNERS


def first_problem(
    name: str, memory: Path, make: Callable[[Path], RecordingDisk] = FaultyRecordingDisk, after: str = ""
) -> str:
    """What the proof finds first in a history on such a disk; "" when it finds nothing.

    after: look only behind the first operation that begins like this, and at random.
    """
    root = memory / "told"
    root.mkdir()
    history = tell(name, root, make)
    since = next((i for i, op in enumerate(history.log, 1) if after and re.match(after, str(op))), 0)
    for state, world in states(history, variants=4):
        if state.point < since or (after and state.variant in CORNERS):
            continue
        bad = problems(history, state, lay_out(state, world, memory / "state"), play=False)
        shutil.rmtree(memory / "state")
        if bad:
            return f"{state}: {bad[0]}"
    return ""


def without(*kinds: str) -> Callable[[Path], RecordingDisk]:
    """A disk on which these operations do nothing."""
    return lambda root: FaultyRecordingDisk(root, kinds)


class Unsynced(FaultyRecordingDisk):
    """Files of a certain name are not synced."""

    name = re.compile("")

    def datasync(self, fd: int) -> None:
        if not self.name.fullmatch(self._open[fd][1].name):
            super().datasync(fd)


def unsynced(name: str) -> Callable[[Path], RecordingDisk]:
    return type("Unsynced", (Unsynced,), {"name": re.compile(name)})


def test_nothing_is_found_where_nothing_is_missing(memory: Path) -> None:
    assert first_problem("heals_torn", memory, after="cut") == ""


def test_without_the_sync_of_files_durable_frames_are_lost(memory: Path) -> None:
    assert "durable frames are gone" in first_problem("drive", memory, without("sync"))


class Unlisted(FaultyRecordingDisk):
    """The folders that segments are in are not synced."""

    def sync_dir(self, path: Path) -> None:
        if not path.name.isdigit():
            super().sync_dir(path)


def test_without_the_sync_of_their_folder_whole_files_are_lost(memory: Path) -> None:
    assert "durable frames are gone" in first_problem("drive", memory, Unlisted)


def test_without_the_sync_of_any_folder_names_are_given_twice(memory: Path) -> None:
    assert "is given a second time" in first_problem("drive", memory, without("sync_dir"))


def test_without_the_sync_above_the_data_folder_all_is_lost(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was so until these states were looked at."""
    real = FaultyRecordingDisk.sync_dir
    monkeypatch.setattr(FaultyRecordingDisk, "sync_dir", lambda self, path: path == self.root or real(self, path))
    assert "data folder is gone" in first_problem("drive", memory)


def test_without_replacing_sidecars_whole_locks_are_lost(memory: Path) -> None:
    found = first_problem("decided", memory, InPlaceDisk)
    assert re.search("the (lock|date|note) .* is gone", found)


def test_without_the_sync_of_what_replaces_a_sidecar_locks_are_lost(memory: Path) -> None:
    found = first_problem("decided", memory, unsynced(r".*\.json\.tmp"))
    assert re.search("the (lock|date|note) .* is gone", found)


def test_without_the_sync_of_its_journal_a_mark_is_lost(memory: Path) -> None:
    assert "does not keep" in first_problem("marked", memory, unsynced("marks"))


def test_without_the_sync_of_its_copy_a_segment_of_the_ring_is_lost(memory: Path) -> None:
    found = first_problem("moved", memory, unsynced(r".*\.moving"), "rename .*moving")
    assert re.search("durable frames are gone|Damage", found)


def test_without_the_sync_of_its_journal_a_deletion_is_a_riddle(memory: Path) -> None:
    found = first_problem("deleted", memory, unsynced(r"journal-.*"), "unlink")
    assert "the journal does not tell" in found


def test_without_the_quarantine_bytes_vanish(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quarantine, "keep", lambda *args: "nowhere")
    assert "are gone silently" in first_problem("drive", memory)


def test_cutting_before_the_quarantine_has_it_loses_bytes(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right things in the wrong order: a cut between the two loses what was to be kept."""

    def cut_first(self: Healer, fd: int, path: Path, whole: Whole, ending: bytes, cut: int) -> None:
        tail = path.with_name("tail")
        tail.write_bytes(path.read_bytes()[whole.end :])
        self._disk.cut(fd, whole.end)
        self._disk.datasync(fd)
        if cut:
            self.quarantine.keep(tail, 0, f"{path.name}-from-{whole.end}")
        tail.unlink()
        self._disk.write_at(fd, ending, whole.end)
        self._disk.datasync(fd)

    monkeypatch.setattr(Healer, "_finish", cut_first)
    assert "are gone silently" in first_problem("heals_torn", memory)
