"""Who said what time it was, kept for each start of the machine: `times.jsonl` beside the libraries."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blackbox_qt.storage.disk import Disk

log = logging.getLogger(__name__)

NAME = "times.jsonl"
MOST_BYTES = 256 * 1024
"""Beyond it the oldest starts of the machine go."""
_READ_BYTES = 4 * MOST_BYTES
_KEPT_BYTES = MOST_BYTES // 2


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody's word about one instant of one start of the machine. Never changed, never overwritten.

    Threads: immutable, any.
    """

    machine_boot: str
    boot_ns: int
    utc_ns: int
    source: str  # one of core.trust.TRUST
    uncertainty_ns: int | None
    by: str = ""  # who, for a person: a phone's address, "command line"


class TimesFile:
    """A line each: CRC-32 of the rest in eight hex digits, a space, JSON. Only ever appended to, until it is too long.

    A torn line proves nothing and is passed over; the next one begins a line of its own.

    Threads: one at a time; blocks on the disk and raises OSError.
    """

    def __init__(self, disk: Disk, data: Path) -> None:
        self._disk = disk
        self.path = data / NAME

    def load(self) -> tuple[Witness, ...]:
        """All that can be read, as it was told."""
        try:
            data = self._disk.read_small(self.path, _READ_BYTES)
        except FileNotFoundError:
            return ()
        return tuple(_parsed(data))

    @property
    def exists(self) -> bool:
        return self._disk.exists(self.path)

    def add(self, witnesses: Iterable[Witness]) -> None:
        """Durable on return."""
        data = b"\n" + b"".join(map(_line, witnesses))  # behind whatever a power cut left
        fd = self._disk.append(self.path)
        try:
            self._disk.write(fd, [data])
            self._disk.datasync(fd)
            size = self._disk.size(fd)
        finally:
            self._disk.close(fd)
        self._disk.sync_dir(self.path.parent)  # it may be new, or its name not durable since an error
        if size > MOST_BYTES:
            self._shorten()

    def _shorten(self) -> None:
        """Whole starts of the machine are kept, the newest ones."""
        kept: list[bytes] = []
        size = 0
        for lines in reversed(_by_boot(self.load()).values()):
            size += sum(map(len, lines))
            if kept and size > _KEPT_BYTES:
                break
            kept[:0] = lines
        self._disk.write_small(self.path, b"".join(kept))
        log.info("%s was shortened to %d lines", self.path, len(kept))

    def forget(self, machine_boot: str | None = None) -> None:
        """Take away what was said in one start of the machine, or in all; durable on return."""
        if not self.exists:
            return
        kept = [] if machine_boot is None else [one for one in self.load() if one.machine_boot != machine_boot]
        if kept:
            self._disk.write_small(self.path, b"".join(map(_line, kept)))
        else:
            self._disk.unlink(self.path)
            self._disk.sync_dir(self.path.parent)


def _by_boot(witnesses: Iterable[Witness]) -> dict[str, list[bytes]]:
    """Lines of each start, the start that spoke first first."""
    boots: dict[str, list[bytes]] = {}
    for witness in witnesses:
        boots.setdefault(witness.machine_boot, []).append(_line(witness))
    return boots


def _line(witness: Witness) -> bytes:
    text = json.dumps(asdict(witness), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parsed(data: bytes) -> Iterator[Witness]:
    for line in data.split(b"\n"):
        checksum, _, text = line.partition(b" ")
        if checksum == b"%08x" % zlib.crc32(text):
            witness = _witness(text)
            if witness is not None:
                yield witness


def _witness(text: bytes) -> Witness | None:
    """None for a line of another version: the file is not the truth, and is passed over where it is not understood."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    words = [body.get(key) for key in ("machine_boot", "source", "by")]
    times = [body.get(key) for key in ("boot_ns", "utc_ns")]
    within = body.get("uncertainty_ns")
    if not all(isinstance(word, str) for word in words) or not all(map(_is_time, times)):
        return None
    return _made(words, times, within) if within is None or _is_time(within) else None


def _made(words: list[Any], times: list[Any], within: int | None) -> Witness:
    return Witness(words[0], times[0], times[1], words[1], within, words[2])


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63
