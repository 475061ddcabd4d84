"""`blackbox-qt bundle` as it is typed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.commands import bundle as command
from tests.bundle.conftest import MARK, Place, benches_cleared, learn, make

__all__ = ["benches_cleared"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "data", tmp_path / "incident")
    make(found.data)
    learn(found, None)
    return found


def typed(capsys: pytest.CaptureFixture[str], place: Place, *words: str) -> tuple[int, str, str]:
    code = main(["bundle", *words, "--out", str(place.out), str(place.data)])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("what", [["--mark", MARK], ["--trip", "1"]])
def test_it_is_made(place: Place, capsys: pytest.CaptureFixture[str], what: list[str]) -> None:
    code, out, err = typed(capsys, place, *what)
    assert code == 0
    assert out.splitlines() == [
        "Every file is as it was when it was finished and signed.",
        f"{place.out}: 39 files, 8 segments, 200 pictures to view",
    ]
    steps = ["copying and comparing", "checking", "viewing copy of front", "viewing copy of rear"]
    assert err.splitlines()[-4:] == steps


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--mark", "nope"], f"No recording is kept for a mark 'nope'; there are: {MARK}."),
        (["--trip", "7"], "There is no trip 7; the last ones are 1."),
        (["--from", "2026-11-20T14:07"], "Say what to take: --mark ID, --trip N, or --from TIME and --to TIME."),
        (["--from", "2026-11-20T14:07", "--to", "2026-11-20T14:09"], "Nothing is recorded from"),
    ],
)
def test_what_is_not_found_is_one_sentence(
    place: Place, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    code, out, err = typed(capsys, place, *words)
    assert code == 2 and not out and sentence in err.splitlines()[-1]
    assert not place.out.exists()


def test_a_folder_that_is_taken(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.out.write_text("mine")
    code, _, err = typed(capsys, place, "--trip", "1")
    assert code == 4 and "is there already" in err.splitlines()[-1]


def test_a_changed_recording_is_bundled_and_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = place.originals()[0]
    path.write_bytes(path.read_bytes() + b"x")
    code, out, _ = typed(capsys, place, "--trip", "1")
    assert code == 6 and out.startswith("Not everything is as it was recorded.")
    assert (place.out / "originals" / path.name).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_it(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    told = command._Meter.tell

    def tell(self: command._Meter, progress: command.Progress) -> None:
        told(self, progress)
        if progress.step == "viewing copy of rear":
            os.kill(os.getpid(), number)

    monkeypatch.setattr(command._Meter, "tell", tell)
    before = signal.getsignal(number)
    code, _, err = typed(capsys, place, "--trip", "1")
    assert code == 130 and err.splitlines()[-1] == "blackbox-qt: The bundle was cancelled."
    assert signal.getsignal(number) is before
    assert [p.name for p in place.out.parent.iterdir()] == ["data"]
