"""After a power cut at any moment, in any state it may leave: what was promised is there, and can be recorded on.

`./dev prove tests/crash` looks at every moment of every history, `./dev test` at a few.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk

from .disk import COMPOSED, LOOKS, RecordingDisk
from .histories import HISTORIES, History, tell
from .judge import lay_out, problems, states
from .model import CORNERS, State, world_at

PROVE = bool(os.environ.get("BLACKBOX_PROVE"))
MOMENTS = 3
"""Looked at in each history in `./dev test`."""
RANDOM = 8 if PROVE else 1
"""Random states at each moment, beside the corners."""
PLAYED = 9
"""Of so many states one is decoded to its last picture; the others are read by our own parser."""


def look(history: History, state: State, data: Path, *, play: bool) -> None:
    bad = problems(history, state, data, play=play)
    last = history.log[state.point - 1] if state.point else "the beginning"
    again = f"again with: BLACKBOX_CRASH={state} ./dev test tests/crash -k again"
    assert not bad, f"after {last}: {bad}; {again}"


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", HISTORIES)
def test_whatever_a_power_cut_leaves(name: str, memory: Path) -> None:
    (memory / "told").mkdir()
    history, count = tell(name, memory / "told"), 0
    moments = len(history.log) - history.begin
    every = 1 if PROVE else max(1, moments // MOMENTS)
    for count, (state, world) in enumerate(states(history, RANDOM, every), 1):
        data = lay_out(state, world, memory / "state")
        look(history, state, data, play=count % PLAYED == 0)
        shutil.rmtree(memory / "state")
    print(f"{name}: {count} states of {moments} operations")
    assert count >= MOMENTS * (len(CORNERS) + RANDOM)


@pytest.mark.skipif("BLACKBOX_CRASH" not in os.environ, reason="BLACKBOX_CRASH names no state to look at again")
def test_again(memory: Path) -> None:
    state = State.parse(os.environ["BLACKBOX_CRASH"])
    (memory / "told").mkdir()
    history = tell(state.history, memory / "told")
    data = lay_out(state, world_at(history.log, state.point), memory / "state")
    look(history, state, data, play=True)


def test_a_state_can_be_laid_out_again(memory: Path) -> None:
    """The printed name is enough: the same bytes come of it."""
    trees = []
    for name in ("one", "other"):
        (memory / name).mkdir()
        history = tell("seldom_synced", memory / name)
        state = State.parse("seldom_synced:48:r1")
        data = lay_out(state, world_at(history.log, state.point), memory / f"{name}-state")
        trees.append({path.relative_to(data): path.is_file() and path.read_bytes() for path in data.rglob("*")})
    assert trees[0] == trees[1] and len(trees[0]) > 3


def test_the_log_knows_every_operation_of_the_disk() -> None:
    """One that is added to the Disk and forgotten here would be durable at once, whatever the program does."""
    asked = {name for name in vars(Disk) if not name.startswith("_")}
    assert asked - LOOKS - COMPOSED == asked & set(vars(RecordingDisk)) - COMPOSED
