"""`blackbox-qt check`: many segments, and the chain between them. Never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.fmp4 import NO_DIGEST
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.report import Gap, SegmentReport, gap_between, gap_words
from blackbox_qt.storage.segment import PART, SegmentName
from blackbox_qt.storage.verify import verify


@dataclass(frozen=True, slots=True)
class ChainNote:
    """How one segment stands to the one it continues.

    Threads: immutable, any.
    """

    path: Path
    words: str
    bad: bool  # evidence of change; False: worth knowing


@dataclass(slots=True)
class Again:
    """What the records of repeated frames tell twice.

    Threads: one owner.
    """

    lost: Counter[str] = field(default_factory=Counter)  # by cause
    gaps: list[Gap] = field(default_factory=list)

    def add(self, report: SegmentReport, before: SegmentReport) -> None:
        """`report` repeats frames of `before`: from a key frame on, which begins a fragment in both."""
        since = report.first_t_ns
        assert since is not None
        for t_ns, lost in before.losses:
            self.lost += lost if t_ns >= since else Counter()
        self.gaps += [gap for gap in before.gaps if gap.t_ns >= since]


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

    @property
    def ok(self) -> bool:
        """Nothing is damaged, missing in between, or unreadable."""
        bad_note = any(note.bad for note in self.chain)
        return not self.errors and not bad_note and all(report.ok for report in self.segments)

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


def check_paths(paths: Iterable[Path], disk: Disk | None = None) -> CheckResult:
    """Verify files and all segments in directories; every problem becomes words, none an exception."""
    disk = disk or Disk()
    errors: list[str] = []
    files = [file for path in paths for file in _files(disk, path, errors)]
    if not files and not errors:
        errors.append("There is no recording here.")
    reports = tuple(sorted((verify(disk, file) for file in dict.fromkeys(files)), key=_order))
    notes: list[ChainNote] = []
    gaps: list[Gap] = []
    twice = Again()
    repeated = sum(_check_chain(one, notes, gaps, twice) for one in _libraries(reports))
    return CheckResult(reports, tuple(notes), repeated, tuple(errors), tuple(gaps), twice)


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


def _check_chain(reports: Sequence[SegmentReport], notes: list[ChainNote], gaps: list[Gap], twice: Again) -> int:
    """Add what is to be said of one camera's segments; returns how many frames were written twice."""
    repeated = 0
    by_stem = {report.name.stem: report for report in reports if report.name}
    for report in reports:
        assert report.name
        assert report.previous
        called = SegmentName.parse(report.path.name)
        if called and called != report.name:
            words = f"is called {called.stem} but was recorded as {report.name.stem}"
            notes.append(ChainNote(report.path, words, True))
        if by_stem[report.name.stem] is not report:
            notes.append(ChainNote(report.path, "is a second file of the same name", True))
            continue
        before = by_stem.get(report.previous.name)
        note = _continues(report, before, report is reports[0])
        notes += [note] if note else []
        again = _repeated(report, before)
        repeated += again
        if again and before:
            twice.add(report, before)
        gap = None if again or before is None else _gap(before, report)
        if before and gap:
            gaps.append(gap)
            notes.append(ChainNote(report.path, f"{gap_words(gap)}, since {report.previous.name}{_why(before)}", False))
    return repeated


def _gap(before: SegmentReport, report: SegmentReport) -> Gap | None:
    """What is missing between two segments that have no frame in common.

    After `stream-changed` the camera may have been started anew, and its numbers with it: only the times compare.
    """
    if before.last_t_ns is None or report.first_t_ns is None:
        return None
    last_seq = report.first_seq - 1 if before.end_reason == "stream-changed" else before.last_seq
    return gap_between((last_seq, before.last_t_ns), (report.first_seq, report.first_t_ns))


def _why(before: SegmentReport) -> str:
    if before.end_reason in HEALED_WORDS:
        return f", {HEALED_WORDS[before.end_reason]}"
    return f" ended ({before.end_reason})" if before.end_reason else ", which was not finished"


def _continues(report: SegmentReport, before: SegmentReport | None, first: bool) -> ChainNote | None:
    """Compare what a segment says about its forerunner with the forerunner; None when they agree."""
    link, name = report.previous, report.name
    assert link
    assert name
    if not link.name:
        good = link.digest == NO_DIGEST
        return None if good else ChainNote(report.path, "names no forerunner but a hash", True)
    if before is None:
        words = f"continues {link.name}, which is not here"
        return ChainNote(report.path, words, bad=not first)
    assert before.name
    if before.name >= name:
        return ChainNote(report.path, f"continues {link.name}, which is not earlier", True)
    if link.digest not in before.digests:
        return ChainNote(report.path, f"does not continue the {link.name} that is here: one of them was changed", True)
    if before.end_reason not in ("", *HEALED_WORDS) and link.digest != before.digests[-1]:
        return ChainNote(report.path, f"was begun before {link.name} was finished", True)
    return None


def _repeated(report: SegmentReport, before: SegmentReport | None) -> int:
    """Frames at the end of the one before that this one has again."""
    if before is None or report.first_t_ns is None:
        return 0
    return len(set(before.times_ns).intersection(report.times_ns))
