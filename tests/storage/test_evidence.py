"""What `check` says to somebody who changed, swapped, took away or forged something."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.storage import fmp4, signature
from blackbox_qt.storage import record as record_bodies
from blackbox_qt.storage.check import CheckResult, check_paths
from blackbox_qt.storage.check_text import lines
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.journal import Journal
from blackbox_qt.storage.journal_lines import Deletion
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.sidecar import Dating, Note
from blackbox_qt.storage.verify import FileBytes
from blackbox_qt.storage.walk import Piece, Walk

from .fakes import SECOND, START_NS, Bench, FakeClock, clip, dull, record
from .keys import device_key

KEY = device_key().public


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four signed segments of a drive, with sidecars."""
    root = tmp_path_factory.mktemp("drive")
    record(root, dull(120), segment_s=0.9, sign=device_key().sign)
    return root


@pytest.fixture
def copy(drive: Path, tmp_path: Path) -> list[Path]:
    shutil.copytree(drive, tmp_path, dirs_exist_ok=True)
    return sorted(tmp_path.rglob("*.mp4"))


def text(result: CheckResult) -> str:
    return "\n".join(lines(result))


def verdicts(result: CheckResult) -> list[str]:
    return [one.verdict for _, one in sorted(result.vouches.of.items())]


def pieces(path: Path) -> list[Piece]:
    with FileBytes(Disk(), path) as source:
        return list(Walk(source))


def test_a_signed_drive(copy: list[Path], tmp_path: Path) -> None:
    result = check_paths([tmp_path], key=KEY)
    assert result.ok and result.proven and verdicts(result) == ["signed"] * 4
    words = text(result)
    print_ = signature.spelled(signature.fingerprint(KEY))
    assert words.count(f"  signed by device key {print_}") == 4
    assert f"Shown: 4 files are as whoever holds the device key {print_}, the key given, finished them." in words
    assert "Not shown: that the scene was real" in words
    assert words.endswith("All is as it was recorded.")


def test_without_a_key_the_first_seen_is_believed_and_said_to_be(copy: list[Path], tmp_path: Path) -> None:
    result = check_paths([tmp_path])
    assert result.ok and verdicts(result) == ["signed"] * 4
    assert "Not shown: whose key that is: compare its fingerprint" in text(result)


# ---- changed


@pytest.mark.parametrize("second", [0, 1, 2])
@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_the_first_altered_second_is_named(tmp_path: Path, second: int, where: float) -> None:
    """A bit in a fragment of that second is flipped, and another one later."""
    (path,) = record(tmp_path, clip(), segment_s=60, sign=device_key().sign)
    fragments = [p for p in pieces(path) if p.kind == "fragment" and p.body]
    inside = [p for p in fragments if p.body and second <= (p.body["t_ns"] - START_NS) / SECOND < second + 1]
    hit = inside[min(len(inside) - 1, int(where * len(inside)))]
    data = bytearray(path.read_bytes())
    for piece in {hit.offset: hit, fragments[-1].offset: fragments[-1]}.values():
        data[piece.offset + int(where * (piece.end - piece.offset))] ^= 0x10
    path.write_bytes(data)
    result = check_paths([path])
    place = result.first_altered
    assert not result.ok and place is not None
    last_good = max(
        (f.body["t_ns"] + sum(f.body["dt_ns"]) for f in fragments if f.body and f.offset < hit.offset), default=None
    )
    assert place[1].after_ns == last_good
    if last_good is None:
        assert "First altered second: the first one of front-000001-00001." in text(result)
        return
    named = f"First altered second: {(last_good - START_NS) // SECOND} of front-000001-00001, after 2026-09-21 14:14:"
    assert named in text(result) and f"({last_good / SECOND:.3f} s after start)" in text(result)


def test_what_the_file_says_of_itself_is_no_picture(copy: list[Path]) -> None:
    data = bytearray(copy[1].read_bytes())
    data[data.index(b'"anchor"') + 30] ^= 1  # the date in the head
    copy[1].write_bytes(data)
    result = check_paths([copy[1]])
    assert not result.ok and result.first_altered is None
    assert "(what the file says of itself, not its pictures)" in text(result)


