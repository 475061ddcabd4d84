"""What `blackbox-qt check` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from blackbox_qt.core.doubt import conflict_words
from blackbox_qt.core.trust import Pair
from blackbox_qt.storage import vouching
from blackbox_qt.storage.check import CheckResult
from blackbox_qt.storage.claims import claims
from blackbox_qt.storage.record import HEALED_WORDS
from blackbox_qt.storage.report import Damage, SegmentReport, gap_words, moment


def lines(result: CheckResult) -> list[str]:
    """What the command prints."""
    text: list[str] = []
    beside: dict[Path, list[str]] = {}
    for path, words in _beside(result):
        beside.setdefault(path, []).append(f"  {words}")
    for report in result.segments:
        text += report_lines(report)
        text += beside.get(report.path, [])
    text += list(result.errors)
    text += [note.words for note in result.alone]
    if result.segments:
        if any(report.fragments for report in result.segments):
            text += claims(result)
        text += [first_altered(*place)] if (place := result.first_altered) else []
        text.append(_summary(result))
    return [_printable(line) for line in text]


def _beside(result: CheckResult) -> Iterator[tuple[Path, str]]:
    """What is said of a file beyond its own report."""
    for report in result.segments:
        one = result.vouches.of.get(report.path)
        if one and (one.verdict != "unsigned" or result.vouches.key):
            yield report.path, vouching.words(one, result.vouches.given)
    for date in result.dates:
        yield date.path, date.words
    yield from _doubts(result)
    for note in result.chain:
        yield note.path, f"{'CHAIN BROKEN' if note.bad else 'chain'}: {note.words}"


def _doubts(result: CheckResult) -> Iterator[tuple[Path, str]]:
    """Where the times that are sealed in a file and learnt later cannot all be right."""
    dates: dict[Path, list[Pair]] = {}
    for seen in result.dates:
        dates.setdefault(seen.path, []).append(seen.date)
    for report in result.segments:
        own: list[Pair] = [report.anchor] if report.anchor else []
        words = conflict_words([*own, *dates.get(report.path, ())], "UTC")
        if words:
            yield report.path, words


def first_altered(report: SegmentReport, damage: Damage) -> str:
    """The first second that is not as it was recorded, by the file's own count and by the clock."""
    assert report.name
    after = damage.after_ns
    if after is None or report.first_t_ns is None:
        return f"First altered second: the first one of {report.name.stem}."
    second = (after - report.first_t_ns) // 10**9
    return f"First altered second: {second} of {report.name.stem}, after {_at(report, after)}."


def _summary(result: CheckResult) -> str:
    seconds = sum(report.duration_s for report in result.segments)
    again = f" ({result.repeated} more were written twice)" if result.repeated else ""
    gaps = "1 gap" if result.gaps == 1 else f"{result.gaps} gaps"
    holes = f"; {gaps}, {result.missing} frame numbers missing" if result.gaps else ""
    holes += _causes(result)
    verdict = "All is as it was recorded." if result.ok else "NOT all is as it was recorded."
    if result.ok and not result.proven:
        count = result.vouches.unproven
        verdict = f"Nothing was seen to be changed, but the key given does not vouch for {count} of the files."
    return f"{len(result.segments)} files, {result.frames} frames{again}, {seconds:.1f} s{holes}. {verdict}"


def _causes(result: CheckResult) -> str:
    """The truth meter's total: every missing frame with its cause, and how many have none."""
    causes = [f"{count} {cause}" for cause, count in sorted(result.lost.items())]
    unknown = [f"{result.unexplained} without a recorded cause"] if result.unexplained else []
    return f"; lost: {', '.join(causes + unknown)}" if causes or unknown else ""


def report_lines(report: SegmentReport) -> list[str]:
    """One file in words, the first line by itself a summary."""
    if report.state == "unreadable":
        return [f"{report.path}: {report.damage[0].words}"]
    ended = HEALED_WORDS.get(report.end_reason, f"finished ({report.end_reason})")
    ending = ended if report.end_reason else "not finished"
    counts = f"{report.frames} frames, {report.key_frames} key, {report.duration_s:.3f} s"
    text = [f"{report.path}: {report.state.upper() if not report.ok else ending}; {counts}; {_source(report)}"]
    text += [f"  {_when(report)}"] if report.first_t_ns is not None else []
    if report.torn_bytes:
        text.append(f"  cut off: the last {report.torn_bytes} bytes are not a whole fragment")
    text += [f"  damaged: bytes {bad.offset} to {bad.end}: {bad.words}{_where(report, bad)}" for bad in report.damage]
    if report.missing or +report.lost:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(report.lost.items()) if count)
        text.append(f"  {report.missing} frame numbers missing; recorded as lost: {causes or 'none'}")
    text += [f"  {gap_words(gap)}, {_at(report, gap.t_ns)}" for gap in report.gaps]
    return text


def _where(report: SegmentReport, bad: Damage) -> str:
    """Which pictures that touches."""
    said = {"head": "what the file says of itself, not its pictures", "end": "what it says of its end, no picture"}
    if not bad.in_pictures:
        return f" ({words})" if (words := said.get(bad.kind)) else ""
    if bad.after_ns is None and bad.until_ns is None:
        return ""
    after = "from the first picture on" if bad.after_ns is None else f"after {_at(report, bad.after_ns)}"
    return f" ({after}, until {_at(report, bad.until_ns)})" if bad.until_ns is not None else f" ({after})"


def _source(report: SegmentReport) -> str:
    what = {"camera": "from a camera", "pattern": "a TEST PATTERN", "file": "from a FILE, not a camera"}
    return f"{what.get(report.origin, report.origin)} ({report.device}), {report.width}x{report.height}"


def _when(report: SegmentReport) -> str:
    assert report.first_t_ns is not None
    assert report.last_t_ns is not None
    return f"{_at(report, report.first_t_ns)} to {_at(report, report.last_t_ns)}{_vouched(report)}"


def _at(report: SegmentReport, t_ns: int) -> str:
    utc = report.utc_ns(t_ns)
    boot = f"{t_ns / 1e9:.3f} s after start"
    words = "" if utc is None else moment(utc)
    return f"{words} ({boot})" if words else boot


def _vouched(report: SegmentReport) -> str:
    anchor = report.anchor
    if anchor is None or anchor.source == "unsynced":
        return "; the clock was not set by anything that is known"
    within = "" if anchor.uncertainty_ns is None else f", within {anchor.uncertainty_ns / 1e6:.1f} ms"
    return f"; clock by {anchor.source}{within}"


def _printable(line: str) -> str:
    """Names and texts from a file may hold anything; a terminal must not obey it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
