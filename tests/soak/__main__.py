"""`./dev soak`: a day and a night of recording in minutes, with everything that happens to a box, and what is left."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

from blackbox_qt.commands.run import SWITCH_INTERVAL_S
from blackbox_qt.core.heap import keep_pictures
from blackbox_qt.storage.check import check_paths

from .disk import small_disk
from .figures import HEAD, WORDS, Sample, descriptors, heap_mb, memory_mb, row, slope, threads, verdict
from .plan import EVERY_S, events
from .stage import Stage

SAMPLE_S = 600.0
SETTLE_S = 3.0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 all is as it should be, 1 it is not."""
    args = _parser().parse_args(argv)
    logging.basicConfig(filename=args.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # the small disk must be unmounted
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_pictures()
    begin = time.monotonic()
    with small_disk(args.disk_mb) as disk:
        where = "an ext4 image" if not disk.room else "a folder"
        print(
            f"{args.hours:g} h of {args.cameras} cameras at {args.fps:g} fps onto {where} of {args.disk_mb} MB\n{HEAD}"
        )
        stage = Stage(disk, args.cameras, args.fps)
        with stage:
            samples = soak(stage, args.hours * 3600)
        bad = verdict(samples) + ended(stage)
    for what in WORDS:
        line = slope(samples, what)
        print(f"{what}: {line.per_hour:+.3f} ± {line.error:.3f} per recorded hour, {line.rise:+.2f} over the run")
    print(f"{time.monotonic() - begin:.0f} s")
    well = "All is well: nothing grows, every missing frame has a cause."
    print("\n".join(f"NOT WELL: {words}" for words in bad) or well)
    return int(bool(bad))


def soak(stage: Stage, seconds: float) -> list[Sample]:
    """Record for so long; what was measured at quiet moments."""
    samples: list[Sample] = []
    plan, began = events(), time.monotonic()
    start = stage.clock.boot_ns()
    next_event, next_sample, next_row = EVERY_S / 2, SAMPLE_S, 3600.0

    def now() -> float:
        return (stage.clock.boot_ns() - start) / 1e9

    while now() < seconds:
        stage.run(min(SAMPLE_S / 10, seconds - now()))
        if now() >= next_event:
            next(plan)(stage)
            next_event = now() + EVERY_S
        if now() >= next_sample:
            samples.append(sample(stage, now(), began))
            next_sample = now() + SAMPLE_S
            if now() >= next_row:
                print(row(samples[-1]), flush=True)
                next_row += 3600
    if samples:
        print(row(samples[-1]), flush=True)
    return samples


def sample(stage: Stage, seconds: float, began: float) -> Sample:
    """When what is under way has come to rest."""
    stage.run(SETTLE_S)
    settled = time.monotonic() + 5
    while any(c.hub.holders().get("encoder") for c in stage.app.cameras.values()) and time.monotonic() < settled:
        stage._pause.wait(0.001)
    states = [camera.status() for camera in stage.app.cameras.values()]
    return Sample(
        hours=seconds / 3600,
        memory_mb=memory_mb(),
        heap_mb=heap_mb(),
        blocks=sys.getallocatedblocks(),
        descriptors=descriptors(stage.disk.root),
        threads=threads(),
        expected=sum(source.numbered for source in stage.sources.values()),
        recorded=sum(state.recording.frames for state in states),
        lost=sum((Counter(state.lost) for state in states), Counter[str]()),
        in_flight=sum(state.recording.queue_frames for state in states),
        segments=len(list(stage.disk.root.rglob("*.mp4"))),
        speed=seconds / (time.monotonic() - began),
    )


def ended(stage: Stage) -> list[str]:
    """After the end: what is on the disk is as it was recorded, and what is missing in it has a cause."""
    bad = [] if stage.app.stopped_well else ["it did not end well"]
    found = check_paths([stage.disk.root])
    print(f"check: {len(found.segments)} files, {found.frames} frames, lost {dict(found.lost)}, ok {found.ok}")
    if not found.ok:
        bad.append("check finds damage")
        bad += [f"  {r.path.name}: {r.state}" for r in found.segments if not r.ok][:5]
        bad += [f"  {note.path.name}: {note.words}" for note in found.chain if note.bad][:5]
    if found.unexplained:
        bad.append(f"{found.unexplained} frames are missing in the files without a recorded cause")
        bad += [f"  {report.path.name}: {report.missing} in it" for report in found.segments if report.missing > 50][:5]
        bad += [f"  {note.path.name}: {note.words}" for note in found.chain if "frames" in note.words][:5]
    states = [camera.status() for camera in stage.app.cameras.values()]
    lost = sum(count for state in states for count in state.lost.values())
    missing = sum(s.numbered for s in stage.sources.values()) - sum(s.recording.frames for s in states) - lost
    if missing:
        bad.append(f"{missing} frames are missing after the end without a cause")
    return bad


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="of recorded time (24)")
    parser.add_argument("--cameras", type=int, default=2, choices=range(1, 5), help="(2)")
    parser.add_argument("--fps", type=float, default=10, help="of each; more takes longer (10)")
    parser.add_argument("--disk-mb", type=int, default=112, help="size of the small disk (112)")
    parser.add_argument("--log", default="/dev/null", help="where the program's log goes (nowhere)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
