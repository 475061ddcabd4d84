"""Whether a state that a power cut may leave is as good as promised: healed, then looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from blackbox_qt.storage.check import CheckResult, check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.report import SegmentReport
from blackbox_qt.storage.segment import SegmentName, Store

from .disk import Op
from .histories import History, Promise
from .model import CORNERS, World, world_at


@dataclass(frozen=True)
class State:
    """One state, and how to come back to it: `BLACKBOX_CRASH=drive:137:r2 ./dev prove tests/crash`."""

    history: str
    point: int
    variant: str

    def __str__(self) -> str:
        return f"{self.history}:{self.point}:{self.variant}"

    @classmethod
    def parse(cls, text: str) -> State:
        name, point, variant = text.split(":")
        return cls(name, int(point), variant)


def states(history: History, variants: int, every: int = 1) -> Iterator[tuple[State, World]]:
    """After each operation (or one of `every`) the corners and so many random states."""
    world = world_at(history.log, history.begin)
    for point in range(history.begin, len(history.log) + 1):
        if point > history.begin:
            world.apply(history.log[point - 1])
        if (point - history.begin) % every == 0:
            for variant in (*CORNERS, *(f"r{i}" for i in range(variants))):
                yield State(history.name, point, variant), world


def lay_out(state: State, world: World, target: Path) -> Path:
    """The state as files; returns the data folder."""
    target.mkdir(parents=True)
    world.crash(state.variant, str(state), target)
    return target / "car"


def problems(history: History, state: State, data: Path, *, play: bool) -> list[str]:
    """Heal it, look at it, and say what was promised and is not there; also that it can be recorded on."""
    holding = history.holding(state.point)
    if not data.is_dir():
        return [f"the data folder is gone with {len(holding)} promises"] if holding else []
    found = check_paths([data])
    bad = [f"{report.path.name}: {report.state} {report.damage}" for report in found.segments if not _good(report)]
    bad += [f"{note.path.name}: {note.words}" for note in found.chain if note.bad and not _is_twin(note.path)]
    bad += _missing(found, holding)
    bad += _reused(history.log[: state.point], data)
    if play:
        bad += _unplayable(found)
    return bad


def _good(report: SegmentReport) -> bool:
    """Fragments that no sync covered may be whole behind a torn one: an unfinished file says so until it is healed."""
    return report.ok or report.path.suffix == ".part"


def _is_twin(path: Path) -> bool:
    """FAT may leave a file under both its names."""
    part = path.with_name(path.name + ".part")
    return part.exists() and part.read_bytes() == path.read_bytes()


def _missing(found: CheckResult, holding: Sequence[Promise]) -> list[str]:
    there = {t for report in found.segments for t in report.times_ns}
    promised = [t for promise in holding if promise.kind == "frames" for t in promise.what]
    lost = [t for t in promised if t not in there]
    return [f"{len(lost)} of {len(promised)} durable frames are gone, the first at {lost[0]} ns"] if lost else []


def _reused(log: Sequence[Op], data: Path) -> list[str]:
    """The next name must be new, also when files with earlier names did not survive."""
    given = {name for op in log if (name := SegmentName.parse(op.path.name)) and op.kind in ("open", "found")}
    place = Store(Disk(), data).place("front", "camera").name
    return [f"{place.stem} is given a second time"] if place in given else []


def _unplayable(found: CheckResult) -> list[str]:
    """Every file with pictures is decoded, to its last picture."""
    bad = []
    for report in found.segments:
        if report.frames and report.path.suffix != ".part":
            with av.open(str(report.path)) as container:
                count = sum(1 for _ in container.decode(video=0))
            if count < report.frames:
                bad.append(f"{report.path.name}: {count} of {report.frames} pictures can be decoded")
    return bad
