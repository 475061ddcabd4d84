"""Until the first fragment is on the disk nothing is imported that only a face needs: seconds on a cold card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LATE = {"PySide6", "shiboken6", "qasync", "cv2", "fastapi", "starlette", "uvicorn", "httptools", "segno"}

# The program itself, looked at in the moment in which it has recorded and begins with its faces.
PROGRAM = """
import os, sys
from blackbox_qt.__main__ import main
from blackbox_qt.commands import run

def faces(app, config, *_):
    durable = app.wait_first_durable(30)
    print("durable" if durable else "not durable", *sorted({name.split(".")[0] for name in sys.modules}), flush=True)
    os._exit(0)

run._faces = faces
main(sys.argv[1:])
"""


def loaded_at_the_first_fragment(folder: Path, *, before: str = "") -> list[str]:
    words = ["run", "--headless", "--source", "pattern:320x240@30", "--data", str(folder / "data"),
             "--host", "127.0.0.1", "--port", "0", "--no-auth",
             "--set", f"storage.state={folder / 'state'}"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-c", before + PROGRAM, *words],
        capture_output=True, text=True, timeout=50, check=True, cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return done.stdout.split()


def test_the_recorder_records_before_any_face_is_imported(tmp_path: Path) -> None:
    state, *modules = loaded_at_the_first_fragment(tmp_path)
    assert state == "durable"
    assert "av" in modules, "the list would not show what is loaded"
    assert not LATE & set(modules)
    assert list((tmp_path / "data").rglob("*.part")), "nothing was being recorded"


def test_it_would_be_noticed(tmp_path: Path) -> None:
    _, *modules = loaded_at_the_first_fragment(tmp_path, before="import segno\n")
    assert LATE & set(modules) == {"segno"}
