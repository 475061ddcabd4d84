"""The hotspot's name and password, and who can read them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from blackbox_qt.hotspot.identity import FILE, IdentityError, load_identity


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = load_identity(tmp_path / "state")
    finally:
        os.umask(before)
    place = tmp_path / "state" / FILE
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert made.name.startswith("Blackbox-") and len(made.name) == 13
    assert len(made.password) == 19 and made.password not in repr(made)
    assert load_identity(tmp_path / "state") == made
    assert os.listdir(tmp_path / "state") == [FILE]


def test_no_two_boxes_are_alike(tmp_path: Path) -> None:
    made = [load_identity(tmp_path / str(i)) for i in range(20)]
    assert len({i.password for i in made}) == len({i.uuid for i in made}) == 20


def test_one_that_others_could_read_gets_a_new_password(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("could be read by others, so a new password was made")
    before = load_identity(tmp_path)
    (tmp_path / FILE).chmod(0o640)
    after = load_identity(tmp_path)
    assert (after.name, after.uuid) == (before.name, before.uuid) and after.password != before.password
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"name": "B", "password": "short", "uuid": "11111111-1111-1111-1111-111111111111"}',
     '{"name": "B", "password": "long enough", "uuid": "none"}'],
)  # fmt: skip
def test_nonsense_is_replaced(tmp_path: Path, content: str, expected_alarms: list[str]) -> None:
    expected_alarms.append("holds no hotspot any more")
    (tmp_path / FILE).write_text(content)
    (tmp_path / FILE).chmod(0o600)
    made = load_identity(tmp_path)
    assert json.loads((tmp_path / FILE).read_text())["password"] == made.password


def test_a_place_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(IdentityError, match="cannot be kept there"):
        load_identity(tmp_path / "state")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IdentityError):
        load_identity(tmp_path)


def made_by_the_package(folder: Path) -> subprocess.CompletedProcess[str]:
    """As its postinst calls it, by a Python that has none of our libraries."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-B", "-E", "-s", "-S", "-m", "blackbox_qt.hotspot", str(folder)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_package_makes_it_and_an_upgrade_keeps_it(tmp_path: Path) -> None:
    assert made_by_the_package(tmp_path).returncode == 0
    made = (tmp_path / FILE).read_bytes()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert made_by_the_package(tmp_path).returncode == 0
    assert (tmp_path / FILE).read_bytes() == made
    assert load_identity(tmp_path).password in made.decode(), "`hotspot on` uses that one"


def test_a_package_that_cannot_make_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    done = made_by_the_package(tmp_path / "state")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "cannot be kept there" in done.stderr
