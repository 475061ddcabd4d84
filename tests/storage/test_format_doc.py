"""The verifier printed in docs/FORMAT.md is run as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .fakes import Bench, clip, record
from .keys import device_key

DOC = Path(__file__).parents[2] / "docs" / "FORMAT.md"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 50
    path = tmp_path_factory.mktemp("doc") / "verify.py"
    path.write_text(code)
    return path


def run(verifier: Path, recording: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, verifier, recording], capture_output=True, text=True, timeout=30)


def test_a_good_file(verifier: Path, tmp_path: Path) -> None:
    (path,) = record(tmp_path, clip())
    done = run(verifier, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "complete"


def test_the_bundles_verifier_is_the_one_that_is_printed(verifier: Path) -> None:
    assert verifier.read_text() == (DOC.parents[1] / "resources" / "bundle" / "verify.py").read_text()


def test_a_signed_file(verifier: Path, tmp_path: Path) -> None:
    first, second = record(tmp_path, clip(), segment_s=1.5, sign=device_key().sign)
    done = subprocess.run([sys.executable, verifier, first, second], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("complete") == 2 and done.stdout.count(f"signature   {device_key().public.hex()}") == 2
    data = bytearray(first.read_bytes())
    data[data.index(b'"end":"') + 9] ^= 1  # what is said to be signed
    first.write_bytes(data)
    assert run(verifier, first).returncode == 1


def test_a_signature_of_something_else(verifier: Path, tmp_path: Path) -> None:
    """One whose hash is right, but that names another end record."""
    (path,) = record(tmp_path, clip(), sign=lambda name, digest, when: device_key().sign(name, bytes(32), when))
    assert run(verifier, path).returncode == 1


@pytest.mark.parametrize("where", [20, 400, 900, 0.5, 0.9, -200])
def test_a_changed_file(verifier: Path, tmp_path: Path, where: float) -> None:
    (path,) = record(tmp_path, clip())
    data = bytearray(path.read_bytes())
    data[int(where * len(data)) if isinstance(where, float) else int(where)] ^= 1
    path.write_bytes(data)
    done = run(verifier, path)
    assert done.returncode == 1
    assert re.search(r"^bytes? \d+", done.stderr), done.stderr


def test_a_torn_file(verifier: Path, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(clip())
    done = run(verifier, bench.parts()[0])
    assert done.returncode == 1
    assert "all before is proven" in done.stderr