def test_pictures_changed_with_all_hashes_made_anew_are_found_by_the_signature(
    copy: list[Path], tmp_path: Path
) -> None:
    forge(copy[-1], lambda data: data.replace(b"data", b"DATA"))
    assert check_paths([copy[-1]]).ok is False, "the old signature does not fit the new end"
    forge(copy[-1], lambda data: data, drop_signature=True)
    assert check_paths([copy[-1]]).ok, "who takes the signature away too has made a whole file,"
    result = check_paths([tmp_path], key=KEY)
    assert result.ok and not result.proven, "but not one that the key vouches for"
    assert verdicts(result) == ["signed"] * 3 + ["unsigned"]
    assert text(result).endswith("but the key given does not vouch for 1 of the files.")
    assert "who made the 1 files that no signature reaches" in text(result)


def test_a_forged_segment_in_the_middle_breaks_the_chain(copy: list[Path], tmp_path: Path) -> None:
    forge(copy[1], lambda data: data.replace(b"data", b"DATA"), drop_signature=True)
    assert check_paths([copy[1]]).ok
    result = check_paths([tmp_path])
    assert not result.ok
    assert "does not continue the front-000001-00002 that is here: one of them was changed" in text(result)
    assert verdicts(result) == ["signed", "unsigned", "signed", "signed"], "no signature reaches over a broken link"


def test_a_signature_that_was_taken_away_is_missed_by_the_next_segment(copy: list[Path], tmp_path: Path) -> None:
    forge(copy[1], lambda data: data, drop_signature=True)
    assert not check_paths([tmp_path]).ok


def test_a_forger_with_a_key_of_his_own(copy: list[Path], tmp_path: Path) -> None:
    forge(copy[1], lambda data: data.replace(b"data", b"DATA"), sign="forger")
    result = check_paths([copy[1]])
    assert result.ok, "alone, and with the key it brings along, it is whole:"
    assert "whose key that is" in text(result)
    result = check_paths([copy[1]], key=KEY)
    assert not result.ok and "SIGNED BY ANOTHER KEY" in text(result)
    result = check_paths([tmp_path])
    assert not result.ok and result.vouches.mixed == (copy[1],), "two keys in one start"


def forge(path: Path, change: Callable[[bytes], bytes], *, drop_signature: bool = False, sign: str = "") -> None:
    """Change the fragments' bytes and make all hashes anew, as anybody can."""
    data, out, previous = path.read_bytes(), b"", b""
    for piece in pieces(path):
        raw = data[piece.offset : piece.end]
        if piece.kind == "index" or piece.body is None:
            out += raw
            continue
        body, text_ = piece.body, record_bodies.encode(piece.body)
        if piece.kind == "head":
            previous = bytes.fromhex(body["previous"]["hash"])
        before = raw[: raw.rindex(b"uuid" + fmp4.RECORD_UUID) - 4]
        if piece.kind == "fragment":
            before = change(before)
        if piece.kind == "signature":
            if drop_signature:
                continue
            if sign:
                name = check_paths([path]).segments[0].name
                assert name
                made = device_key(sign).sign(name, previous, "close")
                assert made
                text_ = record_bodies.encode({**made, "anchor": body["anchor"]})
        previous = hashlib.sha256(previous + before + text_).digest()
        out += before + fmp4.record_box(previous, text_)
    path.write_bytes(out)


def test_a_later_signature_reaches_back_over_unsigned_segments(tmp_path: Path) -> None:
    """The key was loaded after the first segment had ended."""
    asked: list[int] = []

    def late(name: object, digest: bytes, when: signature.When) -> dict[str, object] | None:
        asked.append(1)
        return device_key().sign(name, digest, when) if len(asked) > 2 else None  # type: ignore[arg-type]

    record(tmp_path, dull(120), segment_s=0.9, sign=late)
    result = check_paths([tmp_path], key=KEY)
    assert result.ok and result.proven
    assert verdicts(result) == ["covered", "covered", "signed", "signed"]
    assert "not signed itself; front-000001-00003 continues it as it is, and is signed" in text(result)


