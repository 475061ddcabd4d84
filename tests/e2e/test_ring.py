"""The real program on a small real file system, until it has been recorded over several times."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from blackbox_qt.commands import Exit
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.segment import SegmentName
from tests.loopdisk import LoopDisk, MakeDisk, loop_disk

from .test_run import Program, Until

__all__ = ["loop_disk"]  # a fixture
ROUNDS = 3
KINDS = ["ext4", "vfat"]


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A film that cannot be made small: some megabytes a second, at little cost."""
    path = tmp_path / "noise.avi"
    chance = np.random.default_rng(1)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("rawvideo", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(30):
            grain = chance.integers(0, 256, (360, 320), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(grain, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


@pytest.fixture
def program(tmp_path: Path, noise: Path) -> Iterator[Callable[[LoopDisk], Program]]:
    running: list[Program] = []

    def begin(card: LoopDisk) -> Program:
        settings = ["storage.segment_s=2", "retention.low_mb=7", "retention.low_percent=0", "retention.high_mb=10",
                    "retention.high_percent=0", "record.bitrate_kbit=40000", "web.enabled=false",
                    f"storage.state={tmp_path / 'state'}"]  # fmt: skip
        args = [word for setting in settings for word in ("--set", setting)]
        running.append(Program(card.point / "data", "--headless", "--source", f"file:{noise}", *args))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def written(root: Path) -> int:
    """Bytes ever recorded: what is there, and what the journal tells of."""
    threading.Event().wait(0.2)  # the program needs the processor more
    folder = root / "000001"
    there = sum(found.size for found in Disk().look(folder)) if folder.is_dir() else 0
    return there + sum(entry.deletion.bytes for entry in journal(root).entries())


def journal(root: Path) -> Journal:
    return Journal(Disk(), root, SystemClock())


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", KINDS)
def test_a_small_card_is_recorded_over_several_times(
    kind: str, loop_disk: MakeDisk, program: Callable[[LoopDisk], Program], until: Until
) -> None:
    card = loop_disk(kind, 64)
    root = card.point / "data" / "demo"
    size = card.free()
    recorder = program(card)
    until(lambda: written(root) > ROUNDS * size or recorder.process.poll() is not None, 200)
    assert recorder.process.poll() is None, recorder.log
    assert recorder.end(signal.SIGTERM) == Exit.OK, recorder.log
    assert "Disk full" not in recorder.log and "fault" not in recorder.log, recorder.log
    there = sorted(int(file.stem[-5:]) for file in root.rglob("*.mp4"))
    told = [entry for entry in journal(root).entries() if entry.state == "done"]
    gone = [name.seq for entry in told if (name := SegmentName.parse(entry.deletion.what))]
    assert gone == list(range(1, there[0])) and there == list(range(there[0], there[-1] + 1)), "the oldest, all of them"
    assert not list(root.rglob("*.part")) and check_paths([root]).ok
