"""Stills get names that are never used again, and are there whole or not at all."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import simplejpeg

from blackbox_qt.core.frame import Frame
from blackbox_qt.core.layout import Layout
from blackbox_qt.storage.disk import Disk
from blackbox_qt.ui import snapshots
from blackbox_qt.ui.errands import Errands
from blackbox_qt.ui.snapshots import SnapshotError, save_still, take_snapshot
from tests.ui.helpers import WELL, image_of


def test_a_number_is_given_once_even_after_everything_was_deleted(tmp_path: Path) -> None:
    disk, folder = Disk(), tmp_path / "snapshots"
    first = save_still(disk, folder, "front-notime", b"1")
    second = save_still(disk, folder, "rear-notime", b"2")
    assert (first.name, second.name) == ("front-notime-00001.jpg", "rear-notime-00002.jpg")
    first.unlink()
    second.unlink()
    assert save_still(disk, folder, "front-notime", b"3").name == "front-notime-00003.jpg"


def test_a_lost_counter_is_found_again_in_the_names(tmp_path: Path) -> None:
    disk = Disk()
    save_still(disk, tmp_path, "front-x", b"1")
    save_still(disk, tmp_path, "front-x", b"2")
    (tmp_path / "count").unlink()
    assert save_still(disk, tmp_path, "front-x", b"3").name == "front-x-00003.jpg"


def app_with(tmp_path: Path, grab: Any, source: str = "ntp") -> Any:
    camera = SimpleNamespace(jpeg=SimpleNamespace(grab=grab))
    status = SimpleNamespace(utc_source=source, utc_ns=WELL.utc_ns, cameras=WELL.cameras)
    return SimpleNamespace(cameras={"front": camera}, data=tmp_path, status=lambda: status)


def take(app: Any, disk: Disk) -> Path:
    errands = Errands("snapshot")
    try:
        return asyncio.run(take_snapshot(app, "front", disk, errands))
    finally:
        assert errands.close(5) == ""


def grab_one(job: Any) -> Future[bytes]:
    layout = Layout.packed(96, 64)
    frame = Frame.lend("front", 1, 1, {"main": image_of(layout, [])}, lambda: None)
    done: Future[bytes] = Future()
    with frame:
        done.set_result(job(frame))
    return done


@pytest.mark.parametrize(("source", "name"), [("ntp", "front-20260921T141320Z-00001.jpg"),
                                              ("unsynced", "front-boot000001-00001.jpg")])  # fmt: skip
def test_the_name_says_when_if_anybody_knows(tmp_path: Path, source: str, name: str) -> None:
    path = take(app_with(tmp_path, grab_one, source), Disk())
    assert path.name == name
    assert simplejpeg.decode_jpeg(path.read_bytes()).shape == (64, 96, 3)


def test_a_camera_without_pictures_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_FRAME_WITHIN_S", 0.01)
    with pytest.raises(SnapshotError, match="FRONT gives no picture"):
        take(app_with(tmp_path, lambda job: Future()), Disk())


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, fd: int, parts: Sequence[bytes]) -> None:
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(SnapshotError, match="full"):
        take(app_with(tmp_path, grab_one), Full())
