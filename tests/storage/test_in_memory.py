"""A ring that lived in memory must not eat it: the list of mounts tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.storage.in_memory import is_in_memory

PLAIN = """\
21 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
25 21 0:23 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=800000k
30 21 8:1 / /srv/blackbox rw shared:9 - ext4 /dev/sda1 rw
31 21 0:40 / /srv/my\\040ram rw - tmpfs tmpfs rw
"""
PROTECTED = """\
21 1 0:22 / / rw - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay
22 21 179:2 / /media/root-ro ro - ext4 /dev/mmcblk0p2 ro
23 21 0:21 / /media/root-rw rw - tmpfs tmpfs-root rw
30 21 8:1 / /srv/blackbox rw - ext4 /dev/sda1 rw
"""
CONTAINER = """\
21 1 0:60 / / rw - overlay overlay rw,lowerdir=/var/lib/x,upperdir=/var/lib/docker/overlay2/y/diff,workdir=/z
25 21 0:23 / /run rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("mounts", "folder", "memory"),
    [(PLAIN, "/var/lib/blackbox-qt", False), (PLAIN, "/run/x", True), (PLAIN, "/srv/my ram/x", True),
     (PROTECTED, "/var/lib/blackbox-qt", True), (PROTECTED, "/srv/blackbox/x", False), (CONTAINER, "/var/lib/b", False),
     ("nonsense\n", "/var", False)],
)  # fmt: skip
def test_where_a_folder_is(tmp_path: Path, mounts: str, folder: str, memory: bool) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(mounts)
    assert is_in_memory(Path(folder), table) is memory


def test_no_table_is_no_memory(tmp_path: Path) -> None:
    assert not is_in_memory(tmp_path, tmp_path / "none")
