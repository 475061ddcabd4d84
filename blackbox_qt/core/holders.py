"""Which programs have a device open: "in use" helps nobody, "in use by motion (pid 812)" does."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has one of the asked files open.

    Threads: immutable, any.
    """

    pid: int
    name: str  # as the kernel calls it, at most 15 letters; "?" when it went away meanwhile


def who_holds(paths: Iterable[str | Path], proc: Path = Path("/proc")) -> list[Holder]:
    """The processes that have one of `paths` open, by pid; this one too, if it has.

    Those of other users are seen by root only; for everybody else they are missing here. Takes some milliseconds.

    Threads: any.
    """
    wanted = {os.path.realpath(path) for path in paths}
    pids = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())
    return [Holder(pid, _name(proc / str(pid))) for pid in pids if _has_open(proc / str(pid) / "fd", wanted)]


def in_words(holders: Iterable[Holder]) -> str:
    """Such as "motion (pid 812) and vlc (pid 90)"; "another program" when none is known.

    Threads: any.
    """
    names = [f"{holder.name} (pid {holder.pid})" for holder in holders]
    return " and ".join(names) if names else "another program"


def _has_open(folder: Path, wanted: set[str]) -> bool:
    try:
        numbers = os.listdir(folder)
    except OSError:  # it has ended, or is somebody else's
        return False
    return any(_target(folder / number) in wanted for number in numbers)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(errors="replace").strip() or "?"
    except OSError:
        return "?"
