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
WIDTH, HEIGHT = 400, 240
QUICK = {"GALLIVM_PERF": "nopt", "LP_NUM_THREADS": "1", "LAB_PATIENT": "1"}
"""llvmpipe translates shaders for a processor that is itself translated: optimising them is slow. For the last one see
shims/lab_patience.py."""


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
def test_the_window_shows_both_cameras_and_the_strip(screen: tuple[str, Path], tmp_path: Path) -> None:
    display, file = screen
    cameras = ["--source", "front=picamera:Virtual0", "--source", "rear=picamera:Virtual1", *small("front", "rear")]
    # Without the page: it takes longer to import than the window, and the screen itself tells what is shown.
    size = ["--set", "web.enabled=false", "--set", f"window.width={WIDTH}", "--set", f"window.height={HEIGHT}"]
    program = Program(tmp_path, *cameras, *size, env={"DISPLAY": display, **QUICK})
    try:
        program.until(lambda: bars(pixels(file)) and lines(pixels(file)), 400, "both cameras are on the screen")
        program.until(lambda: red_dot(pixels(file)), 60, "the strip says that it records")
    finally:
        keep(file, program.log)
        code = program.stop()
    assert code == 0, program.log


def bars(screen: np.ndarray) -> bool:
    """The front camera's upright bars in their full colours, left of the buttons: black, blue, white, yellow."""
    row = screen[HEIGHT * 9 // 10, : WIDTH * 3 // 4].astype(int)
    pure = [tuple(pixel) for pixel in np.where(row > 200, 255, np.where(row < 40, 0, 128))]
    wide = {colour for colour in set(pure) if pure.count(colour) >= WIDTH // 20}
    return {(0, 0, 0), (0, 0, 255), (255, 255, 255), (255, 255, 0)} <= {tuple(map(int, colour)) for colour in wide}


def lines(screen: np.ndarray) -> bool:
    """The rear camera's slanting lines in its inset: black and white by turns downwards, where bars do not change."""
    column = screen[HEIGHT // 4 : HEIGHT * 2 // 5, WIDTH * 9 // 10].astype(int).mean(axis=1)
    return int((np.diff(column > 128) != 0).sum()) >= 3


def red_dot(screen: np.ndarray) -> bool:
    """In the strip at the top left: it records."""
    red, green, blue = screen[:40, :40].reshape(-1, 3).astype(int).T
    return int(((red > 200) & (green < 130) & (blue < 130)).sum()) > 50


def keep(screen: Path, log: str) -> None:
    SEEN.mkdir(exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels(screen))).save(SEEN / "window.png")
    (SEEN / "window.log").write_text(log)
