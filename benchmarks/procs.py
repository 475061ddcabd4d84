"""Other processes: what CPU they have used, how much memory they have, and how they are ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CPUCLOCK_SCHED = 2  # clock_getcpuclockid(3): the scheduler's own account of a process, all its threads, ns


class BenchmarkError(Exception):
    """A benchmark cannot be run here, or a run failed; one sentence."""


def cpu_ns(pid: int) -> int:
    """CPU time that a process and its living descendants have used, user and system, all threads, ns.

    The same account as utime + stime of /proc/PID/stat, which rounds to 10 ms. Raises BenchmarkError when it is gone.
    """
    try:
        return sum(time.clock_gettime_ns((~one << 3) | _CPUCLOCK_SCHED) for one in tree(pid))
    except OSError as error:
        raise BenchmarkError(f"process {pid} ended while it was being measured") from error


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def cpu_over(pid: int, seconds: float) -> tuple[float, float]:
    """CPU used in a window that begins now: (CPU s, wall s)."""
    began, used = time.monotonic_ns(), cpu_ns(pid)
    time.sleep(seconds)
    used, ended = cpu_ns(pid) - used, time.monotonic_ns()
    return used / 1e9, (ended - began) / 1e9


def memory_mb(pid: int) -> tuple[float, float]:
    """(RSS, PSS) in MB of 10^6 bytes, from smaps_rollup."""
    sizes = {}
    for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = text.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024 / 1e6
    return sizes["Rss"], sizes["Pss"]


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, patience_s: float = 8) -> int:
    """Ask a process to end, wait, kill it when it does not. Its exit code."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until(condition: object, seconds: float, what: str, step_s: float = 0.02) -> None:
    """Wait for `condition()`. Raises BenchmarkError that says `what` did not happen."""
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise BenchmarkError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(step_s)


def need(*programs: str) -> None:
    """Raises BenchmarkError naming what is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise BenchmarkError(f"{', '.join(missing)} not installed; ./dev bench installs what it needs")


def output_of(command: Sequence[str]) -> str:
    """Standard output of a command. Raises BenchmarkError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


@contextmanager
def screen(width: int = 1280, height: int = 800) -> Iterator[dict[str, str]]:
    """An Xvfb of our own; the environment for programs that shall use it."""
    need("Xvfb")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            display = answer.readline().strip()
        if not display:
            raise BenchmarkError("Xvfb does not start")
        environment = {k: v for k, v in os.environ.items() if k not in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
        yield {**environment, "DISPLAY": f":{display}"}
    finally:
        end(server)
