"""Whole bundles: what is in them, that it can be verified by strangers, and what is left when it goes wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from blackbox_qt.bundle import Bundle, BundleError, CancelledError, Progress, Request, by_time, by_trip, make_bundle
from blackbox_qt.bundle import bundle as bundle_module
from blackbox_qt.core.packet import StreamInfo
from blackbox_qt.storage import signature
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.journal_lines import Deletion
from blackbox_qt.storage.library import Library
from tests.storage.fakes import SECOND, Bench, FakeClock, dull
from tests.storage.keys import device_key

from .conftest import MARK, PHONE_NS, Place, make


def originals_only(place: Place, **changes: object) -> Bundle:
    return make_bundle(place.request(viewing=False, **changes))


def run(bundle: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(w) for w in words], cwd=bundle, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def made(marked_drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(Place(marked_drive, tmp_path_factory.mktemp("out") / "incident").request())


# ---- what is in it


def test_the_listing(made: Bundle) -> None:
    there = sorted(str(p.relative_to(made.path)) for p in made.path.rglob("*") if p.is_file())
    assert there == list(made.files)
    stems = [f"{camera}-000001-0000{n}" for camera in ("front", "rear") for n in (1, 2, 3, 4)]
    assert [name for name in there if name.startswith("originals/")] == sorted(
        f"originals/{stem}{end}" for stem in stems for end in (".json", ".mp4")
    )
    assert [name for name in there if "/" not in name] == ["README.txt", "SHA256SUMS", "report.html", "verify.py"]
    assert [name for name in there if name.startswith("viewing/")] == ["viewing/front.mp4", "viewing/rear.mp4"]
    assert "signatures/device-key.pem" in there and len([n for n in there if n.startswith("signatures/")]) == 17


def test_originals_are_byte_for_byte_those_of_the_card(made: Bundle, marked_drive: Path) -> None:
    for path in (made.path / "originals").iterdir():
        (source,) = marked_drive.rglob(path.name)
        assert path.read_bytes() == source.read_bytes()


def test_names_are_fit_for_every_file_system(made: Bundle) -> None:
    names = [part for file in made.files for part in file.split("/")]
    assert all(name.isascii() and not set(name) & set('<>:"\\|?*') and not name.endswith((".", " ")) for name in names)
    assert len({file.lower() for file in made.files}) == len(made.files)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils")
def test_sha256sum_agrees_and_notices(made: Bundle, tmp_path: Path) -> None:
    done = run(made.path, "sha256sum", "--strict", "-c", "SHA256SUMS")
    assert done.returncode == 0 and done.stdout.count(": OK") == len(made.files) - 1
    copy = shutil.copytree(made.path, tmp_path / "copy")
    with (copy / "originals" / "rear-000001-00002.mp4").open("r+b") as file:
        file.seek(5000)
        file.write(b"!")
    assert "originals/rear-000001-00002.mp4: FAILED" in run(copy, "sha256sum", "-c", "SHA256SUMS").stdout


def test_the_verifier_in_it_needs_nothing_but_python(made: Bundle) -> None:
    files = sorted((made.path / "originals").glob("*.mp4"))
    done = run(made.path, sys.executable, "-I", "-S", "verify.py", *files)
    assert done.returncode == 0 and done.stdout.count("complete") == 8, done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_what_the_verifier_prints(made: Bundle) -> None:
    """The commands of README.txt, as they stand there."""
    for path in sorted((made.path / "originals").glob("*.mp4")):
        sign = f"signatures/{path.stem}"
        verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "signatures/device-key.pem", "-rawin"]
        done = run(made.path, *verify, "-in", f"{sign}.message", "-sigfile", f"{sign}.signature")
        assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr
        printed = run(made.path, sys.executable, "verify.py", path).stdout
        end = next(line.split()[-1] for line in printed.splitlines() if line.startswith("end"))
        assert (made.path / f"{sign}.message").read_text().splitlines()[-1] == end
    other = run(made.path, *verify, "-in", "signatures/front-000001-00001.message", "-sigfile", f"{sign}.signature")
    assert other.returncode != 0
    readme = " ".join((made.path / "README.txt").read_text().replace("\\\n", "").split())
    assert " ".join(verify) + " -in signatures/NAME.message -sigfile signatures/NAME.signature" in readme


def test_the_key_is_the_devices(made: Bundle) -> None:
    pem = (made.path / "signatures" / "device-key.pem").read_bytes()
    assert signature.parse_public_key(pem) == device_key().public
    assert made.facts.verdict == "good" and made.result.ok


# ---- what is chosen


def test_a_time_and_a_trip(place: Place) -> None:
    library = place.library()
    assert [s.name.stem for s in by_trip(library, 1).segments] == [s.name.stem for s in library.segments()]
    some = by_time(library, PHONE_NS - SECOND, PHONE_NS + SECOND // 2).segments
    assert [s.name.stem for s in some] == ["front-000001-00001", "rear-000001-00001"]


@pytest.mark.parametrize(
    ("choose", "words"),
    [
        (lambda library: by_trip(library, 9), "There is no trip 9; the last ones are 1."),
        (lambda library: by_time(library, SECOND, 2 * SECOND), "Nothing is recorded from"),
        (lambda library: by_time(library, 2 * SECOND, SECOND), "The end is not after the beginning"),
    ],
)
def test_what_is_not_there_is_one_sentence(place: Place, choose: object, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        choose(place.library())  # type: ignore[operator]


# ---- what is said


def test_a_changed_original_is_named_and_still_bundled(place: Place) -> None:
    path = place.originals()[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    made = originals_only(place)
    assert made.facts.verdict == "bad" and "First altered second: " in made.facts.verdict_words
    assert (made.path / "originals" / path.name).read_bytes() == bytes(data)
    assert next(fact.name for fact in made.facts.segments if fact.state_is_bad) == path.stem


def test_unsigned_recordings_are_said_to_be(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", tmp_path / "incident")
    make(place.data, sign=False)
    made = make_bundle(Request(place.root, by_trip(place.library(), 1), place.out, viewing=False))
    assert made.facts.verdict == "doubt" and not made.facts.keys
    assert not any(name.startswith("signatures/") for name in made.files)


def test_what_is_no_camera_is_said_to_be_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "data", sign=device_key().sign)
    bench.feed(dull(40, info=StreamInfo("front", 64, 64, b"\x01\x42\x00\x0a\xff\xe0\x00", origin="file")))
    bench.finish()
    place = Place(tmp_path / "data", tmp_path / "incident")
    library = Library(Disk(), tmp_path / "data" / "demo", FakeClock())
    library.load()
    made = make_bundle(Request(library.root, by_trip(library, 1), place.out, viewing=False))
    assert made.result.ok and made.facts.verdict == "doubt"
    assert "did not come from a camera: they are a video file that was played." in made.facts.verdict_words


def test_gaps_and_deletions_have_their_causes(place: Place) -> None:
    journal = Journal(Disk(), place.root, FakeClock())
    journal.carry_out(Deletion("front-000001-00009", "the oldest makes room", "janitor"), lambda: None)
    journal.carry_out(Deletion("front-000004-00001", "of another trip", "janitor"), lambda: None)
    facts = originals_only(place).facts
    assert [row[:1] + row[2:] for row in facts.deletions] == [
        ("front-000001-00009", "the oldest makes room", "janitor")
    ]
    assert any("gap of 3.0" in what for _, what, _ in facts.gaps)


def test_a_segment_under_way_is_copied_as_it_is_now(place: Place) -> None:
    bench = Bench(place.data)
    bench.feed(dull(40))
    made = make_bundle(Request(place.root, by_trip(place.library(), 2), place.out, viewing=False))
    assert "originals/front-000002-00001.mp4.part" in made.files
    assert any("was not finished when it was copied" in trouble for trouble in made.facts.troubles)


class BadDisk(Disk):
    """Refuses what it is told to refuse."""

    def __init__(self, **refuse: tuple[str, int]) -> None:
        self.refuse = refuse
        self.free: int | None = None

    def _op(self, op: str, path: object) -> None:
        part, code = self.refuse.get(op, ("\0", 0))
        if part in str(path):
            raise OSError(code, os.strerror(code), str(path))

    def open_read(self, path: Path) -> int:
        self._op("open_read", path)
        return super().open_read(path)

    def create(self, path: Path) -> int:
        self._op("create", path)
        return super().create(path)

    def write(self, fd: int, parts: Sequence[bytes]) -> None:
        self._op("write", os.readlink(f"/proc/self/fd/{fd}"))
        super().write(fd, parts)

    def rename(self, old: Path, new: Path) -> None:
        self._op("rename", new)
        super().rename(old, new)

    def space(self, path: Path) -> tuple[int, int]:
        return (self.free, 1 << 40) if self.free is not None else super().space(path)


def test_a_recording_that_cannot_be_read_is_told_and_the_others_are_kept(place: Place) -> None:
    made = originals_only(place, disk=BadDisk(open_read=("data/recordings/000001/rear-000001-00002.mp4", errno.EIO)))
    assert "originals/rear-000001-00002.mp4" not in made.files and "originals/rear-000001-00003.mp4" in made.files
    assert made.facts.troubles == ["rear-000001-00002.mp4 cannot be read: Input/output error"]


# ---- when it goes wrong


def nothing_left(place: Place) -> bool:
    return not [p.name for p in place.out.parent.iterdir() if p.name.startswith("incident")]


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ({"write": ("originals/rear", errno.ENOSPC)}, "Disk full"),
        ({"write": ("originals/rear", errno.EFBIG)}, r"more than a file may have there \(FAT: 4 GB\)"),
        ({"create": ("originals/rear", errno.EROFS)}, "read-only"),
        ({"rename": ("SHA256SUMS", errno.EIO)}, "Input/output error"),
        ({"open_read": ("originals/", errno.EIO)}, "The bundle was not finished"),
    ],
)
def test_a_disk_that_fails_leaves_nothing_and_one_sentence(
    place: Place, refuse: dict[str, tuple[str, int]], words: str
) -> None:
    with pytest.raises(BundleError, match=words):
        originals_only(place, disk=BadDisk(**refuse))
    assert nothing_left(place)


def test_a_copy_that_is_not_the_original_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar(Disk):
        def write(self, fd: int, parts: Sequence[bytes]) -> None:
            super().write(fd, [parts[0].replace(b"moof", b"m00f", 1), *parts[1:]])

    with pytest.raises(BundleError, match="was not written as it was read"):
        originals_only(place, disk=Liar())
    assert nothing_left(place)


def test_too_little_room_is_said_before_anything_is_written(place: Place) -> None:
    disk = BadDisk(create=("", errno.EIO))
    disk.free = 5_000_000
    with pytest.raises(BundleError, match=r"The bundle needs \d+ MB, .* has 5 MB left"):
        originals_only(place, disk=disk)
    assert nothing_left(place)


@pytest.mark.parametrize("step", ["copying and comparing", "checking", "viewing copy of rear"])
def test_cancelled_at_any_step_leaves_nothing(place: Place, step: str) -> None:
    seen: list[Progress] = []
    with pytest.raises(CancelledError, match=r"^The bundle was cancelled\.$"):
        make_bundle(place.request(), seen.append, lambda: bool(seen) and seen[-1].step == step and seen[-1].done > 0)
    assert seen[-1].step == step and nothing_left(place)


def test_what_cannot_be_removed_bears_the_name_of_something_unfinished(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(BundleError, match=r"is left in .*incident\.unfinished; remove it\.$"):
        originals_only(place, disk=BadDisk(write=("originals/rear", errno.ENOSPC)))
    assert not place.out.exists()
    with pytest.raises(BundleError, match="is left from a bundle that was not finished"):
        originals_only(place)


@pytest.mark.parametrize("what", ["a file", "a full folder", "no parent"])
def test_a_folder_that_will_not_do(place: Place, what: str) -> None:
    if what == "a file":
        place.out.write_text("mine")
    elif what == "a full folder":
        place.out.mkdir()
        (place.out / "mine").write_text("mine")
    out = place.out / "deeper" if what == "no parent" else place.out
    with pytest.raises(BundleError, match=r"is there already|is not there"):
        originals_only(place, out=out)


def test_an_empty_folder_will_do(place: Place) -> None:
    place.out.mkdir()
    assert originals_only(place).path == place.out


def test_progress_goes_forward_and_ends(place: Place) -> None:
    seen: list[Progress] = []
    make_bundle(place.request(), seen.append)
    steps = list(dict.fromkeys(p.step for p in seen))
    assert steps == ["copying and comparing", "checking", "viewing copy of front", "viewing copy of rear"]
    for step in steps:
        part = [p for p in seen if p.step == step]
        assert [p.done for p in part] == sorted(p.done for p in part)
        assert part[-1].done == part[-1].total > 0, step


def test_nothing_of_the_library_is_changed(place: Place) -> None:
    before = {p: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).digest()) for p in place.originals()}
    names = sorted(place.data.rglob("*"))
    originals_only(place)
    assert {p: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).digest()) for p in place.originals()} == before
    assert sorted(place.data.rglob("*")) == names


def test_dates_in_the_bundle_are_those_of_the_sidecar(made: Bundle) -> None:
    body = json.loads((made.path / "originals" / "front-000001-00001.json").read_text())
    assert body["dates"][0]["utc_ns"] == PHONE_NS and body["locks"][0]["mark"] == MARK
    assert made.facts.segments[0].begins == "2026-11-20 14:07:31 KST · phone ±1 s"
