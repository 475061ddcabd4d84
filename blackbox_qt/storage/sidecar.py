"""What is learnt or decided about a segment after it was opened: locks, dates, notes, in a small file beside it."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from blackbox_qt.storage.disk import Disk, temporary
from blackbox_qt.storage.segment import SegmentName

log = logging.getLogger(__name__)

FORMAT = 1
MAX_BYTES = 1 << 20  # a larger one is not ours
TORN = ".torn"  # appended to the name of one that could not be read

_revisions = itertools.count(1)
_NO_OTHER: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lock:
    """Why a segment must be kept; one for each mark that covers it.

    Threads: immutable, any.
    """

    mark: str  # the mark's name
    kind: Literal["manual", "automatic"]
    by: str  # who: window, web, command line, gpio, …
    reason: str = ""
    note: str = ""
    boot_ns: int = 0  # when it was marked, boot clock of the segment's start of the machine
    utc_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Dating:
    """One instant on both clocks, learnt after the segment was recorded. Appended, never overwritten.

    Threads: immutable, any.
    """

    utc_ns: int
    boot_ns: int  # of the start of the machine the segment was recorded in
    source: str  # as in the records: ntp, rtc, phone, manual, …
    uncertainty_ns: int | None
    by: str = ""
    key: str = field(default="", compare=False)  # the device key that has signed it, and the signature, hex digits
    signature: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about a segment. Appended, never overwritten.

    Threads: immutable, any.
    """

    text: str
    by: str
    utc_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """All of it. `other` holds what a later version wrote; it is kept.

    revision: tells which of two is the later one, within this process; 0: neither read nor changed.

    Threads: immutable, any.
    """

    segment: str  # its name without suffix
    state: Literal["open", "finished"] = "open"
    ended: str = ""  # "power-loss" | "interrupted": how it ended, if not by the Writer; the end record is the truth
    dates: tuple[Dating, ...] = ()
    locks: tuple[Lock, ...] = ()
    notes: tuple[Note, ...] = ()
    other: Mapping[str, Any] = field(default_factory=lambda: _NO_OTHER, hash=False)
    revision: int = field(default=0, compare=False)

    @property
    def locked(self) -> bool:
        return bool(self.locks)

    def with_lock(self, lock: Lock) -> Sidecar:
        """One lock for each mark: a mark that is driven again takes its own place and nobody else's."""
        return replace(self, locks=(*(old for old in self.locks if old.mark != lock.mark), lock))

    def without_lock(self, mark: str) -> Sidecar:
        """The locks of other marks stay."""
        return replace(self, locks=tuple(lock for lock in self.locks if lock.mark != mark))

    def with_date(self, date: Dating) -> Sidecar:
        """The same one again adds nothing."""
        return self if date in self.dates else replace(self, dates=(*self.dates, date))

    def with_note(self, note: Note) -> Sidecar:
        return self if note in self.notes else replace(self, notes=(*self.notes, note))


NOTHING = Sidecar("")
"""Of a segment that was not looked at."""

Change = Callable[[Sidecar], Sidecar]


def read(disk: Disk, folder: Path, name: SegmentName) -> Sidecar:
    """A segment's sidecar; an empty one when it is absent or cannot be understood. Never writes; OSError from the disk.

    One that was prepared and not yet in place counts only where the one in place is absent or torn (FAT can lose a name
    in the middle of a renaming).
    """
    revision = next(_revisions)
    return replace(_load(disk, folder, name)[0], revision=revision)


def change(disk: Disk, folder: Path, name: SegmentName, f: Change) -> Sidecar:
    """Replace a segment's sidecar by `f` of it; durable on return, the old or the new one after a crash.

    Changes of one segment take turns, whoever makes them; those of two segments do not wait for each other. One that
    cannot be understood is kept beside it under another name first. Nothing is written when `f` changes nothing.
    `f` must be quick. OSError from the disk: nothing is changed then.
    """
    path = folder / name.sidecar
    with turn(folder, name):
        before, whole = _load(disk, folder, name)
        after = f(before)
        if after == before and whole:
            return replace(before, revision=next(_revisions))
        if not whole:
            _make_room(disk, path, prepared=before != Sidecar(name.stem))
        disk.write_small(path, encode(after))
        return replace(after, revision=next(_revisions))


def revision() -> int:
    """A number for what is read from now on: changes made from now on have higher ones."""
    return next(_revisions)


