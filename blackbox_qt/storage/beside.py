"""What lies beside the segments, looked at for `check`: dates that were learnt later, notes, journals of deletions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.core import trust
from blackbox_qt.core.clock import Anchor, SystemClock
from blackbox_qt.storage import sidecar, signature
from blackbox_qt.storage.chain import DELETED, ChainNote
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.journal_lines import JournalEntry
from blackbox_qt.storage.report import SegmentReport, moment
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating, Sidecar
from blackbox_qt.storage.vouching import Vouches


class Journals:
    """The journals of deletions near the files that are checked: those of their libraries, or the one of `root`.

    Threads: one.
    """

    def __init__(self, disk: Disk, root: Path | None = None) -> None:
        self._disk = disk
        self._root = root
        self._known: dict[Path, dict[str, JournalEntry]] = {}

    def explain(self, path: Path, stem: str) -> str:
        """Why a segment that belongs beside `path` is not here; "" where there is no journal."""
        journals = [self._read(folder) for folder in self._folders(path)]
        entry = next((journal[stem] for journal in journals if stem in journal), None)
        if entry is not None:
            at = moment(entry.utc_ns) if entry.source != "unsynced" else "a time that nobody knows"
            return f"{DELETED} {at} by {entry.deletion.who}: {entry.deletion.why}"
        return "missing, and no journal of deletions explains it" if any(journals) else ""

    def deletions(self, paths: Iterable[Path]) -> list[JournalEntry]:
        """All that the libraries of these files tell, oldest first."""
        folders = {folder for path in paths for folder in self._folders(path)}
        return [entry for folder in sorted(folders) for entry in self._read(folder).values()]

    def _folders(self, path: Path) -> tuple[Path, ...]:
        return (path.parent.parent, path.parent) if self._root is None else (self._root,)

    def _read(self, folder: Path) -> dict[str, JournalEntry]:
        if folder not in self._known:
            try:
                entries = Journal(self._disk, folder, SystemClock()).entries()
            except OSError:  # one that cannot be read explains nothing
                entries = ()
            self._known[folder] = {one.deletion.what: one for one in entries if one.state != "kept"}
        return self._known[folder]


@dataclass(frozen=True, slots=True)
class DateSeen:
    """A date of a sidecar, and what it is worth.

    Threads: immutable, any.
    """

    path: Path  # of the segment
    date: Dating
    signed: bool | None  # None: it is not signed, or cannot be checked
    words: str
    bad: bool


def dates(disk: Disk, reports: Iterable[SegmentReport], vouches: Vouches) -> tuple[list[DateSeen], list[ChainNote]]:
    """Dates beside these segments; and what else is to be said of their sidecars."""
    reports = [report for report in reports if report.name]
    sealed = _sealed(reports)
    seen: list[DateSeen] = []
    notes: list[ChainNote] = []
    for report in reports:
        beside = _sidecar(disk, report, notes)
        assert report.name
        for date in beside.dates:
            seen.append(_judge(report, report.name, date, sealed.get(report.machine_boot, ()), vouches))
        notes += [ChainNote(report.path, _note_words(note.text, note.by), False) for note in beside.notes]
    return seen, notes


def _sidecar(disk: Disk, report: SegmentReport, notes: list[ChainNote]) -> Sidecar:
    called = SegmentName.parse(report.path.name) or report.name
    assert called
    path = report.path.parent / called.sidecar
    try:
        if disk.exists(path):
            return sidecar.decode(disk.read_small(path, sidecar.MAX_BYTES), called)
    except (OSError, ValueError):
        notes.append(ChainNote(report.path, f"{path.name} beside it cannot be understood", False))
    return Sidecar(called.stem)


def _note_words(text: str, by: str) -> str:
    return f"note by {by or 'somebody'}, proven by nothing: {text[:200]}"


def _sealed(reports: Iterable[SegmentReport]) -> Mapping[str, Sequence[tuple[str, Anchor]]]:
    """The clocks that are sealed in whole segments and that somebody vouches for, by start of the machine."""
    found: dict[str, list[tuple[str, Anchor]]] = {}
    for report in reports:
        if report.ok and report.name and report.machine_boot and report.anchor and trust.vouched(report.anchor):
            found.setdefault(report.machine_boot, []).append((report.name.stem, report.anchor))
    return found


def _judge(
    report: SegmentReport, name: SegmentName, date: Dating, sealed: Sequence[tuple[str, Anchor]], vouches: Vouches
) -> DateSeen:
    within = "" if date.uncertainty_ns is None else f" within {date.uncertainty_ns / 1e9:g} s"
    told = f"by {date.source}{within}{f', told by {date.by}' if date.by else ''}"
    begins = moment(trust.utc_at(date, report.first_t_ns)) if report.first_t_ns is not None else "no picture"
    signed, worth, bad = _worth(date, name, vouches)
    against = next((stem for stem, anchor in sealed if trust.contradict(anchor, date)), "")
    contradicts = f"; CONTRADICTS the clock that is sealed in {against}" if against else ""
    return DateSeen(report.path, date, signed, f"dated later {told}: it begins {begins}; {worth}{contradicts}", bad)


def _worth(date: Dating, name: SegmentName, vouches: Vouches) -> tuple[bool | None, str, bool]:
    """Whether it is signed, that in words, and whether it is evidence of change."""
    if not date.signature and not date.key:
        return None, "not signed, so it proves nothing", False
    signed = signature.date_verifies(date, name)
    if signed is None:
        return None, "its signature was not checked: the Python package cryptography is missing", False
    if not signed:
        return False, "CHANGED: no device has signed it like this", True
    if vouches.key and date.key != vouches.key.hex():
        return True, "SIGNED BY ANOTHER KEY", vouches.given
    return True, "signed", False


def alone(disk: Disk, folders: Iterable[Path], journals: Journals) -> Iterator[ChainNote]:
    """Sidecars of finished segments that are not here, though no journal tells of their deletion.

    Evidence only where there is a journal: without one nobody knows what its owner has taken away.
    """
    for folder in sorted(folders):
        try:
            names = {entry.name for entry in disk.list(folder)}
            for name in filter(None, map(_of_sidecar, sorted(names))):
                if not names & {name.final, name.part} and sidecar.read(disk, folder, name).state == "finished":
                    why = journals.explain(folder / name.sidecar, name.stem)
                    if not why.startswith(DELETED):
                        words = f"{folder / name.sidecar} is here without its recording"
                        yield ChainNote(folder, f"{words}: {why}." if why else f"{words}.", bool(why))
        except OSError as error:
            yield ChainNote(folder, f"{folder} cannot be read: {error.strerror}.", True)


def _of_sidecar(file_name: str) -> SegmentName | None:
    return SegmentName.parse(file_name.removesuffix(".json")) if file_name.endswith(".json") else None
