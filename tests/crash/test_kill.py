"""SIGKILL at random moments of the real program, start after start on one card: everything synced is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from blackbox_qt.storage.check import check_paths

ROOT = Path(__file__).parents[2]
KILLS = 50 if os.environ.get("BLACKBOX_PROVE") else 3
WITHIN_S = 3.0
EARLY = 0.25
"""Of the kills: at any moment after the start. The others come at any moment after the first file was made, so that
also on a slow machine there is something to lose."""
PICTURE = "pattern:64x64@60"


class Car:
    """One card, one program after the other."""

    def __init__(self, folder: Path) -> None:
        self.data, self.log, self.said = folder / "data", folder / "witness", folder / "said"

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.crash.witness", str(self.log), "run", "--headless"]
        command += ["--data", str(self.data), "--source", f"front={PICTURE}", "--source", f"rear={PICTURE}", *more]
        for setting in (f"storage.state={self.data.parent / 'state'}", "web.enabled=false", "storage.segment_s=2"):
            command += ["--set", setting]
        with open(self.said, "ab") as said:
            return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)

    def recording(self, since: int) -> bool:
        """Whether a file was made after the witness had written so many bytes."""
        return self.log.exists() and b"made" in self.log.read_bytes()[since:]

    def witnessed(self, what: str) -> list[tuple[Path, int]]:
        """(recording, bytes) in order."""
        lines = [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        found = [(Path(path), int(size)) for kind, size, path in lines if kind == what]
        return [(path, size) for path, size in found if ".mp4" in path.suffixes]


def whole(path: Path) -> Path:
    """Whatever it was called when it was synced, it has its final name now."""
    return path.with_name(path.name.removesuffix(".part"))


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_everything_synced_survives_sigkill(tmp_path: Path, until: Callable[..., None]) -> None:
    seed = int(os.environ.get("BLACKBOX_SEED") or int.from_bytes(os.urandom(4), "little"))
    print(f"BLACKBOX_SEED={seed}, {KILLS} times")
    chance, car, pause = random.Random(seed), Car(tmp_path), threading.Event()
    for _ in range(KILLS):
        since = car.log.stat().st_size if car.log.exists() else 0
        program = car.start()
        if chance.random() > EARLY:
            until(lambda since=since: car.recording(since), 60)
        pause.wait(chance.uniform(0, WITHIN_S))
        program.send_signal(signal.SIGKILL)
        assert program.wait(10) == -signal.SIGKILL, car.said.read_text()
    assert car.start("--duration", "3").wait(60) == 0, car.said.read_text()

    made = Counter(path for path, _ in car.witnessed("made"))
    assert made and made.most_common(1)[0][1] == 1, "a name was given twice"
    promised: dict[Path, int] = {}
    for path, size in car.witnessed("synced"):
        promised[whole(path)] = max(size, promised.get(whole(path), 0))
    found = check_paths([car.data])
    sizes = {report.path: report.good_bytes for report in found.segments}
    assert found.ok, [report for report in found.segments if not report.ok]
    assert not list(car.data.rglob("*.part")), "not healed"
    less = {path.name: (size, sizes.get(path, 0)) for path, size in promised.items() if sizes.get(path, 0) < size}
    assert promised and not less, f"BLACKBOX_SEED={seed}: {less}"
    healed = sum(report.end_reason == "power-loss" for report in found.segments)
    print(f"{len(made)} files, {found.frames} frames, {healed} healed, {len(promised)} synced")
    assert healed or KILLS < 10
