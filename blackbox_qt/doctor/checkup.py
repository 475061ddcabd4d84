"""All probes in order, and the promise that none of them ends the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import blackbox_qt
from blackbox_qt.core.worker import in_words
from blackbox_qt.doctor import (
    board,
    cameras,
    card,
    clocks,
    encoding,
    network,
    power,
    screen,
    services,
    synctime,
    versions,
)
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, Line, look

SCHEMA = 1
"""Of the JSON: raised when a name or a meaning changes; new names may come without."""
Probe = Callable[[Case], Finding]

CHECKS: tuple[tuple[str, Probe], ...] = (
    ("model", board.model),
    ("system", board.system),
    ("kernel", board.kernel),
    ("memory", board.memory),
    ("power", power.power),
    ("temperature", power.temperature),
    ("clock", clocks.clock),
    ("libraries", versions.libraries),
    ("window", versions.window),
    ("camera stack", versions.camera_stack),
    ("cameras", cameras.cameras),
    ("camera memory", board.heaps),
    ("screen", screen.screen),
    ("encoder", encoding.encoder),
    ("data folder", card.place),
    ("card", card.identity),
    ("space", card.space),
    ("sync", synctime.sync),
    ("page", network.page),
    ("hotspot", network.hotspot),
    ("service", services.services),
)


def examine(case: Case, checks: Sequence[tuple[str, Probe]] = CHECKS) -> Iterator[Line]:
    """One line a check, as they come; a check that fails in an unforeseen way is a line too."""
    for name, probe in checks:
        yield Line(name, _guarded(probe, case))


def _guarded(probe: Probe, case: Case) -> Finding:
    try:
        return probe(case)
    except Exception as error:  # a probe's door: what it cannot look at must not hide the others
        return look(f"could not be looked at ({in_words(error)})", "Please report this line; the others hold.")


def verdict(lines: Sequence[Line]) -> str:
    """The worst state of all lines; "ok" for none."""
    states = {line.finding.state for line in lines}
    return next((state for state in ("broken", "look here") if state in states), "ok")


def as_dict(lines: Sequence[Line]) -> dict[str, Any]:
    """All of it for JSON."""
    return {
        "schema": SCHEMA,
        "program": f"blackbox-qt {blackbox_qt.__version__}",
        "verdict": verdict(lines),
        "checks": [line.as_dict() for line in lines],
    }
