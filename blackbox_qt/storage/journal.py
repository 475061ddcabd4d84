"""What was deleted, when, why and by whom: written before the file goes, confirmed after; a crash leaves no riddle."""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from blackbox_qt.core.clock import Clock
from blackbox_qt.storage.disk import Disk, is_full
from blackbox_qt.storage.journal_lines import END, Deletion, JournalEntry, Line, parsed, told, written

log = logging.getLogger(__name__)

FILE_BYTES = 1 << 18
FILES = 8
"""2 MB, some ten thousand deletions; then the oldest file goes."""
_NAME = re.compile(r"journal-(\d{6,9})\.jsonl")


class Journal:
    """Files `journal-NNNNNN.jsonl` in a library's root: one JSON object a line.

    Each file is made in its full length, empty lines only, and written in place: on a full disk the line that tells
    what will be deleted still finds room, and a torn line is ended by the empty ones behind it. The next file is made
    while there is room. No descriptor stays open: the card can be unmounted.

    Threads: any; every method but the constructor blocks on the disk and raises OSError.
    """

    def __init__(self, disk: Disk, root: Path, clock: Clock) -> None:
        self._disk = disk
        self._root = root
        self._clock = clock
        self._owed: deque[Deletion] = deque(maxlen=1000)  # carried out on a full disk, and not told of yet
        self._lock = threading.Lock()  # only threads that write to this disk meet here

    def carry_out(self, deletion: Deletion, delete: Callable[[], None]) -> None:
        """Write what will go, let `delete()` do it, confirm. OSError: of `delete`, or nothing was deleted.

        Where the disk is so full that the line finds no room, room comes first and the line as soon as it finds some.
        """
        number = self._begin_or_postpone(deletion)
        delete()
        if number is not None:
            self.done(number)
        else:
            self._owed.append(deletion)
        self.pay()

    def _begin_or_postpone(self, deletion: Deletion) -> int | None:
        try:
            return self.begin(deletion)
        except OSError as error:
            if not is_full(error):
                raise
            log.warning("the journal of deletions finds no room; %s is deleted first and told after", deletion.what)
            return None

    def pay(self) -> None:
        """Write the lines that found no room, if they find some now."""
        while self._owed:
            try:
                self.done(self.begin(self._owed[0]))
            except OSError as error:
                if not is_full(error):
                    raise
                return
            self._owed.popleft()

    def begin(self, deletion: Deletion) -> int:
        """Tell what is about to go, durable on return; the number to confirm it by."""
        anchor = self._clock.anchor()
        line = {
            "op": "delete",
            "what": deletion.what,
            "why": deletion.why,
            "who": deletion.who,
            "bytes": deletion.bytes,
            "machine_boot": self._clock.machine_boot,
            "at": {"boot_ns": anchor.boot_ns, "utc_ns": anchor.utc_ns, "source": anchor.source,
                   "uncertainty_ns": anchor.uncertainty_ns},
        }  # fmt: skip
        with self._lock:
            return self._append(line, None)

    def done(self, number: int) -> None:
        """It is gone. Not synced: should a crash take this line, the file is found gone and the line comes again."""
        self._end(number, {"op": "done"})

    def kept(self, number: int, why: str) -> None:
        """It was not deleted after all."""
        self._end(number, {"op": "kept", "why": why})

    def _end(self, number: int, line: Line) -> None:
        with self._lock:
            self._append(line, number)

    def _append(self, line: Line, number: int | None) -> int:
        """Write a line behind the last one; without a number it gets the next, and is synced."""
        names = self._numbers()
        current = names[-1] if names else 1
        text = b"" if not names else self._disk.read_small(self._path(current), FILE_BYTES)
        end = len(text.rstrip(END))
        given = self._last_number(names, text) + 1 if number is None else number
        data = (END if end else b"") + written({"n": given, **line})  # one torn at the end of a short file ends, too
        if not names or end + len(data) > FILE_BYTES:
            current, end = current + bool(names), 0
            self._prepare(current)
        self._write(self._path(current), data, end, sync=number is None)
        return given

    def _write(self, path: Path, data: bytes, offset: int, *, sync: bool) -> None:
        fd = self._disk.update(path)
        try:
            self._disk.write_at(fd, data, offset)
            if sync:
                self._disk.datasync(fd)
        finally:
            self._disk.close(fd)

    def make_ready(self) -> None:
        """Make the next file while there is room, and drop the oldest beyond the limit."""
        with self._lock:
            names = self._numbers(empty=True)
            filled = self._numbers()
            if not filled:
                self._prepare(1)
            elif names[-1] == filled[-1] and self._end_of(filled[-1]) > FILE_BYTES // 2:
                self._prepare(filled[-1] + 1)
            for number in filled[:-FILES]:
                self._disk.unlink(self._path(number))

    def _end_of(self, number: int) -> int:
        return len(self._disk.read_small(self._path(number), FILE_BYTES).rstrip(END))

    def _prepare(self, number: int) -> None:
        """A file of empty lines, durable; one that is there in full is good."""
        path = self._path(number)
        if self._disk.exists(path) and len(self._disk.read_small(path, FILE_BYTES)) == FILE_BYTES:
            return
        if not self._disk.is_dir(self._root):
            self._disk.mkdir(self._root)
        self._disk.write_small(path, END * FILE_BYTES)

    def _path(self, number: int) -> Path:
        return self._root / f"journal-{number:06d}.jsonl"

    def _numbers(self, *, empty: bool = False) -> list[int]:
        """Of the files that are there, ascending; the one that is only prepared if asked for."""
        if not self._disk.is_dir(self._root):
            return []
        found = sorted(int(match[1]) for entry in self._disk.list(self._root) if (match := _NAME.fullmatch(entry.name)))
        if found[1:] and not empty and not self._end_of(found[-1]):
            found.pop()
        return found

    def _last_number(self, names: list[int], text: bytes) -> int:
        """The highest number given; a file may hold confirmations of older ones only."""
        numbers = [int(line["n"]) for line in parsed(text)]
        for name in reversed(names[:-1]):
            if numbers:
                break
            numbers = [int(line["n"]) for line in parsed(self._disk.read_small(self._path(name), FILE_BYTES))]
        return max(numbers, default=0)

    def entries(self) -> tuple[JournalEntry, ...]:
        """All that is told, oldest first."""
        with self._lock:
            return told(self._all_lines())

    def pending(self) -> tuple[JournalEntry, ...]:
        """Deletions that were begun and not confirmed: a crash came in between."""
        return tuple(entry for entry in self.entries() if entry.state == "begun")

    def _all_lines(self) -> Iterator[Line]:
        for number in self._numbers():
            yield from parsed(self._disk.read_small(self._path(number), FILE_BYTES))

    def forget(self, is_one: Callable[[str], bool], but: int = 0) -> None:
        """Take away every line that tells of what `is_one`, but that of one number; durable on return."""
        with self._lock:
            told_of = ((line["n"], str(line.get("what", ""))) for line in self._all_lines())
            dropped = {number for number, what in told_of if number != but and is_one(what)}
            for number in self._numbers():
                lines = list(parsed(self._disk.read_small(self._path(number), FILE_BYTES)))
                kept = [line for line in lines if line["n"] not in dropped]
                if len(kept) < len(lines):
                    text = b"".join(map(written, kept)).ljust(FILE_BYTES, END)
                    self._disk.write_small(self._path(number), text)
