from __future__ import annotations

import os
from pathlib import Path

from blackbox_qt.core.holders import Holder, in_words, who_holds


def process(proc: Path, pid: int, name: str | None, *targets: str) -> None:
    folder = proc / str(pid) / "fd"
    folder.mkdir(parents=True)
    for number, target in enumerate(targets):
        (folder / str(number)).symlink_to(target)
    if name is not None:
        (proc / str(pid) / "comm").write_text(name + "\n")


def test_every_process_with_the_device_open_is_named(tmp_path: Path) -> None:
    process(tmp_path, 812, "motion", "/dev/null", "/dev/video0")
    process(tmp_path, 90, "vlc", "/dev/video1", "socket:[123]")
    process(tmp_path, 5, "bash", "/dev/pts/0")
    process(tmp_path, 7, None, "/dev/video0")
    (tmp_path / "uptime").write_text("1 1")
    (tmp_path / "3").mkdir()  # a process whose descriptors cannot be read
    assert who_holds(["/dev/video0", "/dev/video1"], tmp_path) == [
        Holder(7, "?"), Holder(90, "vlc"), Holder(812, "motion"),
    ]  # fmt: skip
    assert who_holds(["/dev/video9"], tmp_path) == []


def test_a_link_to_the_device_is_followed(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "video0")
    process(tmp_path / "proc", 4, "vlc", str(tmp_path / "video0"))
    assert who_holds([tmp_path / "by-id"], tmp_path / "proc") == [Holder(4, "vlc")]


def test_this_very_process_is_found(tmp_path: Path) -> None:
    path = tmp_path / "device"
    with path.open("w"):
        assert [holder.pid for holder in who_holds([path])] == [os.getpid()]
    assert who_holds([path]) == []


def test_in_words() -> None:
    assert in_words([Holder(812, "motion"), Holder(90, "vlc")]) == "motion (pid 812) and vlc (pid 90)"
    assert in_words([]) == "another program"
