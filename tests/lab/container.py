"""A container in which systemd boots, for the machine type of this PC: quick, but without devices of its own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.lab.build import LabError, cache

BOOT_LIMIT_S = 60.0
END_LIMIT_S = 60.0


class Container:
    """systemd-nspawn: boots on entry, is gone on exit; `root` keeps what is written.

    The network is the PC's. /out in there is the folder `out` here.

    Threads: one owner.
    """

    def __init__(self, root: Path, out: Path) -> None:
        self.out = out
        self._console = cache() / "console-container"
        self._command = [
            "setpriv", "--pdeathsig", "KILL",  # it goes with us, however we go
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=copy-host",
            f"--directory={root}", "--machine=blackbox-lab", f"--bind={out}:/out", "--boot",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0  # the number that its PID 1 has here

    def __enter__(self) -> Self:
        # Debian 12's own hierarchy may still be the old one, which trixie's systemd does not take.
        env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with open(self._console, "wb") as console:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=env, start_new_session=True
            )
        try:
            self._wait_for_systemd()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def run(self, argv: list[str], timeout: float) -> tuple[int, str]:
        """Run one command in there, as root: its exit code and what it said. Raises subprocess.TimeoutExpired."""
        enter = [
            "nsenter",
            f"--target={self._first}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--root",
            "--wdns=/",
        ]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
                 "DEBIAN_FRONTEND=noninteractive"]  # fmt: skip
        done = subprocess.run(
            [*enter, *clean, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def wait(self) -> None:
        """Until it has switched itself off."""
        assert self._process is not None
        self._process.wait(END_LIMIT_S)

    def _wait_for_systemd(self) -> None:
        assert self._process is not None
        end = time.monotonic() + BOOT_LIMIT_S
        while time.monotonic() < end and self._process.poll() is None:
            self._first = self._first or _init_of(self._process.pid)
            if self._first and self.run(["systemctl", "show", "--property=Version"], 20)[0] == 0:
                return
            time.sleep(0.2)
        raise LabError(f"lab: the container did not boot:\n{self._console.read_text(errors='replace')[-3000:]}")

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # nspawn asks systemd to end
            try:
                self._process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._process is not None:
            self._process.wait()


def _init_of(process: int) -> int:
    """The descendant that is PID 1 where it lives; 0: not there yet."""
    for child in _children(process):
        numbers = next((line for line in _status(child) if line.startswith("NSpid:")), "NSpid: 0").split()[1:]
        found = child if len(numbers) > 1 and numbers[-1] == "1" else _init_of(child)
        if found:
            return found
    return 0


def _children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def _status(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return []