def test_it_reaches_no_further_than_a_gap_in_the_chain(tmp_path: Path) -> None:
    paths = record(tmp_path, dull(120), segment_s=0.9)
    assert verdicts(check_paths([tmp_path])) == ["unsigned"] * len(paths)
    assert "signed" not in text(check_paths(paths[:1])).split("Shown")[0]


# ---- missing, swapped, renamed


def test_a_removed_segment_that_the_journal_explains(copy: list[Path], tmp_path: Path) -> None:
    copy[1].unlink()
    copy[1].with_suffix(".json").unlink()
    result = check_paths([tmp_path])
    assert not result.ok and "continues front-000001-00002, which is not here" in text(result)
    journal = Journal(Disk(), tmp_path / "recordings", FakeClock())
    journal.begin(Deletion("front-000009-00001", "another", "janitor"))
    result = check_paths([tmp_path])
    assert not result.ok and "which is not here: missing, and no journal of deletions explains it" in text(result)
    journal.carry_out(Deletion("front-000001-00002", "the oldest makes room", "janitor"), lambda: None)
    result = check_paths([tmp_path])
    assert result.ok
    assert "which is not here: deleted at 2026-09-21 14:14:00.000 UTC by janitor: the oldest makes room" in text(result)


def test_a_deletion_that_was_called_off_explains_nothing(copy: list[Path], tmp_path: Path) -> None:
    journal = Journal(Disk(), tmp_path / "recordings", FakeClock())
    journal.kept(journal.begin(Deletion("front-000001-00002", "the oldest makes room", "janitor")), "a mark keeps it")
    copy[1].unlink()
    assert not check_paths([tmp_path]).ok


def test_the_last_segment_leaves_its_sidecar_behind(copy: list[Path], tmp_path: Path) -> None:
    copy[-1].unlink()
    result = check_paths([tmp_path])
    assert result.ok and "front-000001-00004.json is here without its recording." in text(result)
    journal = Journal(Disk(), tmp_path / "recordings", FakeClock())
    journal.begin(Deletion("front-000009-00001", "another", "janitor"))
    assert not check_paths([tmp_path]).ok, "who writes down what he deletes has not deleted this one"
    journal.carry_out(Deletion("front-000001-00004", "forgotten", "page"), lambda: None)
    assert check_paths([tmp_path]).ok


def test_a_renamed_segment_is_named(copy: list[Path], tmp_path: Path) -> None:
    copy[3].rename(copy[3].with_name("front-000002-00001.mp4"))
    result = check_paths([tmp_path])
    assert not result.ok and "is called front-000002-00001 but was recorded as front-000001-00004" in text(result)


def test_swapped_segments_keep_their_signatures_and_are_named(copy: list[Path], tmp_path: Path) -> None:
    a, b = copy[1].read_bytes(), copy[2].read_bytes()
    copy[1].write_bytes(b)
    copy[2].write_bytes(a)
    result = check_paths([tmp_path], key=KEY)
    assert not result.ok and verdicts(result) == ["signed"] * 4
    assert text(result).count("but was recorded as") == 2


# ---- dates


def library(folder: Path) -> Library:
    found = Library(Disk(), folder / "recordings", FakeClock())
    found.sign_date = device_key().sign_date
    found.load()
    return found


PHONE = Dating(1_790_000_001 * SECOND, 0, "phone", SECOND, "192.168.4.7")


@pytest.fixture
def dated(copy: list[Path], tmp_path: Path) -> Path:
    """The sidecar of a segment that was dated later."""
    known = library(tmp_path)
    name = known.segments()[1].name
    known.date(name, PHONE)
    return copy[1].with_suffix(".json")


def change_date(sidecar: Path, **changes: object) -> None:
    body = json.loads(sidecar.read_text())
    body["dates"][0].update(changes)
    sidecar.write_text(json.dumps(body))


