"""Goes through a library once after a start: heals what is unfinished, and clears up what a cut left beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from blackbox_qt.storage import library_scan, sidecar
from blackbox_qt.storage.disk import Disk, StorageError, words_for
from blackbox_qt.storage.healing import Healed, Healer, Stopped
from blackbox_qt.storage.segment import PART, SegmentName

log = logging.getLogger(__name__)

Work = Callable[[], Healed | None]

_BESIDE = (".json", ".json.tmp")


def heal_library(
    disk: Disk, root: Path, ours: Collection[int], healer: Healer, stop: Callable[[], bool] = lambda: False
) -> list[Healed]:
    """Heal every unfinished segment whose start is not one of `ours`; the newest first.

    One that cannot be healed does not keep the others from it. StorageError at the end, with words, when there was one.

    Threads: one at a time; blocks on the disk.
    """
    healed: list[Healed] = []
    troubles: list[str] = []
    try:
        for folder in library_scan.folders(disk, root) if disk.is_dir(root) else ():
            healer.rest()
            for what in _work(disk, folder, _names(disk, folder, troubles), ours, healer):
                if stop():
                    return healed
                if (one := _try(what, folder, troubles)) is not None:
                    log.info("%s", one.words)
                    healed.append(one)
    except Stopped:
        return healed
    if troubles:
        raise StorageError(f"Not everything could be healed: {troubles[0]}")
    return healed


def _names(disk: Disk, folder: Path, troubles: list[str]) -> list[str]:
    try:
        return [entry.name for entry in disk.list(folder) if entry.is_file]
    except OSError as error:  # a folder that cannot be read does not keep the others from it
        troubles.append(words_for(error, folder))
        return []


def _try(what: Work, folder: Path, troubles: list[str]) -> Healed | None:
    try:
        return what()
    except OSError as error:
        troubles.append(words_for(error, folder))
        return None


def _work(disk: Disk, folder: Path, names: list[str], ours: Collection[int], healer: Healer) -> Iterator[Work]:
    """What there is to do in one folder, as calls."""
    there = {name for file in names if (name := _segment(file)) and name.boot not in ours}
    files = frozenset(names)
    for name in sorted(there, reverse=True):
        if name.part in files:
            followed = any((o.camera, o.boot) == (name.camera, name.boot) and o.seq > name.seq for o in there)
            yield partial(healer.heal, folder, name, followed=followed)
    for file in names:
        beside = _sidecar_of(file)
        if beside is None or beside.boot in ours:
            continue
        if beside not in there:
            yield partial(_put_away, disk, folder, file, beside, healer)
        elif file.endswith(".tmp"):
            yield partial(_tidy, disk, folder, beside)


def _segment(file: str) -> SegmentName | None:
    return SegmentName.parse(file) if file.endswith((".mp4", ".mp4" + PART)) else None


def _sidecar_of(file: str) -> SegmentName | None:
    ending = next((ending for ending in _BESIDE if file.endswith(ending)), None)
    return SegmentName.parse(file.removesuffix(ending)) if ending else None


def _tidy(disk: Disk, folder: Path, name: SegmentName) -> None:
    sidecar.tidy(disk, folder, name)


def _put_away(disk: Disk, folder: Path, file: str, name: SegmentName, healer: Healer) -> None:
    """A sidecar whose segment is not there any more."""
    with sidecar.turn(folder, name):
        path = folder / file
        gone = not (disk.exists(folder / name.final) or disk.exists(folder / name.part))
        if not gone or not disk.exists(path):
            return
        kept = healer.quarantine.keep(path, 0, file)
        disk.unlink(path)
        log.info("%s belongs to no segment that is here; it is kept in quarantine as %s", path, kept)
