"""The lines of the journal of deletions: as they are written, read without trust, and what they tell together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

END = b"\n"
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deletion:
    """Something that is to go.

    Threads: immutable, any.
    """

    what: str  # a segment's name without suffix; for an erase, words that do not tell what it held
    why: str
    who: str  # janitor | a person's way in: "command line", "page", "window"
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A line of the journal.

    Threads: immutable, any.
    """

    number: int
    deletion: Deletion
    state: str  # begun | done | kept (it was not deleted after all)
    boot_ns: int  # boot clock of `machine_boot`
    machine_boot: str
    utc_ns: int
    source: str  # what utc_ns is worth, as in an anchor


def written(line: Line) -> bytes:
    """As it stands in the file.

    Threads: any.
    """
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + END


def parsed(text: bytes) -> Iterator[Line]:
    """The whole lines; torn ones (a power cut came while one was written) are passed over.

    Threads: any.
    """
    for raw in filter(None, text.rstrip(END).split(END)):  # most of a file is empty lines at first
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("n"), int):
            yield line


def told(lines: Iterable[Line]) -> tuple[JournalEntry, ...]:
    """What they tell: each deletion once, with what became of it.

    Threads: any.
    """
    begun: dict[int, Line] = {}
    ends: dict[int, str] = {}
    for line in lines:
        if line.get("op") == "delete":
            begun[line["n"]] = line
        elif line.get("op") in ("done", "kept"):
            ends[line["n"]] = line["op"]
    return tuple(_entry(line, ends.get(number, "begun")) for number, line in sorted(begun.items()))


def _entry(line: Line, state: str) -> JournalEntry:
    at = line.get("at") if isinstance(line.get("at"), dict) else {}
    assert isinstance(at, dict)
    size = line.get("bytes")
    words = {name: str(line.get(name, "")) for name in ("what", "why", "who")}
    deletion = Deletion(**words, bytes=size if isinstance(size, int) else 0)
    boot_ns, utc_ns = (value if isinstance(value := at.get(name), int) else 0 for name in ("boot_ns", "utc_ns"))
    machine_boot = str(line.get("machine_boot", ""))
    return JournalEntry(line["n"], deletion, state, boot_ns, machine_boot, utc_ns, str(at.get("source", "unsynced")))
