"""Makes an incident bundle, step by step, in a folder that gets its name when everything in it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import blackbox_qt
from blackbox_qt.bundle.choose import Choice
from blackbox_qt.bundle.copying import Copied, SourceGoneError, copy, hashed
from blackbox_qt.bundle.facts import Facts, gather
from blackbox_qt.bundle.page import page
from blackbox_qt.bundle.progress import BundleError, CancelledError, Progress, Work
from blackbox_qt.bundle.viewing import Footage, Viewed, view
from blackbox_qt.core import resources
from blackbox_qt.core.local_time import local_words
from blackbox_qt.storage import signature
from blackbox_qt.storage.beside import Journals
from blackbox_qt.storage.check import CheckResult, check_paths
from blackbox_qt.storage.disk import Disk, words_for
from blackbox_qt.storage.library import SegmentInfo
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.vouching import signatures

__all__ = ["Bundle", "BundleError", "CancelledError", "Request", "make_bundle"]

UNFINISHED = ".unfinished"
"""Ends the name of a folder whose bundle is not whole."""
SUMS = "SHA256SUMS"
_ROOM = 16 << 20  # bytes for everything but pictures
_MOST_BYTES = 3_900_000_000  # of a viewing copy: FAT takes 4 GiB less one byte
_WHY = {"paused": "paused by the user", "stopped": "recording was stopped", "power-loss": "the power was cut",
        "interrupted": "recording was interrupted", "stream-changed": "the camera was started anew"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A bundle that somebody wants.

    Threads: immutable, any.
    """

    root: Path  # of the library
    choice: Choice
    out: Path  # the folder to make
    zone: str = ""  # IANA name; "": the system's
    viewing: bool = True
    disk: Disk = field(default_factory=Disk)
    now_ns: int | None = None  # UTC; for tests


@dataclass(frozen=True, slots=True)
class Bundle:
    """One that was made.

    Threads: immutable, any.
    """

    path: Path
    files: tuple[str, ...]  # relative, sorted
    facts: Facts
    result: CheckResult


