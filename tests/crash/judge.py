"""Whether a state that a power cut may leave is as good as promised: healed, then looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av

from blackbox_qt.storage.check import CheckResult, check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.segment import PART, SegmentName, Store

from .disk import Op
from .histories import History, Promise
from .model import CORNERS, State, World, world_at
from .restart import Restart


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
    """Start the program again, look, and say what was promised and is not there; also whether it can be recorded on."""
    holding = history.holding(state.point)
    if not data.is_dir() and not data.with_name("ring").is_dir():
        return [f"the data folder is gone with {len(holding)} promises"] if holding else []
    parts = [(path.relative_to(data), path.read_bytes()) for path in data.rglob(f"*{PART}")]
    found_there = [op for op in history.log[: history.begin] if op.path.suffix == PART]
    parts += [(op.path.relative_to("car"), op.data) for op in found_there if op.path.is_relative_to("car")]
    looked_at = check_paths([data]).segments if data.is_dir() else ()
    bad = [f"before healing {report.path.name}: {report.damage}" for report in looked_at if not report.ok]
    again = Restart(data)
    again.run()
    found = check_paths([data])
    bad += [f"{report.path.name}: {report.state} {report.damage}" for report in found.segments if not report.ok]
    bad += [f"{note.path.name}: {note.words}" for note in found.chain if note.bad and not _is_twin(note.path)]
    bad += _unhealed(data) + _missing(found, holding) + _undecided(again, holding)
    bad += [words for path, before in parts for words in _vanished(data, path, before)]
    bad += _reused(history.log[: state.point], data)
    if play:
        bad += _unplayable(found) + _unlisted(found, again)
    return bad


def _unhealed(data: Path) -> list[str]:
    return [f"{path.name} was not healed" for path in data.rglob(f"*{PART}") if not _is_twin(path.with_suffix(""))]


def _is_twin(path: Path) -> bool:
    """FAT may leave a file under both its names."""
    part = path.with_name(path.name + PART)
    return path.exists() and part.exists() and part.read_bytes() == path.read_bytes()


def _missing(found: CheckResult, holding: Sequence[Promise]) -> list[str]:
    """Durable frames, but of segments that were on their way out."""
    there = {t for report in found.segments for t in report.times_ns}
    out = [promise.what for promise in holding if promise.kind == "may_go"]
    promised = [t for promise in holding if promise.kind == "frames" for t in promise.what]
    lost = [t for t in promised if t not in there and not any(first <= t <= last for _, first, last in out)]
    return [f"{len(lost)} of {len(promised)} durable frames are gone, the first at {lost[0]} ns"] if lost else []


def _undecided(again: Restart, holding: Sequence[Promise]) -> list[str]:
    """Confirmed locks, dates, notes, marks; deletions that nothing tells of."""
    bad = []
    for promise in holding:
        if promise.kind in ("lock", "date", "note"):
            name, what = promise.what
            info = again.library.get(name)
            if info is None or what not in getattr(info.sidecar, promise.kind + "s"):
                bad.append(f"{name.stem}: the {promise.kind} {what} is gone")
        if promise.kind == "mark":
            mark = promise.what
            covered = [s for s in again.library.segments() if s.state == "finished" and mark.covers(s)]
            open_ = [s.name.stem for s in covered if all(lock.mark != mark.id for lock in s.sidecar.locks)]
            bad += [f"the mark {mark.id} does not keep {stem}" for stem in open_]
        if promise.kind == "may_go":
            name = promise.what[0]
            told = any(entry.deletion.what == name.stem for entry in again.journal.entries())
            if again.library.get(name) is None and not told:
                bad.append(f"{name.stem} is gone, and the journal does not tell")
    return bad


def _vanished(data: Path, path: Path, before: bytes) -> list[str]:
    """Nothing is deleted silently: what is not in the healed file any more is in the quarantine."""
    healed = data / path.with_suffix("")
    now = healed.read_bytes() if healed.exists() else b""
    pairs = zip(before, now, strict=False)
    same = next((i for i, (old, new) in enumerate(pairs) if old != new), min(len(before), len(now)))
    rest = before[same:]
    folder = data / path.parts[0] / "quarantine"
    kept = [one.read_bytes() for one in folder.iterdir()] if rest and folder.is_dir() else []
    is_kept = not rest or any(before.endswith(one) and len(one) >= len(rest) for one in kept)
    return [] if is_kept or now == before else [f"{path.name}: {len(rest)} bytes are gone silently"]


def _unlisted(found: CheckResult, again: Restart) -> list[str]:
    """The library knows every file, and of how many pictures."""
    listed = {info.path: info.frames for info in again.library.segments()}
    return [
        f"{report.path.name}: the library says {listed.get(report.path)} frames, not {report.frames}"
        for report in found.segments
        if listed.get(report.path) != report.frames and not _is_twin(report.path.with_suffix(""))
    ]


def _reused(log: Sequence[Op], data: Path) -> list[str]:
    """The next name must be new, also when files with earlier names did not survive."""
    opened = [op.path for op in log if op.kind in ("open", "found") and op.path.is_relative_to("car")]
    given = {SegmentName.parse(path.name) for path in opened}
    place = Store(Disk(), data).place("front", "camera").name
    return [f"{place.stem} is given a second time"] if place in given else []


def _unplayable(found: CheckResult) -> list[str]:
    """Every file with pictures is decoded, to its last picture."""
    bad = []
    for report in found.segments:
        if report.frames:
            with av.open(str(report.path)) as container:
                count = sum(1 for _ in container.decode(video=0))
            if count < report.frames:
                bad.append(f"{report.path.name}: {count} of {report.frames} pictures can be decoded")
    return bad
