"""The box's notes about itself: bounded, whole after any crash, never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.health_ring import RECORD, HealthRing, packed, read, unpacked

from .fakes import FaultDisk


def ring(path: Path, slots: int = 8, disk: Disk | None = None) -> HealthRing:
    made = HealthRing(disk or Disk(), path, slots)
    made.open()
    return made


def noted(path: Path) -> list[int]:
    return [body["n"] for body in read(Disk(), path)]


def write(path: Path, numbers: range, slots: int = 8) -> None:
    made = ring(path, slots)
    try:
        for number in numbers:
            made.note({"n": number})
    finally:
        made.close()


def test_the_file_never_grows_and_holds_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "state" / "health"
    write(path, range(3))
    assert noted(path) == [0, 1, 2] and path.stat().st_size == 8 * RECORD
    write(path, range(3, 30))
    assert noted(path) == list(range(22, 30)) and path.stat().st_size == 8 * RECORD


def test_another_length_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "health"
    write(path, range(8))
    write(path, range(8, 10), slots=4)
    assert noted(path) == [6, 7, 8, 9] and path.stat().st_size == 4 * RECORD
    write(path, range(10, 14), slots=16)
    assert noted(path) == list(range(6, 14))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(0, RECORD - 1), st.binary(min_size=1, max_size=64))
def test_a_torn_record_costs_itself_and_no_other(count: int, at: int, rubbish: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "health"
        write(path, range(count))
        data = bytearray(path.read_bytes())
        slot = (count - 1) % 8 * RECORD  # the last one is the one that a power cut may tear
        torn = bytes(data[slot + at : slot + min(RECORD, at + len(rubbish))])
        data[slot + at : slot + min(RECORD, at + len(rubbish))] = rubbish[: len(torn)]
        path.write_bytes(bytes(data))
        whole = list(range(max(0, count - 8), count))
        assert noted(path) in (whole, whole[:-1])
        write(path, range(count, count + 2))
        assert noted(path)[-2:] == [count, count + 1]


@given(st.integers(0, 2**63), st.dictionaries(st.text(max_size=8), st.text(max_size=2000) | st.integers() | st.none()))
def test_whatever_is_noted_has_room_or_is_refused(number: int, body: dict[str, object]) -> None:
    try:
        data = packed(number, body)
    except ValueError:
        return
    assert len(data) == RECORD
    again = unpacked(data)
    assert again is not None and again[0] == number and set(again[1]) == set(body)
    for key, value in body.items():
        if isinstance(value, str):
            told = str(again[1][key])
            assert value.encode("utf-8", "replace").decode().startswith(told[: len(told)]) or "?" in told
        else:
            assert again[1][key] == value


@pytest.mark.parametrize("bit", range(8))
def test_every_changed_bit_is_seen(bit: int) -> None:
    data = packed(41, {"celsius": 51, "words": "CARD MISSING"})
    used = len(data.rstrip(b"\0"))
    for at in range(used):
        changed = bytes([*data[:at], data[at] ^ 1 << bit, *data[at + 1 :]])
        again = unpacked(changed)
        assert again is None or again == unpacked(data), at


@given(st.binary(max_size=3 * RECORD))
def test_rubbish_is_no_record(data: bytes) -> None:
    assert unpacked(data) is None


def test_each_note_is_one_write_and_one_sync(tmp_path: Path) -> None:
    disk = FaultDisk()
    made = ring(tmp_path / "health", disk=disk)
    before = disk.counts["datasync"]
    for number in range(20):
        made.note({"n": number})
    made.close()
    assert disk.counts["datasync"] - before == 20 and disk.counts["replace"] == 1


@pytest.mark.parametrize("op", ["datasync", "replace", "rename"])
def test_after_an_error_it_is_opened_anew(tmp_path: Path, op: str) -> None:
    disk = FaultDisk()
    path = tmp_path / "health"
    made = HealthRing(disk, path, 8)
    disk.fail(op)
    with pytest.raises(OSError):
        made.note({"n": 0})
    made.close()
    made.note({"n": 1})
    made.note({"n": 2})
    made.close()
    assert noted(path)[-2:] == [1, 2]
