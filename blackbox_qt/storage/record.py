"""What our record boxes say: the JSON bodies, made. Field by field in `docs/FORMAT.md`."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackbox_qt.core.clock import Anchor
from blackbox_qt.core.packet import Packet, StreamInfo
from blackbox_qt.storage.fmp4 import NO_DIGEST

FORMAT = 1
Body = dict[str, Any]

POWER_LOSS, INTERRUPTED = "power-loss", "interrupted"
HEALED_WORDS = {POWER_LOSS: "ended by power loss", INTERRUPTED: "interrupted"}
"""Reasons in end records made at a later start: nothing of this camera follows in that start, or something does (after
a disk error, or a writer that died)."""


@dataclass(frozen=True, slots=True)
class Link:
    """The segment a new one continues, and the record of it that is known to be on the disk.

    Threads: immutable, any.
    """

    name: str = ""  # file name without suffix; "" when there is none
    digest: bytes = NO_DIGEST


@dataclass(slots=True)
class Totals:
    """What a segment holds so far.

    Threads: one owner.
    """

    fragments: int = 0
    frames: int = 0
    lost: Counter[str] | None = None
    first: Packet | None = None
    last: Packet | None = None

    def add(self, packets: Sequence[Packet], lost: Mapping[str, int]) -> None:
        self.fragments += 1
        self.frames += len(packets)
        self.lost = self.lost or Counter()
        self.lost.update(lost)
        self.first = self.first or packets[0]
        self.last = packets[-1]


def encode(body: Body) -> bytes:
    """Compact UTF-8 JSON; integers stay whole however long."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def head(
    info: StreamInfo, boot: int, seq: int, software: str, link: Link, anchor: Anchor, machine_boot: str = ""
) -> Body:
    return {
        "type": "head",
        "format": FORMAT,
        "camera": info.camera,
        "boot": boot,
        "seq": seq,
        "machine_boot": machine_boot,
        "origin": info.origin,
        "device": info.device,
        "software": software,
        "stream": {"width": info.width, "height": info.height, "fps": info.fps},
        "previous": {"name": link.name, "hash": link.digest.hex()},
        "anchor": anchor_body(anchor),
    }


def fragment(number: int, packets: Sequence[Packet], lost: Mapping[str, int], anchor: Anchor) -> Body:
    times = [packet.t_ns for packet in packets]
    return {
        "type": "fragment",
        "number": number,
        "frames": len(packets),
        "seq": _runs([packet.seq for packet in packets]),
        "t_ns": times[0],
        "dt_ns": [after - before for before, after in itertools.pairwise(times)],
        "lost": {cause: count for cause, count in lost.items() if count},
        "anchor": anchor_body(anchor),
    }


def end(reason: str, totals: Totals, anchor: Anchor) -> Body:
    first, last = totals.first, totals.last
    ends = [(packet.seq, packet.t_ns) if packet else None for packet in (first, last)]
    return ended(reason, totals.fragments, totals.frames, ends[0], ends[1], totals.lost or {}, anchor)


def ended(
    reason: str,
    fragments: int,
    frames: int,
    first: tuple[int, int] | None,
    last: tuple[int, int] | None,
    lost: Mapping[str, int],
    at: Anchor,
) -> Body:
    """An end record; first, last: the driver's number and the time of a picture."""
    return {
        "type": "end",
        "reason": reason,
        "fragments": fragments,
        "frames": frames,
        "seq": [first[0], last[0]] if first and last else [],
        "t_ns": [first[1], last[1]] if first and last else [],
        "lost": {cause: count for cause, count in lost.items() if count},
        "anchor": anchor_body(at),
    }


def anchor_body(anchor: Anchor) -> Body:
    return {
        "boot_ns": anchor.boot_ns,
        "utc_ns": anchor.utc_ns,
        "source": anchor.source,
        "uncertainty_ns": anchor.uncertainty_ns,
    }


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """[7, 8, 9, 12] as [[7, 3], [12, 1]]."""
    runs = [[numbers[0], 1]]
    for number in numbers[1:]:
        if number == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs
