"""What `.ci/run` makes of a lab that fails, with a ./dev that only pretends."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.emulator import NOT_BOOTED, BootError

ROOT = Path(__file__).resolve().parent.parent
# Each step says what its file says and ends with the code that stands there; the lab has one pair for each time.
DEV = """#!/usr/bin/env bash
echo "$1" >>calls
[[ $1 == lab ]] && set -- "lab-$(grep -c lab calls)"
cat -- "$1.says" 2>/dev/null
exit "$(cat -- "$1.code" 2>/dev/null || echo 0)"
"""
NO_BOOT = f"E   tests.lab.emulator.{BootError.__name__}: {NOT_BOOTED}: qemu: no memory\n1 error in 0.01s\n"
A_FAILURE = "E   AssertionError: 3 missing\n1 failed in 0.01s\n"


class Ci:
    """A copy of the script beside that ./dev."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
        (folder / "dev").write_text(DEV)
        (folder / "dev").chmod(0o755)

    def will(self, step: str, code: int, says: str = "") -> None:
        (self.root / f"{step}.code").write_text(f"{code}\n")
        (self.root / f"{step}.says").write_text(says)

    def run(self) -> tuple[int, list[str]]:
        """Its exit code, and what it called in which order."""
        self.done = subprocess.run([self.root / ".ci/run"], capture_output=True, text=True, timeout=30, check=False)
        return self.done.returncode, (self.root / "calls").read_text().split()


@pytest.fixture
def ci(tmp_path: Path) -> Ci:
    return Ci(tmp_path)


def test_all_well_is_said_last_by_the_lab(ci: Ci) -> None:
    ci.will("lab-1", 0, "9 passed in 1s\n")
    assert ci.run() == (0, ["lint", "test", "lab"])
    assert ci.done.stdout.endswith("9 passed in 1s\n")


@pytest.mark.parametrize("second", [0, 1])
def test_an_emulator_that_did_not_boot_is_given_one_more_chance(ci: Ci, second: int) -> None:
    ci.will("lab-1", 1, NO_BOOT)
    ci.will("lab-2", second, NO_BOOT if second else "9 passed in 1s\n")
    assert ci.run() == (second, ["lint", "test", "lab", "lab"])
    assert "ci: the lab's machine did not boot; once more" in ci.done.stderr


@pytest.mark.parametrize("says", [A_FAILURE, "the machine did not boot\n", f"assert said == '{NOT_BOOTED}'\n"])
def test_whatever_else_fails_has_failed(ci: Ci, says: str) -> None:
    ci.will("lab-1", 1, says)
    assert ci.run() == (1, ["lint", "test", "lab"])


def test_a_lab_that_passed_is_not_run_again_whatever_it_said(ci: Ci) -> None:
    ci.will("lab-1", 0, NO_BOOT)
    assert ci.run() == (0, ["lint", "test", "lab"])


@pytest.mark.parametrize("step", ["lint", "test"])
def test_the_lab_runs_also_when_something_before_it_failed_and_does_not_hide_it(ci: Ci, step: str) -> None:
    ci.will(step, 3)
    assert ci.run() == (3, ["lint", "test", "lab"])
