"""The key's file: nobody else reads it, it is whole or not there, and trouble with it never stops the box."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from blackbox_qt.web.key import NAME, load_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    before = os.umask(0)
    try:
        key = load_key(folder)
    finally:
        os.umask(before)
    assert (mode(folder), mode(folder / NAME)) == (0o700, 0o600)
    assert (folder / NAME).read_text() == key + "\n"
    assert load_key(folder) == key
    assert os.listdir(folder) == [NAME]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666])
def test_one_that_others_could_read_is_replaced(tmp_path: Path, bits: int, expected_alarms: list[str]) -> None:
    key = load_key(tmp_path)
    (tmp_path / NAME).chmod(bits)
    expected_alarms.append("could be read by others")
    new = load_key(tmp_path)
    assert new != key
    assert mode(tmp_path / NAME) == 0o600
    assert load_key(tmp_path) == new


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", b"\x00" * 26, b"x" * 1000, "é".encode() * 26])
def test_one_that_is_damaged_is_replaced(tmp_path: Path, content: bytes, expected_alarms: list[str]) -> None:
    place = tmp_path / NAME
    place.write_bytes(content)
    place.chmod(0o600)
    expected_alarms.append("holds no access key")
    assert len(load_key(tmp_path)) == 26


def test_where_it_cannot_be_kept_it_lives_in_memory(tmp_path: Path, expected_alarms: list[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    expected_alarms.append("cannot be kept")
    assert len(load_key(blocked)) == 26
    assert load_key(blocked / "state") != load_key(blocked / "state")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, expected_alarms: list[str]) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("0" * 26)
    target.chmod(0o600)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / NAME).symlink_to(target)
    expected_alarms.append("cannot be kept")
    assert load_key(tmp_path / "state") != "0" * 26
    assert target.read_text() == "0" * 26


def test_two_programs_starting_at_once_end_with_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def slower(source: Path, place: Path) -> None:
        other = place.with_name("other")
        other.write_text("1" * 26)
        other.chmod(0o600)
        other.rename(place)
        real(source, place)

    monkeypatch.setattr(os, "link", slower)
    assert load_key(tmp_path) == "1" * 26


def test_a_folder_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert load_key(tmp_path) == load_key(tmp_path)
    assert os.listdir(tmp_path) == [NAME]
