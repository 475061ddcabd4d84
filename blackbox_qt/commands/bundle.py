"""`blackbox-qt bundle`: everything about an incident in one folder, to be handed on."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from blackbox_qt.bundle import (
    Bundle,
    BundleError,
    CancelledError,
    Progress,
    Request,
    by_mark,
    by_time,
    by_trip,
    make_bundle,
)
from blackbox_qt.bundle.choose import Choice
from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library


def bundle(args: argparse.Namespace) -> int:
    """Make one. OK; DAMAGED when it was made and not everything in it is as it was recorded; USAGE when nothing is
    found; STORAGE when it cannot be written; INTERRUPTED when it was cancelled (Ctrl-C, SIGTERM)."""
    try:
        config = installed_configuration(args)
        data = args.path or config.storage.data.expanduser()
        root, choice = _chosen(args, data, config.time.zone)
    except (ConfigError, BundleError) as error:
        return _say(error, Exit.USAGE)
    except OSError as error:
        return _say(f"{args.path or 'the data folder'} cannot be read: {error.strerror}", Exit.USAGE)
    with _Cancelling() as cancelling:
        try:
            made = make_bundle(Request(root, choice, args.out, config.time.zone), _Meter().tell, cancelling.is_set)
        except CancelledError as error:
            return _say(error, Exit.INTERRUPTED)
        except BundleError as error:
            return _say(error, Exit.STORAGE)
    print("\n".join(_words(made)))
    return Exit.OK if made.result.ok else Exit.DAMAGED


def _say(error: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {error}", file=sys.stderr)
    return code


def _words(made: Bundle) -> list[str]:
    frames = sum(viewed.frames for viewed in made.facts.viewed)
    text = [*made.facts.troubles, made.facts.verdict_words]
    return [
        *text,
        f"{made.path}: {len(made.files)} files, {len(made.facts.segments)} segments, {frames} pictures to view",
    ]


def _chosen(args: argparse.Namespace, data: Path, zone: str) -> tuple[Path, Choice]:
    """The library that has what was asked for: recordings of cameras first. BundleError with words."""
    roots = [root for root in (data / "recordings", data / "demo") if root.is_dir()] or [data]
    errors = []
    for root in roots:
        if not root.is_dir():
            raise BundleError(f"{root} is not there; give the folder that holds the recordings.")
        library = Library(Disk(), root, SystemClock())
        library.load()
        try:
            return root, _choice(args, library, zone)
        except BundleError as error:
            errors.append(error)
    raise errors[0]


def _choice(args: argparse.Namespace, library: Library, zone: str) -> Choice:
    if args.mark is not None:
        return by_mark(library, args.mark)
    if args.trip is not None:
        return by_trip(library, args.trip)
    if args.since is None or args.until is None:
        raise BundleError("Say what to take: --mark ID, --trip N, or --from TIME and --to TIME.")
    return by_time(library, _utc_ns(args.since[0], zone), _utc_ns(args.until[0], zone), zone)


def _utc_ns(moment: datetime, zone: str) -> int:
    """A moment without a zone is one of the zone that times are shown in."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone)) if zone else moment.astimezone()
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


class _Meter:
    """Shows the progress: a line that changes on a terminal, else a line for each step.

    Threads: one.
    """

    def __init__(self) -> None:
        self._shown = ("", -1)
        self._live = sys.stderr.isatty()

    def tell(self, progress: Progress) -> None:
        percent = 100 * progress.done // max(1, progress.total)
        step = progress.step, percent if self._live else 0
        if step == self._shown:
            return
        if self._live:
            end = "\n" if percent == 100 else ""
            print(f"\r\x1b[K{progress.step}: {percent} %", end=end, file=sys.stderr, flush=True)
        else:
            print(progress.step, file=sys.stderr)
        self._shown = step


class _Cancelling:
    """Ctrl-C and SIGTERM end the work politely: what was made is removed.

    Threads: the main one.
    """

    def __enter__(self) -> threading.Event:
        asked = threading.Event()
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = [(number, signal.signal(number, lambda *_: asked.set())) for number in numbers]
        return asked

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)
