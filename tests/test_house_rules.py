"""Rules of the house that no single test would notice."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "blackbox_qt"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def nodes(kind: type[ast.AST]) -> Iterator[tuple[Path, ast.AST]]:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield path, node


def test_everything_but_the_window_imports_without_qt() -> None:
    wanted = [name(p) for p in modules() if "ui" not in p.relative_to(PACKAGE).parts[:1] and p.stem != "__main__"]
    code = f"""
import importlib, sys
for name in {wanted!r}:
    importlib.import_module(name)
loaded = [m for m in sys.modules if m.split('.')[0] in ('PySide6', 'shiboken6', 'qasync', 'PyQt5')]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_recorder_starts_without_what_only_faces_need() -> None:
    """Qt, the web, OpenCV and what signs are imported after the first fragment is on the disk."""
    code = """
import sys
import blackbox_qt.commands.run, blackbox_qt.app, blackbox_qt.sources.pattern, blackbox_qt.sources.videofile
late = {'cryptography', 'cv2', 'fastapi', 'starlette', 'uvicorn', 'PySide6', 'qasync', 'segno'}
assert not late & {m.split('.')[0] for m in sys.modules}, late & {m.split('.')[0] for m in sys.modules}
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_floors() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_threads_have_owners() -> None:
    """Only core/worker.py starts threads; nothing is a daemon; nothing sleeps."""
    bad = []
    for path, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        called = ast.unparse(node.func)
        starters = ("Thread", "ThreadPoolExecutor", "run_in_executor", "to_thread")
        if called.endswith(starters) and path.name != "worker.py":
            bad.append(f"{path}:{node.lineno} starts a thread")
        if called in ("time.sleep", "sleep"):
            bad.append(f"{path}:{node.lineno} sleeps")
        if any(k.arg == "daemon" for k in node.keywords):
            bad.append(f"{path}:{node.lineno} makes a daemon")
    assert not bad, bad


def test_errors_are_never_swallowed() -> None:
    """No empty except; a broad one only at a thread's or a visitor's door, and it says which."""
    bad = []
    for path, node in nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        line = path.read_text().splitlines()[node.lineno - 1]
        broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
        if all(isinstance(child, ast.Pass) for child in node.body):
            bad.append(f"{path}:{node.lineno} swallows")
        if broad and "door" not in line:
            bad.append(f"{path}:{node.lineno} is broad and does not say whose door it is")
    assert not bad, bad


def public_classes() -> list[tuple[Path, ast.ClassDef]]:
    return [
        (path, node)
        for path, node in nodes(ast.ClassDef)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def test_every_public_class_says_which_thread_may_call_it() -> None:
    exempt = re.compile(r"Error$|Config$")
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, node in public_classes()
        if not exempt.search(node.name) and "Threads:" not in (ast.get_docstring(node) or "")
    ]
    assert not silent, silent


def test_files_hold_one_idea_and_functions_can_be_read_at_once() -> None:
    long = [f"{p.relative_to(ROOT)}: {n} lines" for p in modules() if (n := len(p.read_text().splitlines())) > 320]
    for path, node in [*nodes(ast.FunctionDef), *nodes(ast.AsyncFunctionDef)]:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno > 50:
            long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not long, long


def test_one_pixel_format_table() -> None:
    """What others call our formats stands in core/layout.py only."""
    word = re.compile(r"""["']yuvj?4\d\dp["']|["']yuyv422["']""")
    allowed = {"layout.py", "videofile.py"}  # the decoder names formats that are not ours
    where = {p.name for p in modules() if word.search(p.read_text())}
    assert where <= allowed, where


def test_the_project_speaks_of_itself_alone() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    word = re.compile("/work" + "/|" + r"\.lib" + "rary/|" + "far" + "m-|pypi" + r"\.org|deb\.deb" + "ian")
    bad = []
    for line in tracked.stdout.split("\n"):
        path = ROOT / line
        if line and path.is_file() and path.suffix not in (".png", ".jpg", ".svg"):
            bad += [f"{line}: {found}" for found in word.findall(path.read_text(errors="replace"))]
    assert not bad, bad
