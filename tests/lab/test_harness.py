"""The lab's own tools, without a machine."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import build, collect
from tests.lab.disk import Cut, Log, random_cuts

SECTOR = 512


def entry(sector: int, sectors: int, flags: int, data: bytes = b"") -> bytes:
    return struct.pack("<QQQQ", sector, sectors, flags, len(data)).ljust(SECTOR, b"\0") + data


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Sector 0 becomes A, flush, sector 1 becomes B, sectors 2 and 3 become C, flush, sector 0 becomes D."""
    path = tmp_path / "log"
    path.write_bytes(
        struct.pack("<QQQI", 0x6A736677736872, 1, 0, SECTOR).ljust(SECTOR, b"\0")
        + entry(0, 1, 0, b"A" * SECTOR)
        + entry(0, 0, 1)
        + entry(1, 1, 0, b"B" * SECTOR)
        + entry(2, 2, 0, b"C" * 2 * SECTOR)
        + entry(0, 0, 1)
        + entry(0, 1, 0, b"D" * SECTOR)
    )
    return Log(path)


def left_over(log: Log, folder: Path, cut: Cut) -> str:
    """First letter of each sector after the cut."""
    base, out = folder / "base", folder / "out"
    base.write_bytes(b"." * 4 * SECTOR)
    log.replay(base, cut, out)
    content = out.read_bytes()
    return "".join(chr(content[at]) for at in range(0, len(content), SECTOR))


@pytest.mark.parametrize(
    ("at", "kept", "expected"),
    [(1, 0.0, "...."), (1, 1.0, "A..."), (4, 0.0, "A..."), (4, 1.0, "ABCC"), (5, 0.0, "ABCC"), (6, 0.0, "ABCC"),
     (6, 1.0, "DBCC")],
)  # fmt: skip
def test_a_cut_keeps_what_was_flushed_and_no_more_than_was_written(
    log: Log, tmp_path: Path, at: int, kept: float, expected: str
) -> None:
    assert left_over(log, tmp_path, Cut(at, kept, SECTOR, 1)) == expected


def test_a_cut_tears_requests_at_its_grain(log: Log, tmp_path: Path) -> None:
    sectors = {left_over(log, tmp_path, Cut(4, 0.5, 512, seed))[2:] for seed in range(50)}
    pages = {left_over(log, tmp_path, Cut(4, 0.5, 4096, seed))[2:] for seed in range(50)}
    assert sectors == {"..", "C.", ".C", "CC"}
    assert pages == {"..", "CC"}


def test_marks_tell_where_in_the_log_they_were_written(log: Log) -> None:
    assert log.flushes() == 2
    number = int.from_bytes(b"B" * 8, "little")
    assert log.marks(1) == {number: 3} and log.marks(2) == {}
    assert {cut.at for cut in random_cuts(200, log, 3, 3)} == {3, 4, 5, 6}


def test_another_file_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"nothing" * 100)
    with pytest.raises(ValueError, match="no log of a disk"):
        Log(tmp_path / "log")


def test_the_machine_is_built_anew_when_an_ingredient_changes(tmp_path: Path) -> None:
    ingredients = tmp_path / "machine"
    ingredients.mkdir()
    (ingredients / "packages.txt").write_text("bash\n")
    first = build.key(build.Spec(), ingredients)
    assert build.key(build.Spec(), ingredients) == first
    assert build.key(build.Spec(packages=("systemd",)), ingredients) != first
    (ingredients / "agent.py").write_text("read through the shared folder")
    assert build.key(build.Spec(), ingredients) == first
    (ingredients / "packages.txt").write_text("bash\ncurl\n")
    assert build.key(build.Spec(), ingredients) != first


def test_pip_brings_what_the_program_needs_but_not_what_apt_has() -> None:
    names = [line.split(">")[0] for line in build.requirements()]
    assert {"av", "qasync", "pytest"} <= set(names)
    assert not {"numpy", "PySide6-Essentials"} & set(names)


def test_tests_of_the_guest_are_found_without_importing_them() -> None:
    source = "import nowhere\ndef test_one(): ...\ndef helper(): ...\nclass TestIt:\n  def test_two(self): ...\n"
    assert collect.test_names(source) == [("test_one", 2), ("TestIt::test_two", 5)]


def test_what_pytest_in_the_guest_said_reaches_each_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_half(n): assert n == 1, 'two is wrong'\n"
        "def test_away(): pytest.skip('no camera')\n"
        "@pytest.fixture\n"
        "def broken(): raise RuntimeError('it broke')\n"
        "def test_broken(broken): pass\n"
        "class TestIt:\n  def test_inside(self): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=out.xml", "test_it.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    results = collect.outcomes((tmp_path / "out.xml").read_text())
    assert results["test_good"] == results["TestIt::test_inside"] == ""
    assert results["test_half"].startswith("test_half[2]:") and "two is wrong" in results["test_half"]
    assert results["test_away"] == "skipped: no camera"
    assert "it broke" in results["test_broken"]
