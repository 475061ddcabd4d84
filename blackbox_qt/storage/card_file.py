"""The two small files about a card: who it is, on itself; which one was recorded to, on the system's disk."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from blackbox_qt.storage.disk import Disk

REMEMBERED = "card"
_IDENTITY = re.compile(r"[0-9a-f]{4}(?:-[0-9a-f]{4}){3}")


@dataclass(frozen=True, slots=True)
class Remembered:
    """The card that was recorded to last.

    Threads: immutable, any.
    """

    data: str  # the data folder it was for
    point: str = ""  # where it was mounted
    card: str = ""  # its identity
    starts: Mapping[str, int] = field(default_factory=dict)  # of each library on it, the highest number given

    def with_start(self, library: str, number: int) -> Remembered:
        return replace(self, starts={**self.starts, library: max(number, self.starts.get(library, 0))})

    def on(self, point: str, card: str) -> Remembered:
        return replace(self, point=point, card=card)


def new_identity() -> str:
    """As 3f2a-91bc-77d0-0c4e.

    Threads: any.
    """
    return "-".join(secrets.token_hex(2) for _ in range(4))


def written(identity: str) -> bytes:
    """The file that tells who a card is."""
    return json.dumps({"format": 1, "card": identity}).encode() + b"\n"


def parse(data: bytes) -> str:
    """Who a card is; "" when its file cannot be understood."""
    try:
        identity = json.loads(data)["card"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return identity if isinstance(identity, str) and _IDENTITY.fullmatch(identity) else ""


def load(disk: Disk, folder: Path) -> Remembered | None:
    """None when nothing is remembered, or cannot be read.

    Threads: any; blocks on the disk.
    """
    try:
        body = json.loads(disk.read_small(folder / REMEMBERED))
        starts = {str(name): int(number) for name, number in body["starts"].items()}
        kept = Remembered(str(body["data"]), str(body["point"]), str(body["card"]), starts)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return kept if kept.point.startswith("/") else None


def save(disk: Disk, folder: Path, kept: Remembered) -> None:
    """Durable on return. OSError.

    Threads: one at a time; blocks on the disk.
    """
    for missing in reversed([folder, *folder.parents]):
        if not disk.is_dir(missing):
            disk.mkdir(missing)
    body = {"format": 1, "data": kept.data, "point": kept.point, "card": kept.card, "starts": dict(kept.starts)}
    disk.write_small(folder / REMEMBERED, json.dumps(body).encode() + b"\n")
