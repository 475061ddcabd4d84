"""What a delivered picture costs, how old a slow reader's pictures are, and that nobody watching costs nothing."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.procs import cpu_ns
from benchmarks.program import LOCAL, Program
from benchmarks.setup import FPS, LOOP_S, Setup
from benchmarks.viewers import Viewers

MANY = 60
SLOW_RATE = 300_000
_WARM_S = 3.0
_QUALITY = 97  # makes 60 kB of a small picture, which costs little to record: less to subtract, less noise


def measure(setup: Setup) -> list[Figure]:
    """Sixty viewers against one in the same process; then a slow reader; then nobody."""
    source = setup.pixels(640, 360)
    quality = ("--set", f"stream.quality={_QUALITY}")
    with setup.folder() as data, Program(data, "--headless", *LOCAL, *quality, "--source", f"file:{source}") as program:
        port = program.port()
        program.pause(port)  # the encoder runs on, its packets go nowhere: the same with one viewer and with sixty
        time.sleep(_WARM_S)
        figures = _cost(setup, program, port)
        figures += _slow(setup, port)
    return figures + _nobody(setup)


def _cost(setup: Setup, program: Program, port: int) -> list[Figure]:
    each, size, trouble = [], [], ""
    with Viewers(port, 1) as one:
        for number in range(setup.runs):
            alone_us, _, _, _ = _window(setup, program, one)
            with Viewers(port, MANY - 1) as others:
                time.sleep(1.0)
                busy_us, frames, sizes, wall = _window(setup, program, others)
            wanted = (MANY - 1) * FPS * wall
            if frames < 0.97 * wanted:
                trouble = f"{frames} of {wanted:.0f} pictures arrived"
            each.append((busy_us - alone_us) * wall / max(1, frames))
            size.append(sizes / max(1, frames) / 1000)
            print(f"  round {number + 1}: {alone_us / 1e4:.1f} % of a core with one viewer, {busy_us / 1e4:.1f} % with "
                  f"{MANY}; {frames} more pictures of {size[-1]:.1f} kB", flush=True)  # fmt: skip
    return [
        Figure(f"mjpeg: CPU per delivered picture, {MANY} viewers", tuple(each), "us", 35, trouble=trouble),
        Figure("mjpeg: size of a picture", tuple(size), "kB"),
    ]


def _window(setup: Setup, program: Program, viewers: Viewers) -> tuple[float, int, int, float]:
    """(server's CPU in us per s, pictures, bytes, wall s) of one loop of the footage."""
    viewers.look()
    began, used = time.monotonic(), cpu_ns(program.pid)
    time.sleep(setup.seconds(LOOP_S, 2))
    used = cpu_ns(program.pid) - used
    wall = time.monotonic() - began
    seen = viewers.look()
    return used / 1000 / wall, seen.total, seen.bytes, wall


def _slow(setup: Setup, port: int) -> list[Figure]:
    oldest, rates = [], []
    with Viewers(port, 1, rate=SLOW_RATE) as reader:
        time.sleep(_WARM_S)
        for _ in range(setup.runs):
            reader.look()
            seconds = setup.seconds(5, 3)
            time.sleep(seconds)
            seen = reader.look()
            oldest.append(max(seen.ages_ms, default=float("inf")) / 1000)
            rates.append(seen.total / seconds)
    return [
        Figure("mjpeg: oldest picture, reader of 300 kB/s", tuple(oldest), "s", 0.7, worst=True),
        Figure("mjpeg: pictures per second it gets", tuple(rates), "/s"),
    ]


def _nobody(setup: Setup) -> list[Figure]:
    """Pictures made with no viewer, by the status; small ones by whether OpenCV, which makes them, was ever loaded.

    Control: with a viewer both are seen.
    """
    source = setup.pixels(1920, 1080)
    with setup.folder() as data, Program(data, "--headless", *LOCAL, "--source", f"file:{source}") as program:
        port = program.port()
        time.sleep(_WARM_S)
        jpegs, small = _made(program, port)
        with Viewers(port, 1):
            time.sleep(2)
            control = _made(program, port)
    blind = "" if control[0] and control[1] else "with a viewer none was seen either"
    print(f"  nobody: {jpegs} JPEG, OpenCV loaded: {bool(small)}; one viewer: {control[0]} JPEG, {bool(control[1])}")
    return [
        Figure("mjpeg: JPEGs made for nobody", (float(jpegs),), "", 0, trouble=blind),
        Figure("mjpeg: small pictures made for nobody (0: scaler never loaded)", (float(small),), "", 0, trouble=blind),
    ]


def _made(program: Program, port: int) -> tuple[int, int]:
    jpegs = program.status(port)["cameras"][0]["stream"]["frames"]
    return jpegs, int("/cv2" in Path(f"/proc/{program.pid}/maps").read_text())
