"""The device key and its file; signatures in segments; and that none of it stops a recording."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from blackbox_qt.storage import signature
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.device_key import NAME, PUBLIC, DeviceKey
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.healing_round import heal_library
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating
from blackbox_qt.storage.verify import FileBytes, verify
from blackbox_qt.storage.walk import Walk

from .fakes import Bench, FakeClock, LogDisk, dull, record
from .keys import device_key

SEGMENT = SegmentName("front", 7, 3)


def load(folder: Path) -> DeviceKey:
    key = DeviceKey(folder)
    key.load()
    return key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kinds(path: Path) -> list[str]:
    with FileBytes(Disk(), path) as source:
        return [piece.kind for piece in Walk(source)]


# ---- the key's file


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    first, again = load(state), load(state)
    assert first.public == again.public and len(first.public) == 32 and not first.words
    assert mode(state / NAME) == 0o600 and mode(state) == 0o700
    assert signature.parse_public_key((state / PUBLIC).read_bytes()) == first.public
    assert sorted(p.name for p in state.iterdir()) == [NAME, PUBLIC], "no draft is left"
    assert load(tmp_path / "b").public != first.public


@pytest.fixture
def replaced(expected_alarms: list[str]) -> None:
    expected_alarms.append("what follows is signed anew")


@pytest.mark.usefixtures("replaced")
def test_a_key_that_others_could_read_is_replaced_and_kept_aside(tmp_path: Path) -> None:
    first = load(tmp_path)
    (tmp_path / NAME).chmod(0o644)
    assert load(tmp_path).public != first.public
    assert mode(tmp_path / NAME) == 0o600
    assert len(list(tmp_path.glob(f"{NAME}.old.*"))) == 1


@pytest.mark.usefixtures("replaced")
@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_holds_no_key_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    (tmp_path / NAME).chmod(0o600)
    assert load(tmp_path).public


def test_a_folder_that_cannot_be_used_leaves_recordings_unsigned(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("recordings are not signed")
    (tmp_path / "state").write_text("a file in its place")
    key = load(tmp_path / "state")
    assert "check storage.state" in key.words
    assert key.sign(SEGMENT, bytes(32), "close") is None
    (path,) = record(tmp_path / "data", dull(40), sign=key.sign)
    assert kinds(path)[-2:] == ["end", "index"] and check_paths([path]).ok
    (tmp_path / "state").unlink()
    key.load()  # the keeper tries again
    assert not key.words and key.sign(SEGMENT, bytes(32), "close")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("recordings are not signed")
    secret = tmp_path / "elsewhere"
    secret.write_text("somebody else's")
    (tmp_path / NAME).symlink_to(secret)
    assert not load(tmp_path).public
    assert secret.read_text() == "somebody else's"


def test_without_the_library_nothing_is_signed_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_alarms: list[str]
) -> None:
    paths = record(tmp_path / "signed", dull(40), sign=device_key().sign)
    for name in [n for n in sys.modules if n.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    expected_alarms.append("the Python package cryptography is missing")
    key = load(tmp_path / "state")
    (path,) = record(tmp_path / "data", dull(40), sign=key.sign)
    assert verify(Disk(), path).signature is None
    result = check_paths(paths)
    assert result.ok and [one.verdict for one in result.vouches.of.values()] == ["unchecked"]


def test_signing_waits_for_nothing(tmp_path: Path) -> None:
    """A key that is not loaded yet is not loaded by whoever signs: the disk thread must not wait for an import."""
    key = DeviceKey(tmp_path)
    assert key.sign(SEGMENT, bytes(32), "close") is None
    assert list(tmp_path.iterdir()) == []


def test_the_recorder_imports_it_late() -> None:
    code = "import sys, blackbox_qt.commands.run; assert 'cryptography' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# ---- in a segment


def test_a_finished_segment_is_signed_behind_its_end(tmp_path: Path) -> None:
    first, second = record(tmp_path, dull(60), segment_s=0.9, sign=device_key().sign)
    assert kinds(first)[-3:] == ["end", "signature", "index"]
    report = verify(Disk(), first)
    found = report.signature
    assert report.state == "finished" and found is not None and report.name is not None
    assert found.key == device_key().public and found.when == "close"
    assert found.digest == report.digests[-2], "the end record's"
    assert signature.verifies(found, report.name)
    follower = verify(Disk(), second)
    assert follower.previous and follower.previous.digest == report.digests[-1], "the chain covers the signature"


def test_the_signature_is_in_the_sync_of_the_end(tmp_path: Path) -> None:
    disk = LogDisk(tmp_path)
    bench = Bench(tmp_path, disk, sign=device_key().sign)
    bench.feed(dull(40))
    before = len(disk.log)
    bench.finish()
    ops = [(op[0], op[2] if op[0] == "write" else b"") for op in disk.log[before:]]
    end = next(i for i, (_, data) in enumerate(ops) if b'"type":"end"' in data)
    assert [op for op, _ in ops[end : end + 4]] == ["write", "write", "write", "sync"]
    assert b'"type":"signature"' in ops[end + 1][1]


def test_a_key_that_fails_ends_the_segment_unsigned(tmp_path: Path, expected_alarms: list[str]) -> None:
    key = load(tmp_path / "state")

    def broken(_: bytes) -> bytes:
        raise RuntimeError("the library has a bad day")

    key._sign = broken
    expected_alarms.append("the library has a bad day")
    (path,) = record(tmp_path / "data", dull(40), sign=key.sign)
    assert verify(Disk(), path).signature is None and check_paths([path]).ok


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """A library in which a power cut left a `.part`."""
    bench = Bench(tmp_path)
    bench.feed(dull(60))
    bench.recording.abandon()
    return tmp_path / "recordings"


def heal(root: Path) -> None:
    heal_library(Disk(), root, (), Healer(Disk(), root, FakeClock(), "a test", sign=device_key().sign))


def test_a_healed_segment_is_signed_as_healed(torn: Path) -> None:
    heal(torn)
    (path,) = torn.rglob("*.mp4")
    assert kinds(path)[-3:] == ["end", "signature", "index"]
    result = check_paths([path])
    (vouch,) = result.vouches.of.values()
    assert result.ok and vouch.verdict == "signed" and vouch.when == "healing"


def test_what_has_an_end_and_no_signature_gets_it_when_it_is_healed(torn: Path) -> None:
    """The power was cut between the end record's bytes and the signature's."""
    heal(torn)
    (path,) = torn.rglob("*.mp4")
    with FileBytes(Disk(), path) as source:
        end = next(piece.end for piece in Walk(source) if piece.kind == "end")
    whole = path.read_bytes()
    for cut in (end, end + 30, len(whole) - 3):
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".part").write_bytes(whole[:cut])
        heal(torn)
        assert kinds(path)[-3:] == ["end", "signature", "index"], cut
        assert check_paths([path]).ok
    path.rename(path.with_name(path.name + ".part"))  # nothing was missing but the name
    heal(torn)
    assert check_paths([path]).ok


# ---- what is signed


def test_a_signature_counts_for_one_segment_only() -> None:
    body = device_key().sign(SEGMENT, bytes(range(32)), "close")
    assert body is not None
    found = signature.read(json.loads(json.dumps(body)))
    assert signature.verifies(found, SEGMENT)
    for other in (SegmentName("rear", 7, 3), SegmentName("front", 8, 3), SegmentName("front", 7, 4)):
        assert signature.verifies(found, other) is False
    healed = signature.read({**body, "when": "healing"})
    assert signature.verifies(healed, SEGMENT) is False, "when it was signed is signed too"


def test_a_date_counts_for_one_segment_only() -> None:
    date = device_key().sign_date(SEGMENT, Dating(1_790_000_000 * 10**9, 5, "phone", None, "a phone\nby=ntp"))
    assert signature.date_verifies(date, SEGMENT)
    assert signature.date_verifies(date, SegmentName("front", 7, 4)) is False
    assert signature.date_message(SEGMENT, date).count(b"\n") == 2, "a name cannot add a line"


@pytest.mark.parametrize(
    "change",
    [
        {"key": "00"},
        {"key": 5},
        {"end": "zz"},
        {"signature": ""},
        {"algorithm": "RSA"},
        {"type": "end"},
        {"when": None},
    ],
)
def test_hostile_signature_records_are_refused(change: dict[str, object]) -> None:
    body = device_key().sign(SEGMENT, bytes(32), "close")
    with pytest.raises(ValueError):
        signature.read({**(body or {}), **change})


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"00" * 31, b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"]
)
def test_what_is_no_public_key_is_refused(text: bytes) -> None:
    with pytest.raises(signature.KeyFileError):
        signature.parse_public_key(text)


def test_a_public_key_is_read_in_both_forms() -> None:
    key = device_key().public
    assert (
        signature.parse_public_key(signature.pem(key)) == key == signature.parse_public_key(key.hex().encode() + b"\n")
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees(tmp_path: Path) -> None:
    body = device_key().sign(SEGMENT, bytes(32), "close")
    assert body is not None
    found = signature.read(body)
    (tmp_path / "key.pem").write_bytes(signature.pem(found.key))
    (tmp_path / "sig").write_bytes(found.signature)
    for when, code in (("close", 0), ("healing", 1)):
        (tmp_path / "message").write_bytes(signature.message(SEGMENT, when, found.digest))
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "message",
             "-sigfile", "sig"], cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "key.pem", "-outform", "DER"], capture_output=True, check=True
    )
    assert hashlib.sha256(der.stdout).hexdigest() == signature.fingerprint(found.key) == body["fingerprint"]
