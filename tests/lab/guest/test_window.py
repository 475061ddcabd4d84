"""The window under a screen of its own, with two cameras; the picture of it is brought out of the machine."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.lab.guest.program import Program, small

SEEN = Path("/out/seen")
WIDTH, HEIGHT = 480, 288
QUICK = {"GALLIVM_PERF": "nopt", "LP_NUM_THREADS": "1"}
"""llvmpipe translates shaders for a processor that is itself translated: optimising them is slow."""


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A running X server: its DISPLAY and the file that holds what it shows."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", str(tmp_path),
               "-nolisten", "tcp", "-noreset"]  # fmt: skip
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb does not start"
        yield f":{number}", tmp_path / "Xvfb_screen0"
    finally:
        server.kill()
        server.wait()


def pixels(file: Path) -> np.ndarray:
    """What the screen shows, height x width x RGB; its file is an X window dump (X11/XWDFile.h)."""
    content = file.read_bytes()
    words = struct.unpack_from(">25I", content)
    header, line, colours = words[0], words[12], words[19]
    flat = np.frombuffer(content, np.uint8, HEIGHT * line, header + 12 * colours)
    return flat.reshape(HEIGHT, line)[:, : WIDTH * 4].reshape(HEIGHT, WIDTH, 4)[..., 2::-1]


@pytest.mark.timeout(600)
def test_the_window_shows_both_cameras(screen: tuple[str, Path], tmp_path: Path) -> None:
    display, file = screen
    cameras = ["--source", "front=picamera:Virtual0", "--source", "rear=picamera:Virtual1", *small("front", "rear")]
    size = ["--set", f"window.width={WIDTH}", "--set", f"window.height={HEIGHT}"]
    program = Program(tmp_path, *cameras, *size, env={"DISPLAY": display, **QUICK})
    try:
        program.until(lambda: shown(program) > 2, 400, "frames are drawn")
    finally:
        keep(file, program.log)
        code = program.stop()
    seen = np.asarray(Image.open(SEEN / "window.png"))
    assert code == 0, program.log
    assert len(np.unique(seen[:, : WIDTH // 2].reshape(-1, 3), axis=0)) > 50, "the window is empty: see window.png"


def keep(screen: Path, log: str) -> None:
    SEEN.mkdir(exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels(screen))).save(SEEN / "window.png")
    (SEEN / "window.log").write_text(log)


def shown(program: Program) -> int:
    return min(int(camera["display"]["shown"]) for camera in program.status()["cameras"])
