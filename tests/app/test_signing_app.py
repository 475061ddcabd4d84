"""The whole recorder signs what it finishes, as soon as it can and never before the first fragment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.device_key import DeviceKey

from .test_app import Box

Until = Callable[[Callable[[], object]], None]


def verdicts(box: Box) -> list[str]:
    result = check_paths([box.data / "recordings"])
    assert result.ok
    return [one.verdict for one in result.vouches.of.values()]


def test_files_are_signed_once_the_first_fragments_are_safe(tmp_path: Path, until: Until) -> None:
    box = Box(tmp_path / "data", until, "front", "rear")
    assert box.status().signing.words == "the device key is not loaded yet"
    with box.app:
        assert not (box.data / "state" / "device-key").exists(), "nothing is recorded yet"
        box.run(10)
        until(lambda: box.app.key.fingerprint)
        status = box.status().signing
        assert status.fingerprint == box.app.key.fingerprint and not status.words
    assert verdicts(box) == ["signed", "signed"]
    again = DeviceKey(box.data / "state")
    again.load()
    assert again.fingerprint == status.fingerprint


def test_without_a_key_it_records_and_says_so(tmp_path: Path, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms.append("recordings are not signed")
    box = Box(tmp_path / "data", until)
    (box.data / "state" / "device-key").mkdir(parents=True)
    with box.app:
        box.run(10)
        until(lambda: "recordings are not signed" in box.app.key.words)
        box.durable(10)
        assert "check storage.state" in box.status().signing.words
    assert verdicts(box) == ["unsigned"]
