"""After a power cut at any moment, in any state it may leave: what was promised is there, and can be recorded on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk

from .disk import COMPOSED, LOOKS, RecordingDisk
from .histories import HISTORIES, History, tell
from .judge import State, lay_out, problems, states
from .model import world_at

PROVE = bool(os.environ.get("BLACKBOX_PROVE"))
SHARE = 1 if PROVE else 7
"""Of the moments in a history: every one in `./dev prove`, every seventh else."""
RANDOM = 12 if PROVE else 2
"""Random states at each of them, beside the corners."""
PLAYED = 9
"""Of so many states one is decoded to its last picture; the others are read by our own parser."""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of states are laid out."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="blackbox-crash-", dir=shm if shm.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def look(history: History, state: State, data: Path, *, play: bool) -> None:
    bad = problems(history, state, data, play=play)
    last = history.log[state.point - 1] if state.point else "the beginning"
    again = f"again with BLACKBOX_CRASH={state} ./dev prove tests/crash -k again"
    assert not bad, f"after {last}: {bad}; {again}"


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", HISTORIES)
def test_whatever_a_power_cut_leaves(name: str, memory: Path) -> None:
    (memory / "told").mkdir()
    history, count = tell(name, memory / "told"), 0
    for count, (state, world) in enumerate(states(history, RANDOM, SHARE), 1):
        data = lay_out(state, world, memory / "state")
        look(history, state, data, play=count % PLAYED == 0)
        shutil.rmtree(memory / "state")
    print(f"{name}: {count} states of {len(history.log) - history.begin} operations")
    assert count > 100


@pytest.mark.skipif("BLACKBOX_CRASH" not in os.environ, reason="BLACKBOX_CRASH names no state to look at again")
def test_again(memory: Path) -> None:
    state = State.parse(os.environ["BLACKBOX_CRASH"])
    (memory / "told").mkdir()
    history = tell(state.history, memory / "told")
    data = lay_out(state, world_at(history.log, state.point), memory / "state")
    look(history, state, data, play=True)


def test_the_log_knows_every_operation_of_the_disk() -> None:
    """One that is added to the Disk and forgotten here would be durable at once, whatever the program does."""
    asked = {name for name in vars(Disk) if not name.startswith("_")}
    assert asked - LOOKS - COMPOSED == asked & set(vars(RecordingDisk)) - COMPOSED
