"""Marks: what somebody wants kept, and the journal that remembers it through a power cut. See docs/FORMAT.md."""

from __future__ import annotations

import contextlib
import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.sidecar import Lock

log = logging.getLogger(__name__)

NAME = "marks"
Kind = Literal["manual", "automatic"]
State = Literal["waiting", "refused", "asked", "extended", "undone", "applied"]
"""waiting and refused are answers and never in the journal; applied: all that was asked for is in the sidecars."""
_KEPT: tuple[State, ...] = ("asked", "extended", "undone", "applied")
_ENOUGH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """One event, and the time around it that is kept on all cameras. Times are the boot clock's, which never jumps.

    Threads: immutable, any.
    """

    id: str
    state: State
    kind: Kind
    by: str  # window, page, command line, button, …
    reason: str
    note: str
    machine_boot: str  # which start of the machine the times count from
    asked_ns: int  # the first press
    from_ns: int
    until_ns: int | None  # None: the whole trip
    utc_ns: int | None = None  # of the first press; None: nobody vouched for the clock
    undone: bool = False
    words: str = ""  # the answer for a person; not in the journal

    @property
    def whole_trip(self) -> bool:
        return self.until_ns is None

    @property
    def settled(self) -> bool:
        """Nothing is left to do for it."""
        return self.state == "applied"

    @property
    def lock(self) -> Lock:
        """What stands in the sidecar of every segment it covers."""
        return Lock(self.id, self.kind, self.by, self.reason, self.note, self.asked_ns, self.utc_ns)

    def is_running(self, machine_boot: str, now: int) -> bool:
        """Whether what is recorded now is kept by it; `now` is the boot clock of `machine_boot`."""
        wanted = not self.undone and self.state != "refused" and self.machine_boot == machine_boot
        return wanted and (self.until_ns is None or now <= self.until_ns)

    def covers(self, segment: SegmentInfo) -> bool:
        """Whether this segment, which must be finished, has pictures of its time; one whose times are lost may have."""
        if segment.machine_boot != self.machine_boot:
            return False
        if segment.first_t_ns is None or segment.last_t_ns is None:
            return True
        return segment.last_t_ns >= self.from_ns and (self.until_ns is None or segment.first_t_ns <= self.until_ns)


class MarkJournal:
    """The file `marks` in a library's root: a line for everything that happens to a mark, with all that is known of it.

    Lines are only added, each with its checksum; one that a power cut tore is passed over. The last line of a mark is
    what holds. No descriptor stays open: the card can be unmounted, and a sync that failed is not trusted again.

    Threads: one at a time; every method blocks on the disk and raises OSError.
    """

    def __init__(self, disk: Disk, root: Path) -> None:
        self.path = root / NAME
        self._disk = disk

    def append(self, marks: Iterable[Mark]) -> None:
        """Durable on return. The root must be there: a card that was pulled leaves none."""
        new = not self._disk.exists(self.path)
        fd = self._disk.append(self.path)
        try:
            # An empty line first: what a cut or an error left may end in the middle of one.
            self._disk.write(fd, [b"\n", *(encode(mark) for mark in marks)])
            self._disk.datasync(fd)
        finally:
            self._disk.close(fd)
        if new:
            self._disk.sync_dir(self.path.parent)

    def load(self) -> dict[str, Mark]:
        """Every mark as its last line has it, oldest first; {} when there is no journal."""
        try:
            data = self._read()
        except FileNotFoundError:
            return {}
        found, unreadable = decode(data)
        if unreadable:
            log.warning("%d lines of %s cannot be read; the others hold", unreadable, self.path)
        if len(data) > _ENOUGH_BYTES:
            self.rewrite(found)
        return found

    def rewrite(self, marks: Mapping[str, Mark]) -> None:
        """Only these, and of each only what holds: for one that has grown long, or a trip that is to be forgotten."""
        self._disk.write_small(self.path, b"".join(encode(mark) for mark in marks.values() if not _is_over(mark)))

    def _read(self) -> bytes:
        fd = self._disk.open_read(self.path)
        try:
            return self._disk.read_at(fd, self._disk.size(fd), 0)
        finally:
            self._disk.close(fd)


def _is_over(mark: Mark) -> bool:
    """It was taken back, and nothing of it is left in any sidecar."""
    return mark.undone and mark.settled


def encode(mark: Mark) -> bytes:
    """`CRC JSON`, one line.

    Threads: any.
    """
    body = asdict(mark)
    del body["words"]
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(data: bytes) -> tuple[dict[str, Mark], int]:
    """Every mark as its last whole line has it, in the order of their first ones, and how many lines are damaged.

    A line without its last brace was under way when the power was cut, was never confirmed, and is not damage.

    Threads: any.
    """
    found: dict[str, Mark] = {}
    damaged = 0
    for line in filter(None, (line.strip(b"\0") for line in data.split(b"\n"))):
        mark = next(_mark(line), None)
        if mark is not None:
            found[mark.id] = mark
        elif line.endswith(b"}"):
            damaged += 1
    return found, damaged


def _mark(line: bytes) -> Iterator[Mark]:
    """The mark of a line; none when it is not whole."""
    checksum, _, text = line.partition(b" ")
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        if int(checksum, 16) == zlib.crc32(text):
            yield _checked(json.loads(text))


_MAYBE = (int, type(None))
_NUMBERS: dict[str, tuple[type, ...]] = {"asked_ns": (int,), "from_ns": (int,), "until_ns": _MAYBE, "utc_ns": _MAYBE}
_TEXTS = ("id", "kind", "by", "reason", "note", "machine_boot")


def _checked(body: dict[str, Any]) -> Mark:
    """What a later version adds is left out. ValueError, KeyError or TypeError when it is no mark."""
    known = {field.name for field in fields(Mark)} - {"words"}
    right = all(isinstance(body[name], kind) for name, kind in _NUMBERS.items())
    right = right and all(isinstance(body[name], str) for name in _TEXTS) and body["state"] in _KEPT
    if not right:
        raise ValueError("not a mark")
    return Mark(**{name: value for name, value in body.items() if name in known})