def encode(sidecar: Sidecar) -> bytes:
    return json.dumps(body(sidecar), indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def body(sidecar: Sidecar) -> dict[str, Any]:
    """What is in the file."""
    found: dict[str, Any] = {**sidecar.other, "format": FORMAT}
    for key in ("segment", "state", "ended"):
        found[key] = getattr(sidecar, key)
    for key in ("dates", "locks", "notes"):
        found[key] = [asdict(one) for one in getattr(sidecar, key)]
    return found


def decode(data: bytes, name: SegmentName) -> Sidecar:
    """ValueError with words when it is not a whole sidecar of this segment."""
    try:
        return of_body(json.loads(data), name)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the sidecar of {name.stem} cannot be understood: {error}") from None


def of_body(body: Any, name: SegmentName, revision: int = 0) -> Sidecar:
    """ValueError with words when it is not what `body` makes."""
    try:
        if not isinstance(body, dict) or body.get("format") != FORMAT or body.get("segment") != name.stem:
            raise ValueError("it is another one's")
        known = {"format", "segment", "state", "ended", "dates", "locks", "notes"}
        return Sidecar(
            segment=name.stem,
            state="finished" if body.get("state") == "finished" else "open",
            ended=str(body.get("ended", "")),
            dates=tuple(_date(one) for one in body.get("dates", ())),
            locks=tuple(_lock(one) for one in body.get("locks", ())),
            notes=tuple(_note(one) for one in body.get("notes", ())),
            other={key: value for key, value in body.items() if key not in known},
            revision=revision,
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _date(one: dict[str, Any]) -> Dating:
    within = one.get("uncertainty_ns")
    within = None if within is None else _whole(within)
    words = (str(one.get(key, "")) for key in ("by", "key", "signature"))
    return Dating(_whole(one["utc_ns"]), _whole(one["boot_ns"]), str(one["source"]), within, *words)


def _lock(one: dict[str, Any]) -> Lock:
    kind: Literal["manual", "automatic"] = "automatic" if one.get("kind") == "automatic" else "manual"
    by, reason, note = (str(one.get(key, "")) for key in ("by", "reason", "note"))
    utc = one.get("utc_ns")
    when = _whole(one.get("boot_ns", 0)), None if utc is None else _whole(utc)
    return Lock(str(one["mark"]), kind, by, reason, note, *when)


def _note(one: dict[str, Any]) -> Note:
    utc = one.get("utc_ns")
    return Note(str(one["text"]), str(one.get("by", "")), None if utc is None else _whole(utc))


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("a time in it is not a whole number")
    return value


def _load(disk: Disk, folder: Path, name: SegmentName) -> tuple[Sidecar, bool]:
    """What there is, and whether the file in place is whole."""
    path = folder / name.sidecar
    for candidate in (path, temporary(path)):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return decode(disk.read_small(candidate, MAX_BYTES), name), candidate == path
    return Sidecar(name.stem), False


def _make_room(disk: Disk, path: Path, *, prepared: bool) -> None:
    """A torn one is kept; a prepared one gets its place before the next one is prepared over it."""
    if disk.exists(path):
        _set_aside(disk, path)
    if prepared:
        disk.rename(temporary(path), path)
        disk.sync_dir(path.parent)


def _set_aside(disk: Disk, path: Path) -> None:
    """A torn one may still tell a person something: it gets the first name that is free."""
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}{TORN}{'' if number == 1 else number}")
        if not disk.exists(aside):
            disk.rename(path, aside)
            log.warning("%s cannot be understood; it is kept as %s", path, aside.name)
            return


_turns: dict[Path, tuple[threading.RLock, int]] = {}  # by sidecar: its lock, and how many hold it or wait
_turns_lock = threading.Lock()


@contextlib.contextmanager
def turn(folder: Path, name: SegmentName) -> Iterator[None]:
    """Nobody else changes this segment's sidecar meanwhile. One lock for all sidecars would make the Writer wait for
    whoever dates an old trip.
    """
    path = folder / name.sidecar
    with _turns_lock:
        lock, users = _turns.get(path) or (threading.RLock(), 0)
        _turns[path] = lock, users + 1
    try:
        with lock:
            yield
    finally:
        with _turns_lock:
            lock, users = _turns[path]
            if users > 1:
                _turns[path] = lock, users - 1
            else:
                del _turns[path]


def tidy(disk: Disk, folder: Path, name: SegmentName) -> bool:
    """What a crash left of a preparation gets its place, if that is empty, or goes; True if there was something."""
    prepared = temporary(folder / name.sidecar)
    with turn(folder, name):
        if not disk.exists(prepared):
            return False
        if not _load(disk, folder, name)[1]:
            change(disk, folder, name, lambda beside: beside)
        if disk.exists(prepared):
            disk.unlink(prepared)
            log.info("%s is gone: it was not finished, and %s is there", prepared, name.sidecar)
    return True
