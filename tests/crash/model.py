"""What a power cut may leave on a disk, built from the log of what was asked of it.

More pessimistic than ext4 and about as bad as FAT: nothing orders two operations but a sync between them.

* A file has its content of the last `datasync`, and anything between that and its content now: later writes in any
  order, each torn between sectors of 512 or pages of 4096 bytes; a size that grew without its data, which is then
  zeros (as with ext4's delayed allocation) or what was on the medium before (as on FAT).
* A name made, renamed or removed is there as the last `sync_dir` of its folder left it, or with any part of what was
  done since, in any order. A file whose folder was never synced may be gone with it, however durable its content.
* A rename within a folder is one step, as on ext4; on FAT both names may be left, or only the old one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .disk import Op

CORNERS = ("least", "most", "names", "sizes", "stale", "data", "both", "gap")
"""States that are always looked at: nothing unsynced; all of it; all names without data, with sizes and zeros, with
sizes and old sectors; all data without names; renames that left both names; renames that took the name they were to
replace and went no further (these two on FAT)."""


@dataclass
class File:
    """One file, whatever it is called."""

    now: bytearray = field(default_factory=bytearray)
    stages: list[bytes] = field(default_factory=lambda: [b""])  # the first is durable; then after each change

    def change(self) -> None:
        self.stages.append(bytes(self.now))

    def synced(self) -> None:
        self.stages = [bytes(self.now)]


@dataclass(frozen=True)
class Naming:
    """One thing done to a folder that no sync of it has covered."""

    folder: Path
    add: Path | None = None
    remove: Path | None = None
    node: int = -1  # -1: a folder


@dataclass(frozen=True)
class State:
    """One state, and how to come back to it: `BLACKBOX_CRASH=drive:137:r2 ./dev prove tests/crash -k again`."""

    history: str
    point: int  # operations of the log that were asked for
    variant: str

    def __str__(self) -> str:
        return f"{self.history}:{self.point}:{self.variant}"

    @classmethod
    def parse(cls, text: str) -> State:
        name, point, variant = text.split(":")
        return cls(name, int(point), variant)


class World:
    """The disk after some operations: what is durable, and what is under way."""

    def __init__(self) -> None:
        self.files: dict[int, File] = {}
        self.durable: dict[Path, int] = {}  # names that a sync of their folder has covered
        self.pending: list[Naming] = []

    def apply(self, op: Op) -> None:
        getattr(self, f"_{op.kind}")(op)

    def _found(self, op: Op) -> None:
        self.files[op.node] = File(bytearray(op.data), [op.data])
        self.durable[op.path] = op.node

    def _found_dir(self, op: Op) -> None:
        self.durable[op.path] = -1

    def _open(self, op: Op) -> None:
        self.files[op.node] = File()
        self.pending.append(Naming(op.path.parent, add=op.path, node=op.node))

    def _write(self, op: Op) -> None:
        file = self.files[op.node]
        file.now += bytes(max(0, op.at - len(file.now)))
        file.now[op.at : op.at + len(op.data)] = op.data
        file.change()

    def _cut(self, op: Op) -> None:
        file = self.files[op.node]
        del file.now[op.at :]
        file.change()

    def _sync(self, op: Op) -> None:
        self.files[op.node].synced()

    def _rename(self, op: Op) -> None:
        if op.path.parent == op.to.parent:
            self.pending.append(Naming(op.to.parent, op.to, op.path, op.node))
        else:  # two folders, two halves
            self.pending.append(Naming(op.to.parent, add=op.to, node=op.node))
            self.pending.append(Naming(op.path.parent, remove=op.path, node=op.node))

    def _unlink(self, op: Op) -> None:
        self.pending.append(Naming(op.path.parent, remove=op.path, node=op.node))

    def _mkdir(self, op: Op) -> None:
        self.pending.append(Naming(op.path.parent, add=op.path))

    def _sync_dir(self, op: Op) -> None:
        names = dict(self.durable)
        for naming in self.pending:
            if naming.folder == op.path:
                _name(names, naming)
        self.durable = names
        self.pending = [naming for naming in self.pending if naming.folder != op.path]

    def _sync_all(self, op: Op) -> None:
        for file in self.files.values():
            file.synced()
        names = dict(self.durable)
        for naming in self.pending:
            _name(names, naming)
        self.durable, self.pending = names, []

    # ---- what a cut may leave

    def crash(self, variant: str, seed: str, target: Path) -> None:
        """Write into `target`, an empty folder, one of the states that a power cut may leave now."""
        chance = random.Random(seed)
        names = self._names(variant, chance)
        for path, node in sorted(names.items()):
            if node < 0 and _reachable(path, names):
                (target / path).mkdir()
        for path, node in sorted(names.items()):
            if node >= 0 and _reachable(path, names):
                (target / path).write_bytes(_content(self.files[node], variant, chance))

    def _names(self, variant: str, chance: random.Random) -> dict[Path, int]:
        names = dict(self.durable)
        for naming in self._chosen(variant, chance):
            _name(names, naming, _way(variant, chance))
        return names

    def _chosen(self, variant: str, chance: random.Random) -> Sequence[Naming]:
        if variant in ("least", "data"):
            return ()
        if variant in CORNERS:
            return self.pending
        if chance.random() < 0.4:  # in order, as a journal would
            return self.pending[: chance.randint(0, len(self.pending))]
        return [naming for naming in self.pending if chance.random() < 0.6]


def _way(variant: str, chance: random.Random) -> str:
    """How a rename got to the medium."""
    if variant in CORNERS:
        return variant if variant in ("both", "gap") else "whole"
    return chance.choices(["whole", "both", "gap"], [18, 1, 1])[0]


def _name(names: dict[Path, int], naming: Naming, way: str = "whole") -> None:
    is_rename = naming.add is not None and naming.remove is not None
    if is_rename and way == "gap" and naming.remove in names and naming.add in names:
        del names[naming.add]
        return
    if naming.remove in names and not (is_rename and way == "both"):
        del names[naming.remove]
    if naming.add is not None:
        names[naming.add] = naming.node


def _reachable(path: Path, names: dict[Path, int]) -> bool:
    return all(names.get(folder) == -1 for folder in path.parents if folder != Path())


def _content(file: File, variant: str, chance: random.Random) -> bytes:
    first, last = file.stages[0], file.stages[-1]
    match variant:
        case "least" | "names":
            return first
        case "most" | "data" | "both" | "gap":
            return last
        case "sizes":
            return first[: len(last)] + bytes(max(0, len(last) - len(first)))
        case "stale":
            return first[: len(last)] + chance.randbytes(max(0, len(last) - len(first)))
    if chance.random() < 0.3:  # in order, the last write torn anywhere
        return _in_order(file, chance)
    return _in_any_order(file, chance)


def _in_order(file: File, chance: random.Random) -> bytes:
    at = chance.randrange(len(file.stages))
    content, after = file.stages[at], file.stages[min(at + 1, len(file.stages) - 1)]
    if len(after) <= len(content):
        return chance.choice([content, after])
    return after[: chance.randint(len(content), len(after))]


def _in_any_order(file: File, chance: random.Random) -> bytes:
    """Every sector or page as some moment since the last sync had it; where nothing was, zeros or rubbish."""
    grain = chance.choice([512, 4096])
    smallest, largest = min(map(len, file.stages)), max(map(len, file.stages))
    size = chance.choice([*map(len, file.stages), chance.randint(smallest, largest)])
    empty = chance.choice(["zeros", "rubbish"])
    found = bytearray()
    for at in range(0, size, grain):
        end = min(at + grain, size)
        piece = chance.choice(file.stages)[at:end]
        piece += file.stages[0][at + len(piece) : end]
        rest = end - at - len(piece)
        found += piece + (bytes(rest) if empty == "zeros" else chance.randbytes(rest))
    return bytes(found)


def world_at(log: Sequence[Op], count: int) -> World:
    """The disk after the first `count` operations."""
    world = World()
    for op in log[:count]:
        world.apply(op)
    return world
