"""Runs the program's own App on this machine for a while, first unwatched, then with one viewer, and measures it."""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackbox_qt.app import App
from blackbox_qt.config import Config
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.machine import Machine
from blackbox_qt.doctor.mounts import existing
from blackbox_qt.doctor.power import hottest_c
from blackbox_qt.doctor.threads import cpu_ns
from blackbox_qt.doctor.timing import TimingDisk
from blackbox_qt.sources import SourceError
from blackbox_qt.web.listen import listen

SETTLE_S = 3.0
_START_S = 20.0  # a camera stack's first import from a cold card
_PATIENCE_S = 30.0
_MB = 1e6


class BenchError(Exception):
    """It cannot be measured; one sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the measurement.

    Threads: immutable, any.
    """

    name: str  # unwatched | watched
    seconds: float
    cpu_percent: dict[str, float]  # of one core, by thread
    rss_mb: float  # MB of 10^6 bytes
    pss_mb: float
    frames: int  # from all cameras
    lost: dict[str, int]  # by cause
    to_disk_ms: tuple[float, ...]  # sensor to the sync that made it safe, a sample a frame
    to_viewer_ms: tuple[float, ...]  # sensor to the last byte at the viewer
    converted: int  # pictures copied on their way to the encoder because it cannot take the camera's format


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it.

    Threads: immutable, any.
    """

    cameras: tuple[str, ...]  # in words
    parts: tuple[Part, ...]
    small_given: bool  # the camera itself gives the small picture that viewers see
    celsius: tuple[float | None, float | None]  # before and after


def measure(config: Config, seconds: float, machine: Machine, say: Callable[[str], None]) -> Measured:
    """Both parts. Raises BenchError, SourceError, StorageError."""
    pause = threading.Event().wait
    with ExitStack() as stack:
        quiet = _alone(config, stack.enter_context(folder_beside(config.storage.data.expanduser().absolute())))
        disk = TimingDisk(machine.clock)
        app = App(quiet, machine.clock, disk)
        for camera in app.cameras.values():
            camera.add_outlet(disk.note)
        before = hottest_c(Case(machine))
        stack.enter_context(app)
        _recording(app)
        say(f"recording; {seconds:.0f} s with nobody watching")
        pause(SETTLE_S)
        gauge = _Gauge(app, disk, machine.clock)
        unwatched = gauge.part("unwatched", lambda: _waited(pause, seconds))
        say(f"{seconds:.0f} s with one viewer")
        with _page(app, quiet) as port:
            watched = gauge.part("watched", lambda: _viewed(port, seconds, pause, gauge.restart))
        devices = tuple(f"{each.name}: {each.device} {each.width}x{each.height}" for each in app.status().cameras)
        return Measured(devices, (unwatched, watched), _small_given(app), (before, hottest_c(Case(machine))))


def _alone(config: Config, data: Path) -> Config:
    """The same cameras and settings, with files of its own and a page that only this machine sees."""
    web = config.web.model_copy(update={"enabled": True, "host": "127.0.0.1", "port": 0, "auth": False})
    storage = config.storage.model_copy(update={"data": data, "state": data})
    return config.model_copy(update={"web": web, "storage": storage})


@contextmanager
def folder_beside(data: Path) -> Iterator[Path]:
    """A folder on the same file system as `data`, gone afterwards. Raises BenchError."""
    place = existing(Machine(), data)
    above = place.parent
    same = place == data and above.stat().st_dev == place.stat().st_dev
    try:
        made = Path(tempfile.mkdtemp(prefix=".blackbox-bench-", dir=above if same else place))
    except OSError as error:
        words = "run it as the recorder's user or as root, or name another folder with --set storage.data=DIR"
        raise BenchError(f"no folder can be made in {above if same else place} ({error.strerror}); {words}") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _recording(app: App) -> None:
    """Wait until all cameras record. Raises SourceError."""
    if app.wait_first_durable(_START_S):
        return
    refused = app.refused()
    if refused is not None:
        raise refused
    raise SourceError(app.status().words or f"not every camera began to record within {_START_S:.0f} s")


def _waited(pause: Callable[[float], object], seconds: float) -> tuple[float, ...]:
    pause(seconds)
    return ()


def _viewed(
    port: int, seconds: float, pause: Callable[[float], object], restart: Callable[[], None]
) -> tuple[float, ...]:
    """Ages of the pictures that a viewer got; the gauge begins when the stream has settled. Raises BenchError."""
    command = [sys.executable, "-m", "blackbox_qt.doctor.viewer", str(port), "/video_feed", str(SETTLE_S), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        try:
            if select.select([viewer.stdout], [], [], _PATIENCE_S)[0]:
                viewer.stdout.readline()
            pause(SETTLE_S)
            restart()
            out, err = viewer.communicate(timeout=seconds + _PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise BenchError("the viewer did not end; the page may be stuck") from None
        finally:
            viewer.kill()  # harmless for one that has ended
    if viewer.returncode:
        raise BenchError(f"the viewer failed: {err.decode(errors='replace').strip().rpartition(chr(10))[2]}")
    answer: dict[str, Any] = json.loads(out)
    return tuple(answer["ages_ms"])


@contextmanager
def _page(app: App, config: Config) -> Iterator[int]:
    """The page on a free port of this machine's own."""
    from blackbox_qt.web.server import Server

    with listen(config.web) as listener, Server(app, config, listener):
        yield listener.port


class _Gauge:
    """Reads the counters before and after a part.

    Threads: one.
    """

    def __init__(self, app: App, disk: TimingDisk, clock: Clock) -> None:
        self._app, self._disk, self._clock = app, disk, clock
        self.restart()

    def restart(self) -> None:
        """The part begins now."""
        self._disk.take()
        self._began_ns, self._cpu = self._clock.boot_ns(), cpu_ns()
        self._frames, self._lost, self._converted = self._counters()

    def part(self, name: str, run: Callable[[], tuple[float, ...]]) -> Part:
        """Let it run, and tell what it cost."""
        self.restart()
        seen = run()
        took_ns = self._clock.boot_ns() - self._began_ns
        cpu = cpu_ns() - self._cpu
        frames, lost, converted = self._counters()
        rss, pss = memory_mb()
        return Part(
            name, took_ns / NS, {thread: 100 * used / took_ns for thread, used in cpu.most_common()}, rss, pss,
            frames - self._frames, dict(lost - self._lost), tuple(self._disk.take()), seen,
            converted - self._converted,
        )  # fmt: skip

    def _counters(self) -> tuple[int, Counter[str], int]:
        cameras = self._app.status().cameras
        lost: Counter[str] = sum((Counter(camera.lost) for camera in cameras), Counter())
        sources = [camera.care.source for camera in self._app.cameras.values()]
        return sum(camera.frames for camera in cameras), lost, sum(getattr(s, "converted", 0) for s in sources)


def _small_given(app: App) -> bool:
    """Whether the first camera's hardware gives the small picture."""
    camera = next(iter(app.cameras.values()))
    box = camera.hub.attach("bench")
    try:
        frame = box.take(2.0)
        if frame is None:
            return False
        with frame:
            return frame.images.given("lores") is not None
    finally:
        camera.hub.detach(box)


def memory_mb() -> tuple[float, float]:
    """(RSS, PSS) of this process, MB of 10^6 bytes; smaps_rollup of proc(5)."""
    sizes: dict[str, float] = {}
    for text in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = text.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024 / _MB
    return sizes["Rss"], sizes["Pss"]
