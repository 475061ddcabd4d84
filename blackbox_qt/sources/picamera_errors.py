"""What goes wrong in libcamera and Picamera2, in sentences that say what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from blackbox_qt.core.holders import Holder, in_words, who_holds
from blackbox_qt.sources.source import SourceError

NOT_INSTALLED = (
    "Picamera2 is not installed for this Python; install it with `sudo apt install python3-picamera2` "
    "(a virtual environment sees it only if made with --system-site-packages)"
)
_SENTENCES = (  # part of the error's text -> sentence about {device}
    ("Cannot allocate memory", "the memory for camera pictures (CMA) does not suffice for {device}; lower its width, "
     "height or buffers, or raise cma in /boot/firmware/config.txt"),
    ("dmaHeap", "the kernel has no memory heap for {device} (/dev/dma_heap); use Raspberry Pi OS's kernel"),
    ("Permission denied", "{device} may not be opened by this user; run `sudo usermod -aG video $USER`, log in again"),
    ("No such device", "{device} has gone; check its cable"),
    ("Failed to allocate", "the memory for camera pictures does not suffice for {device}; lower its width, height or "
     "buffers"),
)  # fmt: skip


def explain(error: BaseException, device: str, holders: Callable[[], list[Holder]] | None = None) -> SourceError:
    """What `error` of the camera stack means for `device`; `holders` tells who has it, where that is the matter.

    Threads: any.
    """
    if isinstance(error, SourceError):
        return error
    texts = [str(link) for link in _chain(error)]
    whole = " / ".join(texts)
    if "resource busy" in whole or "in use by another" in whole:
        return SourceError(f"{device} is in use by {in_words((holders or lock_holders)())}; end that program")
    for part, sentence in _SENTENCES:
        if part in whole:
            return SourceError(sentence.format(device=device))
    last = texts[-1].replace("\n", " ") or type(error).__name__
    return SourceError(f"{device} cannot be used ({last})")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from: Picamera2 wraps libcamera's several times."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def lock_holders(proc: Path = Path("/proc"), dev: Path = Path("/dev")) -> list[Holder]:
    """The programs that have cameras reserved: libcamera locks the media devices of those in use.

    Having one of them open is not enough, every program that lists cameras does; so /proc/locks is asked first, which
    also tells of other users' programs. This process is left out.

    Threads: any.
    """
    media = sorted(dev.glob("media*"))
    holders = [Holder(pid, _name(proc, pid)) for pid in sorted(set(_lockers(media, proc))) if pid != os.getpid()]
    return holders or [h for h in who_holds(media, proc) if h.pid != os.getpid()]


def _lockers(files: Iterable[Path], proc: Path) -> Iterator[int]:
    """Process numbers in /proc/locks with a POSIX lock on one of `files`, see proc_locks(5)."""
    wanted = set()
    for file in files:
        there = os.stat(file)
        wanted.add((os.major(there.st_dev), os.minor(there.st_dev), there.st_ino))
    try:
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == "POSIX":  # "->" there is one who waits
            major, minor, inode = fields[5].split(":")
            if (int(major, 16), int(minor, 16), int(inode)) in wanted and int(fields[4]) > 0:
                yield int(fields[4])


def _name(proc: Path, pid: int) -> str:
    try:
        return (proc / str(pid) / "comm").read_text(errors="replace").strip() or "?"
    except OSError:  # it has ended meanwhile
        return "?"
