"""`blackbox-qt check`: many segments, and the chain between them. Never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blackbox_qt.storage import beside
from blackbox_qt.storage.beside import DateSeen, Journals
from blackbox_qt.storage.chain import Again, Chain, ChainNote
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.report import Damage, Gap, SegmentReport
from blackbox_qt.storage.segment import PART
from blackbox_qt.storage.verify import verify
from blackbox_qt.storage.vouching import Vouches, vouch


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found in all the files.

    Threads: immutable, any.
    """

    segments: tuple[SegmentReport, ...]
    chain: tuple[ChainNote, ...]
    repeated: int  # frames that are in two segments because they were written again after an error
    errors: tuple[str, ...]  # paths that could not be looked at, in words
    between: tuple[Gap, ...] = ()  # from the end of one segment to the beginning of the one that continues it
    again: Again = field(default_factory=Again)  # what the repeated frames brought with them a second time
    vouches: Vouches = field(default_factory=lambda: Vouches(b"", False, {}))
    dates: tuple[DateSeen, ...] = ()  # that were learnt later
    alone: tuple[ChainNote, ...] = ()  # sidecars whose recording is missing

    @property
    def ok(self) -> bool:
        """Nothing is damaged, changed, missing in between, wrongly signed, or unreadable."""
        bad = any(note.bad for note in (*self.chain, *self.alone)) or any(date.bad for date in self.dates)
        wrong = any(one.bad for one in self.vouches.of.values()) or bool(self.vouches.mixed)
        other = self.vouches.given and any(one.verdict == "other" for one in self.vouches.of.values())
        return not (self.errors or bad or wrong or other) and all(one.ok for one in self.segments)

    @property
    def proven(self) -> bool:
        """No key was given, or it reaches every segment."""
        return not self.vouches.given or not self.vouches.unproven

    @property
    def first_altered(self) -> tuple[SegmentReport, Damage] | None:
        """The earliest place, by start and time, where pictures are not as they were recorded."""
        places = [(one, bad) for one in self.segments if one.name for bad in one.damage if bad.in_pictures]
        return min(places, key=_when, default=None)

    @property
    def frames(self) -> int:
        """Different frames."""
        return sum(report.frames for report in self.segments) - self.repeated

    @property
    def gaps(self) -> int:
        """Places where pictures are missing or the camera's clock went back, in the segments and between them."""
        return len(self.between) + sum(len(report.gaps) for report in self.segments) - len(self.again.gaps)

    @property
    def missing(self) -> int:
        """Numbers the driver gave to pictures that are not here."""
        twice = sum(gap.frames for gap in self.again.gaps)
        return sum(gap.frames for gap in self.between) + sum(report.missing for report in self.segments) - twice

    @property
    def lost(self) -> Counter[str]:
        """Frames recorded as lost, by cause, each once: what the live status said while this was recorded."""
        return sum((report.lost for report in self.segments), Counter[str]()) - self.again.lost

    @property
    def unexplained(self) -> int:
        """Frames that are missing and that no record tells of."""
        return max(0, self.missing - self.lost.total())


def _when(place: tuple[SegmentReport, Damage]) -> tuple[int, int]:
    report, damage = place
    assert report.name
    return report.name.boot, damage.after_ns or report.first_t_ns or 0


def check_paths(
    paths: Iterable[Path],
    disk: Disk | None = None,
    key: bytes = b"",
    journals: Journals | None = None,
    look: Callable[[Path, int, int], None] = lambda *_: None,
) -> CheckResult:
    """Verify files and all segments in directories; every problem becomes words, none an exception.

    key: the public key that must have signed them; without one the first that is seen is believed. journals: tell of
    deletions; those near the files if not given. look(file, number, of) is called before each file is read.
    """
    disk = disk or Disk()
    paths, errors = list(paths), list[str]()
    files = list(dict.fromkeys(file for path in paths for file in _files(disk, path, errors)))
    if not files and not errors:
        errors.append("There is no recording here.")
    reports = tuple(sorted(_verified(disk, files, look), key=_order))
    journals = journals or Journals(disk)
    chain, chains = Chain(journals.explain), _libraries(reports)
    for one in chains:
        chain.follow(one)
    vouches = vouch(chains, key)
    dates, notes = beside.dates(disk, reports, vouches)
    folders = {report.path.parent for report in reports} if any(disk.is_dir(path) for path in paths) else set[Path]()
    return CheckResult(
        segments=reports,
        chain=(*chain.notes, *notes),
        repeated=chain.repeated,
        errors=tuple(errors),
        between=tuple(chain.gaps),
        again=chain.again,
        vouches=vouches,
        dates=tuple(dates),
        alone=tuple(beside.alone(disk, folders, journals)),
    )


def _verified(disk: Disk, files: list[Path], look: Callable[[Path, int, int], None]) -> Iterator[SegmentReport]:
    for number, file in enumerate(files):
        look(file, number, len(files))
        yield verify(disk, file)


def _files(disk: Disk, path: Path, errors: list[str]) -> Iterator[Path]:
    if not disk.is_dir(path):
        yield path
        return
    try:
        entries = disk.list(path)
    except OSError as error:
        errors.append(f"{path} cannot be listed: {error.strerror}.")
        return
    for entry in entries:
        if entry.is_dir:
            yield from _files(disk, path / entry.name, errors)
        elif entry.is_file and entry.name.endswith((".mp4", ".mp4" + PART)):
            yield path / entry.name


def _order(report: SegmentReport) -> tuple[bool, str, str, int, int, str]:
    name = report.name
    if name is None:
        return (True, "", "", 0, 0, str(report.path))
    return (False, report.origin, name.camera, name.boot, name.seq, str(report.path))


def _libraries(reports: Sequence[SegmentReport]) -> list[list[SegmentReport]]:
    """Segments that belong to one chain: a camera's in one start of one library."""
    groups: dict[tuple[bool, str, int], list[SegmentReport]] = {}
    for report in reports:
        if report.name and report.previous:
            groups.setdefault((report.origin == "camera", report.name.camera, report.name.boot), []).append(report)
    return list(groups.values())
