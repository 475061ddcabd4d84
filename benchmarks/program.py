"""The real program under measurement: started as a user would, asked over its own page, its files checked."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.procs import BenchmarkError, end, wait_until
from benchmarks.setup import ROOT
from blackbox_qt.storage.check import check_paths

LOCAL = ("--host", "127.0.0.1", "--port", "0", "--no-auth")
NO_PAGE = ("--set", "web.enabled=false")


class Program:
    """`python -m blackbox_qt run …` with a data folder of its own, until the `with` ends.

    Threads: one.
    """

    def __init__(self, data: Path, *arguments: str, env: Mapping[str, str] | None = None,
                 command: Sequence[str] = ("-m", "blackbox_qt")) -> None:  # fmt: skip
        self.data = data
        state = ("--set", f"storage.state={data / 'state'}")
        self._command = [sys.executable, "-P", *command, "run", "--data", str(data / "videos"), *state, *arguments]
        self._env = {**(os.environ if env is None else env), "PYTHONPATH": str(ROOT)}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Program:
        self.process = subprocess.Popen(
            self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        code = end(self.process)
        log = self.log()
        self._log.close()
        if code and kind is None:
            raise BenchmarkError(f"the program ended with exit code {code}: {log.strip()[-600:]}")

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """Everything it has said so far."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    def said(self, pattern: str, seconds: float = 15) -> str:
        """Wait for a line that matches; its first group. Raises BenchmarkError."""
        found: list[str] = []

        def look() -> bool:
            match = re.search(pattern, self.log())
            if match:
                found.append(match.group(1))
            elif self.process.poll() is not None:
                raise BenchmarkError(f"the program ended with {self.process.returncode}: {self.log().strip()[-600:]}")
            return bool(match)

        wait_until(look, seconds, f"a line with {pattern!r} in the program's log")
        return found[0]

    def recording(self) -> float:
        """Wait until the first fragment is safe. Seconds from the process's start, as the program says."""
        return float(self.said(r"first fragment safe ([\d.]+) s"))

    def port(self) -> int:
        """Wait until the page is ready; its port."""
        port = int(self.said(r"Page: http://[^:/]+:(\d+)/"))
        if "the page stopped" in self.log():
            raise BenchmarkError("the program's page stopped at once: " + self.said(r"the page stopped \((.{0,200})"))
        return port

    def status(self, port: int) -> dict[str, Any]:
        """The program's status."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=5) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def pause(self, port: int) -> None:
        """Stop recording for the rest of the run."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/recording",
            json.dumps({"recording": False, "minutes": 60}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()


@dataclass(frozen=True)
class Recorded:
    """What really is in the files.

    Threads: immutable, any.
    """

    frames: int
    times_ns: tuple[int, ...]  # boot clock, of every frame
    trouble: str  # missing frames, damage or a broken chain, in words; "" when all is as it should be

    def within(self, begin_ns: int, end_ns: int) -> int:
        """Frames whose time lies in a window of the boot clock."""
        return sum(begin_ns <= t < end_ns for t in self.times_ns)


def recorded(data: Path, fps: float) -> Recorded:
    """Verify a finished program's files: every number there, no time left out, every hash right."""
    result = check_paths([data / "videos"])
    times = tuple(t for report in result.segments for t in report.times_ns)
    trouble = list(result.errors)
    missing = sum(report.missing for report in result.segments)
    lost = sum((report.lost for report in result.segments), Counter[str]())
    if missing or lost:
        causes = ", ".join(f"{cause} {count}" for cause, count in lost.items() if count) or "nobody says why"
        trouble.append(f"{missing} frame numbers missing ({causes})")
    holes = [f"{(b - a) / 1e6:.0f} ms at {(a - times[0]) / 1e9:.1f} s" for a, b in itertools.pairwise(times)
             if b - a > 1.5e9 / fps]  # fmt: skip
    if holes:
        trouble.append("holes of " + ", ".join(holes[:5]))
    if not result.ok:
        trouble.append("the check found damage")
    return Recorded(result.frames, times, "; ".join(trouble))
