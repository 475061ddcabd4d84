"""Power cuts on a disk that loses its write cache: what was called durable is there, and undamaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.lab.disk import Log, random_cuts
from tests.lab.emulator import Machine

CUTS = 20
SECONDS = 20


def ask(machine: Machine, *words: str, timeout: float) -> Any:
    """The JSON answer of guest/power_cut.py."""
    said = machine.run(["python3", "-m", "tests.lab.guest.power_cut", *words], timeout=timeout).check()
    answers = [line for line in said.splitlines() if line.startswith("ANSWER ")]
    assert answers, said
    return json.loads(answers[-1].removeprefix("ANSWER "))


def test_everything_synced_survives_power_cuts(machine: Machine) -> None:
    assert machine.disk is not None
    done = ask(machine, "record", str(SECONDS), timeout=300)
    assert done["code"] == 0
    log = Log(machine.disk.log)
    # The guest's counter and the disk's log must tell of the same flushes, or nothing below means anything.
    assert log.flushes() == done["flushes"]
    syncs = [json.loads(line) for line in (machine.out / "syncs.jsonl").read_text().splitlines()]
    assert len(syncs) > SECONDS, "about four a second and camera were expected"

    seed = int(os.environ.get("LAB_SEED") or int.from_bytes(os.urandom(4)))
    print(f"LAB_SEED={seed}, {len(log.requests)} requests, {log.flushes()} flushes, {len(syncs)} syncs")
    cuts = random_cuts(CUTS, log, log.after_flush(min(sync["flushes"] for sync in syncs)), seed)
    folder = machine.out / "cuts"
    folder.mkdir()
    for number, cut in enumerate(cuts):
        log.replay(machine.disk.base, cut, folder / f"{number:02d}.img")
    for cut, found in zip(cuts, ask(machine, "inspect", "/out/cuts", timeout=600), strict=True):
        assert found["code"] == 0, f"{cut}: {found['said']}"
        for name, size in promised(syncs, log.flushes(cut.at)).items():
            assert found["whole"].get(name, 0) >= size, f"{cut}: {name} had {size} durable bytes; {found['said']}"


def promised(syncs: list[dict[str, Any]], flushes: int) -> dict[str, int]:
    """File without suffix -> bytes that were called durable before the disk's flush number `flushes` had ended."""
    sizes: dict[str, int] = {}
    for sync in syncs:
        path = Path(sync["file"])
        if sync["flushes"] <= flushes and ".mp4" in path.suffixes:
            name = path.relative_to("/mnt/disk/car").as_posix().removesuffix(".part").removesuffix(".mp4")
            sizes[name] = max(sizes.get(name, 0), sync["size"])
    return sizes