def test_a_date_that_was_learnt_later_is_shown_and_signed(dated: Path, tmp_path: Path) -> None:
    result = check_paths([tmp_path])
    assert result.ok
    assert "dated later by phone within 1 s, told by 192.168.4.7: it begins 2026-09-21 14:14" in text(result)
    assert "UTC; signed" in text(result) and "dates, notes and locks beside the files are all there" in text(result)


@pytest.mark.parametrize(
    "changes",
    [{"utc_ns": 1_780_000_000 * SECOND}, {"source": "ntp"}, {"by": "me"}, {"uncertainty_ns": 1}, {"boot_ns": 9}],
)
def test_a_changed_date_is_named(dated: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    change_date(dated, **changes)
    result = check_paths([tmp_path])
    assert not result.ok
    assert "CHANGED: no device has signed it like this" in text(result)


def test_a_date_without_a_signature_proves_nothing_and_may_contradict(dated: Path, tmp_path: Path) -> None:
    change_date(dated, utc_ns=PHONE.utc_ns + 86_400 * SECOND, key="", signature="")
    result = check_paths([tmp_path])
    assert result.ok, "nobody can tell who wrote it"
    assert "not signed, so it proves nothing" in text(result)


def test_a_date_that_the_sealed_clocks_contradict_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sign=device_key().sign)
    bench.clock.machine_boot = "a-boot"
    bench.feed(dull(40))
    bench.finish()
    known = library(tmp_path)
    (segment,) = known.segments()
    assert segment.machine_boot == "a-boot"
    known.date(segment.name, PHONE)
    assert "CONTRADICTS" not in text(check_paths([tmp_path]))
    known.date(segment.name, Dating(PHONE.utc_ns + 3_600 * SECOND, 0, "phone", SECOND, "another"))
    assert "CONTRADICTS the clock that is sealed in front-000001-00001" in text(check_paths([tmp_path]))


def test_a_date_by_another_device(dated: Path, tmp_path: Path) -> None:
    body = json.loads(dated.read_text())["dates"][0]
    date = Dating(**{**body, "key": "", "signature": ""})
    other = device_key("other").sign_date(library(tmp_path).segments()[1].name, date)
    change_date(dated, key=other.key, signature=other.signature)
    assert check_paths([tmp_path]).ok and "SIGNED BY ANOTHER KEY" in text(check_paths([tmp_path]))
    assert not check_paths([tmp_path], key=KEY).ok


def test_a_date_is_not_signed_because_it_stood_there(dated: Path, tmp_path: Path) -> None:
    """Who writes one into the file must not get it signed by the next change."""
    change_date(dated, utc_ns=5 * SECOND, key="", signature="")
    known = library(tmp_path)
    known.note(known.segments()[1].name, Note("a lorry", "page"))
    known.date(known.segments()[1].name, PHONE)
    dates = json.loads(dated.read_text())["dates"]
    assert [bool(one["signature"]) for one in dates] == [False, True]
    assert "note by page, proven by nothing: a lorry" in text(check_paths([tmp_path]))


def test_a_sidecar_that_cannot_be_understood_is_told(dated: Path, tmp_path: Path) -> None:
    dated.write_text("{")
    assert "front-000001-00002.json beside it cannot be understood" in text(check_paths([tmp_path]))


# ---- the command


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["check", *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_exit_codes(copy: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, other = tmp_path / "ours.pem", tmp_path / "other.pem"
    ours.write_bytes(signature.pem(KEY))
    other.write_bytes(signature.pem(device_key("other").public))
    assert typed(capsys, tmp_path, "--key", ours)[0] == 0
    assert typed(capsys, tmp_path, "--key", other)[0] == 6
    forge(copy[-1], lambda data: data, drop_signature=True)
    assert typed(capsys, tmp_path, "--key", ours)[0] == 9
    assert typed(capsys, tmp_path)[0] == 0
    copy[0].write_bytes(copy[0].read_bytes()[:-1])
    assert typed(capsys, tmp_path, "--key", ours)[0] == 6


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_a_key_file_that_is_none_is_one_sentence(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    code, out, err = typed(capsys, tmp_path, "--key", path)
    assert code == 2 and not out and len(err.splitlines()) == 1 and str(path) in err
