"""Tests that run in the guest appear here as tests of their own: guest/test_*.py is read, not imported.

All chosen tests of one file run in one pytest in the guest, because starting Python is slow there; its results are
then handed out to the items here.
"""

from __future__ import annotations

import ast
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.build import ROOT, LabError
from tests.lab.emulator import Machine

FILE_LIMIT_S = 900
TEST_LIMIT_S = 300


class GuestFile(pytest.File):
    """One test file of the guest's."""

    def collect(self) -> Iterator[GuestTest]:
        for name, line in test_names(self.path.read_text()):
            yield GuestTest.from_parent(self, name=name, line=line)


class GuestTest(pytest.Item):
    """One test function of the guest's, with all its parameters."""

    def __init__(self, *, line: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.line = line
        self.add_marker("lab")
        self.add_marker(pytest.mark.timeout(FILE_LIMIT_S + 300))

    def runtest(self) -> None:
        results = _results(self)
        mine = results.get(self.name)
        if mine is None:
            raise GuestFailure(f"it did not run; pytest in the guest said:\n{results['']}")
        if mine.startswith("skipped: "):
            pytest.skip(mine.removeprefix("skipped: "))
        if mine:
            raise GuestFailure(mine)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, GuestFailure | LabError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line, self.name


class GuestFailure(Exception):
    """What failed, in the guest's words."""


_RESULTS: pytest.StashKey[dict[Path, dict[str, str]]] = pytest.StashKey()


def test_names(source: str) -> list[tuple[str, int]]:
    """Test functions and "Class::method"s of a file, with their lines."""
    found: list[tuple[str, int]] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            found.append((node.name, node.lineno))
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name.startswith("test")]
            found += [(f"{node.name}::{method.name}", method.lineno) for method in methods]
    return found


test_names.__test__ = False  # type: ignore[attr-defined]


def _results(item: GuestTest) -> dict[str, str]:
    """Name of a test -> what is wrong with it, "" for nothing; under "" all that pytest said. Runs the file once."""
    known = item.session.stash.setdefault(_RESULTS, {})
    if item.path not in known:
        chosen = [i.name for i in item.session.items if isinstance(i, GuestTest) and i.path == item.path]
        known[item.path] = _run(item.config.stash[MACHINE](), item.path, chosen)
    return known[item.path]


MACHINE: pytest.StashKey[Any] = pytest.StashKey()
"""Gives the session's running machine, booted when first asked for."""


def _run(machine: Machine, file: Path, names: list[str]) -> dict[str, str]:
    inside = f"/project/{file.relative_to(ROOT)}"
    report = machine.out / f"{file.stem}.xml"
    command = ["python3", "-m", "pytest", "-p", "no:cacheprovider", "-o", f"timeout={TEST_LIMIT_S}", "-rA",
               f"--junitxml=/out/{report.name}", *(f"{inside}::{name}" for name in names)]  # fmt: skip
    passed_on = {name: os.environ[name] for name in ("BLACKBOX_PROVE",) if name in os.environ}
    done = machine.run(command, timeout=FILE_LIMIT_S, env=passed_on)
    results = {"": f"{done.output}\n(exit code {done.code})"}
    if report.exists():
        results |= outcomes(report.read_text())
    return results


def outcomes(xml: str) -> dict[str, str]:
    """pytest's JUnit report as name -> what is wrong; the parameters of one function are put together."""
    results: dict[str, list[str]] = {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        classes = [part for part in case.get("classname", "").split(".") if part.startswith("Test")]
        name = "::".join([*classes, case.get("name", "").partition("[")[0]])
        results.setdefault(name, []).append(_outcome(case))
    return {name: _together(said) for name, said in results.items()}


def _outcome(case: ElementTree.Element) -> str:
    bad = [part for part in case if part.tag in ("failure", "error")]
    if bad:
        spoken = [part.text for part in case if part.tag in ("system-out", "system-err") and part.text]
        return f"{case.get('name')}:\n" + "\n".join([part.text or part.get("message", "") for part in bad] + spoken)
    skipped = case.find("skipped")
    return "" if skipped is None else f"skipped: {skipped.get('message', '')}"


def _together(said: list[str]) -> str:
    bad = [words for words in said if words and not words.startswith("skipped: ")]
    if bad:
        return "\n".join(bad)
    return said[0] if all(said) else ""
