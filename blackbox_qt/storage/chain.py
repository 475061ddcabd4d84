"""One camera's segments of one start, held against each other: names, hashes, what is missing in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blackbox_qt.storage.fmp4 import NO_DIGEST
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.report import Gap, SegmentReport, gap_between, gap_words
from blackbox_qt.storage.segment import SegmentName

Explain = Callable[[Path, str], str]
"""What the journal of the library that a file lies in tells of a missing segment: (the file, the segment) -> words."""


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


@dataclass(slots=True)
class Chain:
    """What is found while chains are followed.

    Threads: one owner.
    """

    explain: Explain
    notes: list[ChainNote] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)  # between segments
    again: Again = field(default_factory=Again)
    repeated: int = 0  # frames that are in two segments

    def follow(self, reports: Sequence[SegmentReport]) -> None:
        """Add what is to be said of one camera's segments of one start, given in order."""
        by_stem = {report.name.stem: report for report in reports if report.name}
        for report in reports:
            assert report.name
            assert report.previous
            called = SegmentName.parse(report.path.name)
            if called and called != report.name:
                self._note(report, f"is called {called.stem} but was recorded as {report.name.stem}", bad=True)
            if by_stem[report.name.stem] is not report:
                self._note(report, "is a second file of the same name", bad=True)
                continue
            before = by_stem.get(report.previous.name)
            if before is None and report.previous.name:
                self._missing(report, report.previous.name, is_first=report is reports[0])
            elif words := _contradiction(report, before):
                self._note(report, words, bad=True)
            if before is not None:
                self._between(report, before)

    def _note(self, report: SegmentReport, words: str, *, bad: bool) -> None:
        self.notes.append(ChainNote(report.path, words, bad))

    def _missing(self, report: SegmentReport, stem: str, *, is_first: bool) -> None:
        """The one it names is not here. What comes before the first that is here may have been deleted long ago."""
        words = f"continues {stem}, which is not here"
        why = self.explain(report.path, stem)
        self._note(report, f"{words}: {why}" if why else words, bad=not is_first and not why.startswith(DELETED))

    def _between(self, report: SegmentReport, before: SegmentReport) -> None:
        again = _repeated(report, before)
        self.repeated += again
        if again:
            self.again.add(report, before)
            return
        gap = _gap(before, report)
        if gap:
            assert report.previous
            self.gaps.append(gap)
            self._note(report, f"{gap_words(gap)}, since {report.previous.name}{why_ended(before)}", bad=False)


DELETED = "deleted at"
"""How an explanation begins that explains."""


def _gap(before: SegmentReport, report: SegmentReport) -> Gap | None:
    """What is missing between two segments that have no frame in common.

    After `stream-changed` the camera may have been started anew, and its numbers with it: only the times compare, and
    that one follows the other proves no long exposure.
    """
    if before.last_t_ns is None or report.first_t_ns is None:
        return None
    last_seq = report.first_seq if before.end_reason == "stream-changed" else before.last_seq
    return gap_between((last_seq, before.last_t_ns), (report.first_seq, report.first_t_ns))


def why_ended(before: SegmentReport) -> str:
    """To be put behind a segment's name."""
    if before.end_reason in HEALED_WORDS:
        return f", {HEALED_WORDS[before.end_reason]}"
    return f" ended ({before.end_reason})" if before.end_reason else ", which was not finished"


def _contradiction(report: SegmentReport, before: SegmentReport | None) -> str:
    """What is wrong between a segment and the one it names, in words; "" when they agree."""
    link = report.previous
    assert link
    if not link.name:
        return "" if link.digest == NO_DIGEST else "names no forerunner but a hash"
    assert before
    assert before.name
    assert report.name
    if before.name >= report.name:
        return f"continues {link.name}, which is not earlier"
    if link.digest not in before.digests:
        return f"does not continue the {link.name} that is here: one of them was changed"
    last = before.digests[-2:] if before.signature else before.digests[-1:]  # healing may have added the signature
    if before.end_reason not in ("", *HEALED_WORDS) and link.digest not in last:
        return f"was begun before {link.name} was finished"
    return ""


def _repeated(report: SegmentReport, before: SegmentReport) -> int:
    """Frames at the end of the one before that this one has again."""
    if report.first_t_ns is None:
        return 0
    return len(set(before.times_ns).intersection(report.times_ns))
