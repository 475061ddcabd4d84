"""Power cuts on a disk that loses its write cache: what was called durable is there, before and after healing."""

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
    syncs = [json.loads(line) for line in (machine.out / "syncs.jsonl").read_text().splitlines()]
    marks = log.marks(machine.disk.mark)
    # Every sync must be found in the disk's log, in this order, or nothing below means anything.
    assert list(marks) == [sync["mark"] for sync in syncs]
    assert len(syncs) > SECONDS, "some for each second and camera were expected"
    footage = [sync for sync in syncs if ".mp4" in Path(sync["file"]).suffixes]

    seed = int(os.environ.get("LAB_SEED") or int.from_bytes(os.urandom(4)))
    print(f"LAB_SEED={seed}, {len(log.requests)} requests, {log.flushes()} flushes, {len(syncs)} syncs")
    cuts = random_cuts(CUTS, log, marks[footage[0]["mark"]], seed)
    folder = machine.out / "cuts"
    folder.mkdir()
    for number, cut in enumerate(cuts):
        log.replay(machine.disk.base, cut, folder / f"{number:02d}.img")
    looks = list(zip(cuts, ask(machine, "inspect", "/out/cuts", timeout=900), strict=True))
    for cut, found in looks:
        assert found["code"] == 0, f"{cut}: {found['said']}"
        promise = promised([sync for sync in footage if marks[sync["mark"]] <= cut.at])
        assert not broken(promise, found["whole"]), f"{cut}: {promise}; {found['said']}"
        after = found["after"]
        assert after["code"] == 0 and not after["parts"], f"{cut}: {found['healed']}; {after['said']}"
        assert not broken(promise, after["whole"]), f"{cut}: {promise}; {found['healed']}; {after['said']}"
    healed = sum(len(found["healed"]) for _, found in looks)
    print(f"{len(looks)} cuts, {healed} files healed")
    assert healed, "no cut came while something was being recorded"
    first = min(looks, key=lambda look: look[0].at)
    assert broken(promised(footage), first[1]["whole"]), "what came after the first cut cannot be there"


def broken(promise: dict[str, int], whole: dict[str, int]) -> list[str]:
    """Files of which less is whole than was called durable."""
    return [name for name, size in promise.items() if whole.get(name, 0) < size]


def promised(syncs: list[dict[str, Any]]) -> dict[str, int]:
    """File without suffix -> bytes of it that were called durable."""
    sizes: dict[str, int] = {}
    for sync in syncs:
        path = Path(sync["file"]).relative_to("/mnt/disk/car")
        name = path.as_posix().removesuffix(".part").removesuffix(".mp4")
        sizes[name] = max(sizes.get(name, 0), sync["size"])
    return sizes
