"""What a bundle's report says: gathered from the check of the copies, in words, ready to be set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blackbox_qt.bundle.choose import Choice
from blackbox_qt.bundle.copying import Copied
from blackbox_qt.bundle.times import Dial
from blackbox_qt.bundle.viewing import Viewed
from blackbox_qt.core.local_time import local_words
from blackbox_qt.storage import vouching
from blackbox_qt.storage.beside import Journals
from blackbox_qt.storage.check import CheckResult
from blackbox_qt.storage.check_text import first_altered
from blackbox_qt.storage.claims import not_shown, shown
from blackbox_qt.storage.library import SegmentInfo
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.report import SegmentReport, gap_words
from blackbox_qt.storage.segment import SegmentName

_MOST = 500  # rows of a table
_ENDED = {"full": "full, the next one follows", "stopped": "recording was stopped", "paused": "paused by the user",
          "stream-changed": "the camera was started anew", "clock-changed": "the camera's clock went back",
          "moved": "recording went on elsewhere", **HEALED_WORDS}  # fmt: skip

_NOT_A_CAMERA = {"pattern": "a test pattern", "file": "a video file that was played"}


@dataclass(frozen=True, slots=True)
class SegmentFact:
    """A row of the table of segments.

    Threads: immutable, any.
    """

    name: str
    camera: str
    source: str  # what the pictures came from
    begins: str
    ends: str
    seconds: float
    frames: int
    lost: str
    end: str
    bytes: int
    sha256: str
    state: str
    state_is_bad: bool


@dataclass(slots=True)
class Facts:
    """All that the report tells.

    Threads: the one that makes the bundle.
    """

    asked: str
    made: str
    software: str
    verdict: Literal["good", "doubt", "bad"]
    verdict_words: str
    segments: list[SegmentFact]
    gaps: list[tuple[str, str, str]]  # camera, what, cause
    deletions: list[tuple[str, str, str, str]]  # segment, when, why, who
    beside: list[tuple[str, str]]  # segment, what was learnt or said later
    shown: list[str]
    not_shown: list[str]
    keys: list[tuple[str, str]]  # fingerprint, file
    viewed: list[Viewed] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)  # what could not be had


def gather(
    choice: Choice,
    copies: dict[SegmentName, Copied],
    result: CheckResult,
    journals: Journals,
    made: str,
    software: str,
    zone: str,
) -> Facts:
    """From the choice, the copies by segment, and the check of the copies."""
    infos = {info.name: info for info in choice.segments}
    of_path = {copied.path: infos[name] for name, copied in copies.items()}
    verdict, words = _verdict(result)
    return Facts(
        asked=choice.words,
        made=made,
        software=software,
        verdict=verdict,
        verdict_words=words,
        segments=[
            _segment(report, of_path[report.path], copies[of_path[report.path].name], result, zone)
            for report in sorted(result.segments, key=lambda one: one.path.name)
            if report.path in of_path
        ],
        gaps=list(_gaps(result, of_path, zone))[:_MOST],
        deletions=list(_deletions(journals, choice, zone))[-_MOST:],
        beside=list(_beside(result, of_path))[:_MOST],
        shown=shown(result),
        not_shown=not_shown(result),
        keys=[],
    )


def _verdict(result: CheckResult) -> tuple[Literal["good", "doubt", "bad"], str]:
    if not result.ok:
        place = result.first_altered
        words = first_altered(*place) if place else "See the table of segments and what is said below it."
        return "bad", f"Not everything is as it was recorded. {words}"
    if strange := sorted({one.origin for one in result.segments} - {"camera"}):
        what = " and ".join(_NOT_A_CAMERA.get(origin, "an unknown source") for origin in strange)
        return (
            "doubt",
            f"Nothing was seen to be changed, but these pictures did not come from a camera: they are {what}.",
        )
    bare = sum(not one.good for one in result.vouches.of.values())
    if bare:
        return "doubt", f"Nothing was seen to be changed; {bare} of {len(result.segments)} files have no signature."
    return "good", "Every file is as it was when it was finished and signed."


def _segment(report: SegmentReport, info: SegmentInfo, copied: Copied, result: CheckResult, zone: str) -> SegmentFact:
    dial = Dial(info, zone)
    vouch = result.vouches.of.get(report.path)
    state = "as recorded" if report.ok else f"{report.state.upper()}: {report.damage[0].words if report.damage else ''}"
    if vouch is not None:
        state += f"; {vouching.words(vouch, result.vouches.given)}"
    bad_note = [note.words for note in result.chain if note.path == report.path and note.bad]
    return SegmentFact(
        name=info.name.stem,
        camera=info.name.camera,
        source=f"{report.device or 'unknown'}, {report.width}x{report.height}",
        begins=dial.words(report.first_t_ns) if report.first_t_ns is not None else "no picture",
        ends=dial.words(report.last_t_ns) if report.last_t_ns is not None else "no picture",
        seconds=report.duration_s,
        frames=report.frames,
        lost=_lost(report.lost) or ("0" if not report.missing else f"{report.missing}, cause not recorded"),
        end=_ENDED.get(report.end_reason, report.end_reason) or "not finished",
        bytes=copied.bytes,
        sha256=copied.sha256,
        state="; ".join([state, *bad_note]),
        state_is_bad=not report.ok or bool(bad_note) or (vouch is not None and vouch.verdict in ("wrong", "other")),
    )


def _lost(lost: Counter[str]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in sorted(lost.items()) if count)


def _gaps(result: CheckResult, of_path: dict[Path, SegmentInfo], zone: str) -> Iterator[tuple[str, str, str]]:
    """Holes in the segments, and what the chain tells of those between them."""
    for report in result.segments:
        info = of_path.get(report.path)
        if info is None:
            continue
        for gap in report.gaps:
            where = f"{info.name.stem}, after {Dial(info, zone).words(gap.t_ns)}"
            cause = _causes(report, gap.t_ns, gap.t_ns + max(0, gap.length_ns))
            yield where, gap_words(gap), cause or "no cause recorded"
        for note in result.chain:
            if note.path == report.path and not note.words.startswith("note by"):
                yield info.name.stem, note.words, _causes(report, 0, report.first_t_ns or 0)


def _causes(report: SegmentReport, after_ns: int, until_ns: int) -> str:
    """What the records of the pictures behind a gap tell of those that are missing."""
    causes = Counter[str]()
    for t_ns, lost in report.losses:
        causes += lost if after_ns < t_ns <= until_ns else Counter()
    return _lost(causes)


def _deletions(journals: Journals, choice: Choice, zone: str) -> Iterator[tuple[str, str, str, str]]:
    """What the library's journal tells of the same starts."""
    starts = {info.name.boot for info in choice.segments}
    for entry in journals.deletions([choice.segments[0].path]):
        name = SegmentName.parse(entry.deletion.what)
        if name is not None and name.boot in starts:
            when = local_words(entry.utc_ns, zone, entry.source)
            yield name.stem, when, entry.deletion.why, entry.deletion.who


def _beside(result: CheckResult, of_path: dict[Path, SegmentInfo]) -> Iterator[tuple[str, str]]:
    for date in result.dates:
        if date.path in of_path:
            yield of_path[date.path].name.stem, date.words
    for path, info in of_path.items():
        for lock in info.sidecar.locks:
            said = ", ".join(word for word in (lock.reason, lock.note) if word)
            yield (
                info.name.stem,
                f"kept by mark {lock.mark}, set by {lock.by or 'somebody'}{f': {said}' if said else ''}",
            )
        yield from (
            (info.name.stem, note.words)
            for note in result.chain
            if note.path == path and note.words.startswith("note by")
        )
