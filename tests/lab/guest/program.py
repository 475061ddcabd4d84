"""The program in the guest as a person starts it, what it says and what it left on the disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SMALL = ("width=320", "height=240", "fps=5")
"""What the emulated encoder keeps up with for three cameras at once."""
_RECORD_BOX = bytes.fromhex("f6e28f36758f4f07a1b5980f9b3dd07f")  # docs/FORMAT.md


def small(*cameras: str) -> list[str]:
    """Arguments that make these cameras small and slow."""
    settings = [f"camera.{camera}.{setting}" for camera in cameras for setting in SMALL]
    settings += ["record.bitrate_kbit=300", "stream.fps=2"]
    return [word for setting in settings for word in ("--set", setting)]


class Program:
    """A running blackbox-qt; its page is open to everybody in the guest."""

    def __init__(self, folder: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self._log = folder / "log"
        command = [sys.executable, "-m", "blackbox_qt", "run", "--data", str(self.data), "--host", "127.0.0.1"]
        command += ["--port", "0", "--no-auth", "--set", f"storage.state={folder / 'state'}", *args]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """What `condition` gives as soon as it gives something; fails with the log after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            assert self.process.poll() is None, f"{what}: the program ended with {self.process.poll()}\n{self.log}"
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.log}"
            time.sleep(0.2)

    def page(self) -> str:
        """Address of its page, once it is there."""
        return str(self.until(lambda: re.search(r"http://127\.0\.0\.1:\d+", self.log), 240, "page")[0])

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.page()}/api/v1/status", timeout=20) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def camera(self, name: str) -> dict[str, Any]:
        """The status of one camera."""
        found: dict[str, Any] = next(c for c in self.status()["cameras"] if c["name"] == name)
        return found

    def pictures(self, path: str, count: int) -> list[bytes]:
        """The first JPEGs of a stream, as any MJPEG client takes them."""
        found = []
        with urllib.request.urlopen(self.page() + path, timeout=30) as stream:
            while len(found) < count:
                length = 0
                while (line := stream.readline().strip()) or not length:
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                found.append(stream.read(length))
        return found

    def end(self) -> tuple[int, float]:
        """Ask for a polite end: exit code and seconds it took."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60), time.monotonic() - begin

    def stop(self) -> int:
        """Its exit code, whatever it takes to get one."""
        try:
            return self.end()[0]
        finally:
            self.process.kill()
            self.process.wait()


def check(*paths: Path) -> tuple[int, str]:
    """`blackbox-qt check`: exit code and what it said."""
    command = [sys.executable, "-m", "blackbox_qt", "check", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def records(data: Path, camera: str) -> list[dict[str, Any]]:
    """The record bodies of all of a camera's files in order, read as docs/FORMAT.md says, with no code of ours."""
    files = sorted(data.rglob(f"{camera}-*.mp4"))
    return [body for file in files for body in _bodies(file.read_bytes())]


def _bodies(content: bytes) -> Iterator[dict[str, Any]]:
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 24] == b"uuid" + _RECORD_BOX:
            yield json.loads(content[at + 56 : at + size])
        at += size


def numbers(bodies: list[dict[str, Any]]) -> list[int]:
    """The driver's number of every recorded picture."""
    fragments = [body for body in bodies if body["type"] == "fragment"]
    return [first + i for body in fragments for first, count in body["seq"] for i in range(count)]


def lost(bodies: list[dict[str, Any]]) -> int:
    """Pictures that the records say are missing."""
    return sum(sum(body["lost"].values()) for body in bodies if body["type"] == "fragment")


def driver_numbers(camera_id: str) -> list[int]:
    """What the driver of a `virtual` camera completed (shims/lab_camera.py)."""
    return [int(line) for line in Path(f"/run/lab/frames-{camera_id}").read_text().split()]


def openings(counted: list[int]) -> list[list[int]]:
    """Numbers split where they begin anew: every start of a camera counts from the beginning."""
    parts: list[list[int]] = []
    for number in counted:
        if not parts or number <= parts[-1][-1]:
            parts.append([])
        parts[-1].append(number)
    return parts
