"""`./dev bench [NAME…]`: runs benchmarks, prints every figure with its spread, ends with one table."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Figure, line, table
from benchmarks.procs import BenchmarkError
from benchmarks.setup import ROOT, Setup, road_footage, versions

NAMES = {
    "publish": "a frame through hub and mailboxes, and whether its pixels are copied",
    "startup": "start to first fragment on the disk, and a cold start with everything on",
    "record": "CPU of recording 1080p30 beside ffmpeg and GStreamer",
    "whole": "CPU of recording and serving ten viewers beside one GStreamer pipeline",
    "mjpeg": "CPU per delivered picture, a slow reader, nobody watching",
    "latency": "frame to browser, frame to screen",
    "usb": "a USB camera's YUYV and JPEG to what is encoded",
    "library": "listing 10,000 segments, with and without what is known of them",
    "memory": "resident memory over time (--minutes)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 all targets met, 1 not all, 2 wrong use, 3 a benchmark could not run."""
    args = _parser().parse_args(argv)
    runs = 1 if args.quick else args.runs
    setup = Setup(runs, args.quick, args.minutes, args.work)
    _head(setup)
    figures: list[Figure] = []
    failed: list[str] = []
    for name in args.names or NAMES:
        print(f"\n{name}: {NAMES[name]}", flush=True)
        begin = time.monotonic()
        try:
            some = importlib.import_module(f"benchmarks.{name}").measure(setup)
        except BenchmarkError as error:
            failed.append(name)
            print(f"  {name} could not be measured: {error}", flush=True)
            continue
        figures += some
        print("\n".join(map(line, some)) + f"\n  ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"\n{table(figures)}")
    if failed:
        print(f"not measured: {', '.join(failed)}")
    if args.json:
        args.json.write_text(json.dumps(_report(setup, figures, failed), indent=1) + "\n")
    return 3 if failed else int(any(figure.state in ("NOT MET", "INVALID") for figure in figures))


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {name:8} {about}" for name, about in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description=f"What the program costs. All benchmarks, or those named:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help="which; all if none is named")
    parser.add_argument("--runs", type=_count, default=5, metavar="N", help="rounds per contender (default 5)")
    parser.add_argument("--quick", action="store_true", help="one short run: shows that it works, measures little")
    parser.add_argument("--minutes", type=float, default=2, metavar="MIN", help="length of memory, min (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, samples included")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "bench", metavar="DIR",
        help="for raw pixels (kept, 2 GB) and recordings (removed); default build/bench in the repository",
    )  # fmt: skip
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a whole number from 1")
    return int(text)


def _head(setup: Setup) -> None:
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}")
    print(f"Python {platform.python_version()}; {versions()}")
    print(f"footage: {'road' if road_footage() else 'the painted pattern (no road footage found, see BLACKBOX_DATA)'}")
    print(f"{setup.runs} rounds{', QUICK: figures mean little' if setup.quick else ''}; load before: {load:.2f}")
    if load > 0.5:
        print("other work is running: ratios are rough, absolute figures too high")


def _report(setup: Setup, figures: Sequence[Figure], failed: Sequence[str]) -> dict[str, object]:
    return {
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": versions(),
        "footage": "road" if road_footage() else "pattern",
        "runs": setup.runs,
        "quick": setup.quick,
        "not_measured": list(failed),
        "figures": [figure.as_dict() for figure in figures],
    }


if __name__ == "__main__":
    sys.exit(main())
