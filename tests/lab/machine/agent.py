"""Runs in the guest: takes commands from the host, one JSON object a line, and says how each ended.

    host:  {"argv": [...], "log": "/out/run-1.log", "timeout": 60, "env": {...}, "cwd": "/project"}
    guest: {"code": 0}            after {"ready": 1} once

A negative code is the signal that ended the command; null means that its time was over and it was killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PORT = "blackbox.lab"


def port() -> int:
    """The virtio port that leads to the host."""
    for _ in range(200):
        for entry in Path("/sys/class/virtio-ports").glob("*"):
            if (entry / "name").read_text().strip() == PORT:
                return os.open(f"/dev/{entry.name}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.05)
    raise SystemExit(f"lab: there is no virtio port called {PORT}")


def lines(fd: int) -> Iterator[bytes]:
    waiting = b""
    while True:
        select.select([fd], [], [])
        data = os.read(fd, 65536)
        if not data:  # the host has hung up; it may come again
            time.sleep(0.05)
            continue
        *whole, waiting = (waiting + data).split(b"\n")
        yield from whole


def obey(order: dict[str, Any]) -> int | None:
    with open(order["log"], "wb") as log:
        process = subprocess.Popen(
            order["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **order["env"]},
            cwd=order["cwd"],
            start_new_session=True,
        )
        try:
            return process.wait(order["timeout"])
        except subprocess.TimeoutExpired:
            return None
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of a command outlives it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def main() -> None:
    fd = port()
    os.write(fd, b'{"ready": 1}\n')
    for line in lines(fd):
        order = json.loads(line)
        if order.get("end"):
            return
        try:
            answer: dict[str, Any] = {"code": obey(order)}
        except OSError as error:
            answer = {"code": 127, "words": str(error)}
        os.write(fd, json.dumps(answer).encode() + b"\n")


main()
