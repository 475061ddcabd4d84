"""What the host asks of the guest for the power cuts: `record SECONDS`, later `inspect FOLDER`. Answers in JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.guest.program import small

SYNCS = Path("/out/syncs.jsonl")
CAMERAS = {"front": "picamera:Virtual0", "rear": "picamera:Virtual1"}


def record(seconds: str) -> dict[str, Any]:
    """Record onto the disk whose writes the host sees; marks go to its last MB, which is not the file system's."""
    disk = data_disk()
    marks = int(Path(f"/sys/class/block/{Path(disk).name}/size").read_text()) * 512 - (1 << 20)
    env = {**os.environ, "LAB_SYNCS": str(SYNCS), "LAB_MARKS": f"{disk}:{marks}"}
    with mounted(disk, "nodiscard") as folder:
        sources = [word for name, spec in CAMERAS.items() for word in ("--source", f"{name}={spec}")]
        command = [sys.executable, "-m", "blackbox_qt", "run", "--headless", "--data", str(folder / "car"), *sources]
        command += [*small(*CAMERAS), "--set", "web.enabled=false", "--set", "storage.segment_s=4"]
        command += ["--set", "storage.state=/tmp/power-cut", "--duration", seconds]
        done = subprocess.run(command, env=env, check=False)
    return {"code": done.returncode}


def inspect(folder: str) -> list[dict[str, Any]]:
    """Mount each disk image as it is, let the kernel mend it, and see what `check` says of the recordings on it, before
    and after the program's own healing."""
    return [{"image": image.name, **look(image)} for image in sorted(Path(folder).glob("*.img"))]


def look(image: Path) -> dict[str, Any]:
    with mounted(str(image), "loop") as folder:
        before = checked(folder / "car")
        healed = heal(folder / "car")
        return {**before, "healed": healed, "after": checked(folder / "car")}


def checked(data: Path) -> dict[str, Any]:
    """What `check` says, and how much of each file is whole."""
    from blackbox_qt.__main__ import main
    from blackbox_qt.storage.check import check_paths

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["check", str(data)])
    whole = {}
    for report in check_paths([data]).segments:
        name = report.path.relative_to(data).as_posix().removesuffix(".part").removesuffix(".mp4")
        whole[name] = report.path.stat().st_size - report.torn_bytes
    parts = [path.name for path in data.rglob("*.part")]
    return {"code": code, "said": said.getvalue(), "whole": whole, "parts": parts}


def heal(data: Path) -> list[str]:
    """As the next start does; one line for each file."""
    from blackbox_qt.core.clock import SystemClock
    from blackbox_qt.storage.disk import Disk
    from blackbox_qt.storage.healing import Healer
    from blackbox_qt.storage.healing_round import heal_library

    root = data / "recordings"
    return [one.words for one in heal_library(Disk(), root, (), Healer(Disk(), root, SystemClock(), "the lab"))]


def data_disk() -> str:
    found = [p.parent.name for p in Path("/sys/block").glob("*/serial") if p.read_text().strip() == "data"]
    return f"/dev/{found[0]}"


@contextmanager
def mounted(what: str, options: str) -> Iterator[Path]:
    folder = Path("/mnt/disk")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", options, what, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


if __name__ == "__main__":
    answer: object = {"record": record, "inspect": inspect}[sys.argv[1]](sys.argv[2])
    print("ANSWER", json.dumps(answer))