def make_bundle(
    request: Request,
    progress: Callable[[Progress], None] = lambda _: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Bundle:
    """Make it, which may take as long as the recordings themselves.

    Both callbacks are called often, on the calling thread. Raises BundleError with one sentence,
    CancelledError among them; what was made until then is removed, and if that fails its name ends in `.unfinished`.

    Threads: any; blocks on the disk.
    """
    work = Work(progress, is_cancelled)
    folder = _prepare(request)
    try:
        return _Making(request, folder, work).run()
    except OSError as error:
        raise BundleError(f"{words_for(error, request.out)}. The bundle was not finished.{_removed(folder)}") from error
    except BundleError as error:
        raise type(error)(f"{error}{_removed(folder)}") from error
    except BaseException:  # the door to whatever ends the program: nothing must be left then either
        _removed(folder)
        raise


def _removed(folder: Path) -> str:
    """Take away what was made; "" or what is to be said about it."""
    shutil.rmtree(folder, ignore_errors=True)
    return f" What was made of it is left in {folder}; remove it." if folder.exists() else ""


def _prepare(request: Request) -> Path:
    """The folder to work in; BundleError when there is no room or no place."""
    out, disk = request.out, request.disk
    folder = out.with_name(out.name + UNFINISHED)
    try:
        if disk.exists(out) and not (disk.is_dir(out) and not disk.list(out)):
            raise BundleError(f"{out} is there already; choose a folder that is not.")
        if disk.exists(folder):
            raise BundleError(
                f"{folder} is left from a bundle that was not finished; remove it or choose another folder."
            )
        if not disk.is_dir(out.parent):
            raise BundleError(f"{out.parent} is not there; choose a folder in one that is.")
        size = sum(one.bytes for one in request.choice.segments)
        need = _ROOM + size * (2 if request.viewing else 1)
        free, _ = disk.space(out.parent)
        if free < need:
            raise BundleError(
                f"The bundle needs {_size(need)}, {out.parent} has {_size(free)} left; choose another disk."
            )
        disk.mkdir(folder)
    except OSError as error:
        raise BundleError(f"No bundle can be made at {out}: {error.strerror or error}.") from error
    return folder


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"


class _Making:
    """One bundle under way."""

    def __init__(self, request: Request, folder: Path, work: Work) -> None:
        self._request = request
        self._disk = request.disk
        self._folder = folder
        self._work = work
        self._sums: dict[str, str] = {}  # relative name: SHA-256
        self._copies: dict[SegmentName, Copied] = {}
        self._troubles: list[str] = []

    def run(self) -> Bundle:
        for name in ("originals", "viewing", "signatures"):
            self._disk.mkdir(self._folder / name)
        self._copy_originals()
        journals = Journals(self._disk, self._request.root)
        result = self._check(journals)
        now_ns = self._request.now_ns or int(datetime.now(UTC).timestamp()) * 10**9
        made = f"{local_words(now_ns, self._request.zone)} by the clock of the computer that made it"
        software = f"blackbox-qt {blackbox_qt.__version__}"
        facts = gather(self._request.choice, self._copies, result, journals, made, software, self._request.zone)
        facts.keys = self._write_signatures(result)
        facts.viewed = self._view() if self._request.viewing else []
        facts.troubles = self._troubles + [trouble for viewed in facts.viewed for trouble in viewed.troubles]
        self._write("report.html", page(facts))
        for name in ("README.txt", "verify.py"):
            self._write(name, resources.path(f"bundle/{name}").read_bytes())
        self._finish()
        return Bundle(self._request.out, tuple(sorted([*self._sums, SUMS])), facts, result)

    def _copy_originals(self) -> None:
        segments = self._request.choice.segments
        self._work.begin("copying and comparing", 2 * sum(one.bytes for one in segments))
        for segment in segments:
            try:
                self._copy(segment)
            except SourceGoneError as error:
                self._troubles.append(str(error))
        if not self._copies:
            raise BundleError(f"None of the recordings can be read: {self._troubles[0]}.")

    def _copy(self, segment: SegmentInfo) -> None:
        """The segment, under whichever name it has now, and what lies beside it."""
        final, part = (segment.folder / name for name in (segment.name.final, segment.name.part))
        source = final if self._disk.exists(final) else part
        target = self._folder / "originals" / source.name
        try:
            copied = copy(self._disk, source, target, self._work)
        except SourceGoneError:
            if self._disk.exists(target):
                self._disk.unlink(target)
            raise
        self._copies[segment.name] = copied
        self._sums[f"originals/{source.name}"] = copied.sha256
        if source == part:
            self._troubles.append(f"{source.name} was not finished when it was copied: being recorded, or cut off")
        beside = segment.folder / segment.name.sidecar
        if self._disk.exists(beside):
            target = target.with_name(beside.name)
            self._sums[f"originals/{beside.name}"] = copy(self._disk, beside, target, self._work).sha256

    def _check(self, journals: Journals) -> CheckResult:
        paths = [copied.path for copied in self._copies.values()]
        self._work.begin("checking", len(paths))
        return check_paths(paths, self._disk, journals=journals, look=lambda *_: self._work.move(1))

    def _write_signatures(self, result: CheckResult) -> list[tuple[str, str]]:
        """What openssl needs to verify them; (fingerprint, file) of each key."""
        keys: dict[bytes, str] = {}
        names = {report.name.stem: report.name for report in result.segments if report.name}
        for stem, found in sorted(signatures(result.segments).items()):
            number = len(keys) + 1
            file = keys.setdefault(found.key, f"signatures/device-key{'' if number == 1 else f'-{number}'}.pem")
            if file not in self._sums:
                self._write(file, signature.pem(found.key))
            self._write(f"signatures/{stem}.message", signature.message(names[stem], found.when, found.digest))
            self._write(f"signatures/{stem}.signature", found.signature)
        return [(signature.fingerprint(key), file) for key, file in keys.items()]

    def _view(self) -> list[Viewed]:
        viewed = []
        chosen = [one for one in self._request.choice.segments if one.name in self._copies]
        for camera in sorted({one.name.camera for one in chosen}):
            mine = [one for one in chosen if one.name.camera == camera]
            before: list[SegmentInfo | None] = [None, *mine]
            footage = [
                Footage(one, self._copies[one.name].path, _WHY.get(last.end_reason, "") if last else "")
                for last, one in zip(before, mine, strict=False)
            ]
            self._work.begin(f"viewing copy of {camera}", sum(one.frames for one in mine))
            done = view(
                self._disk, camera, footage, self._folder / "viewing", self._work,
                zone=self._request.zone, moment=self._request.choice.moment, most_bytes=_MOST_BYTES,
            )  # fmt: skip
            for path in done.paths:
                self._sums[f"viewing/{path.name}"] = hashed(self._disk, path)
            viewed.append(done)
        return viewed

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        self._disk.write_small(path, data)
        self._sums[name] = hashed(self._disk, path)

    def _finish(self) -> None:
        """Check sums last, everything on the medium, then its name."""
        text = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._sums.items()))
        self._disk.write_small(self._folder / SUMS, text.encode("ascii"))
        self._disk.sync_all(self._folder)
        if self._disk.exists(self._request.out):
            self._request.out.rmdir()  # it was empty
        self._disk.rename(self._folder, self._request.out)
        self._disk.sync_dir(self._request.out.parent)
