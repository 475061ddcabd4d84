"""What every benchmark is given: how often, how long, where to work, and the pixels."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event

import av

from benchmarks.procs import BenchmarkError, need, output_of
from blackbox_qt.core.frame import Frame
from blackbox_qt.sources.pattern import PatternSource

ROOT = Path(__file__).parents[1]
FPS = 30
LOOP_FRAMES = 221
"""Frames of the road footage. A window that lasts one loop sees every picture once, wherever it begins."""
LOOP_S = LOOP_FRAMES / FPS
LOOPS = 2
_FRAMES = LOOPS * LOOP_FRAMES


@dataclass(frozen=True)
class Setup:
    """Threads: immutable, any."""

    runs: int  # rounds of each contender
    quick: bool  # one short run: shows that it works, measures little
    minutes: float  # of the memory benchmark
    work: Path  # for pixels (kept) and recordings (removed)

    def seconds(self, full: float, quick: float) -> float:
        """Length of a window, s."""
        return quick if self.quick else full

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for one run's recordings, on the disk where the repository is."""
        self.work.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def pixels(self, width: int, height: int) -> Path:
        """Raw Y4M of two loops (442 frames), 30 fps, made once; in the page cache on return."""
        self.work.mkdir(parents=True, exist_ok=True)
        road = road_footage()
        path = self.work / f"{'road' if road else 'pattern'}-{width}x{height}.y4m"
        if not path.exists():
            half = path.with_suffix(".half")
            print(f"making {path.name} in {self.work}, once ({_FRAMES * width * height * 1.5e-6:.0f} MB)")
            if road:
                _scale(road, half, width, height)
            else:
                print("no road footage (BLACKBOX_DATA): the painted pattern is used instead, which is easier to encode")
                _paint(half, width, height)
            half.rename(path)
        _read_once(path)
        return path


def road_footage() -> Path | None:
    """The road seen from a car, 960x540, if it is there."""
    folder = Path(os.environ.get("BLACKBOX_DATA") or ROOT.parent / "shared" / "data")
    path = folder / "road_540p25.mp4"
    return path if path.is_file() else None


def _header(width: int, height: int) -> bytes:
    """Nothing optional: GStreamer's y4mdec refuses the X… fields that ffmpeg writes."""
    return b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420mpeg2\n" % (width, height, FPS)


def _scale(road: Path, path: Path, width: int, height: int) -> None:
    need("ffmpeg")
    size = width * height * 3 // 2
    command = ["ffmpeg", "-v", "error", "-stream_loop", str(LOOPS - 1), "-i", str(road), "-an",
               "-vf", f"scale={width}:{height}:flags=bicubic,setpts=N/{FPS}/TB", "-r", str(FPS),
               "-frames:v", str(_FRAMES), "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]  # fmt: skip
    made = 0
    with open(path, "wb") as file, subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        file.write(_header(width, height))
        while len(frame := process.stdout.read(size)) == size:
            file.write(b"FRAME\n" + frame)
            made += 1
    if process.returncode or made != _FRAMES:
        raise BenchmarkError(f"{road.name}: {made} of {_FRAMES} frames could be scaled")


def _paint(path: Path, width: int, height: int) -> None:
    """The program's own pattern, in real time."""
    source = PatternSource("bench", 12, width, height, FPS)
    done, frames = Event(), count()
    with open(path, "wb") as file:
        file.write(_header(width, height))

        def write(frame: Frame) -> None:
            with frame:
                if next(frames) < _FRAMES:
                    file.write(b"FRAME\n")
                    file.writelines(plane.tobytes() for plane in frame.images["main"].planes())
                else:
                    done.set()

        source.open()
        source.start(write, lambda _: done.set())
        done.wait()
        source.stop()
        source.close()


def _read_once(path: Path) -> None:
    buffer = bytearray(1 << 22)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def versions() -> str:
    """What is compared, for the record."""
    lines = [f"PyAV {av.__version__} with libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"]
    for program, argument in (("ffmpeg", "-version"), ("gst-launch-1.0", "--version")):
        if shutil.which(program):
            lines.append(output_of([program, argument]).splitlines()[0].partition(" Copyright")[0])
    return "; ".join(lines)
