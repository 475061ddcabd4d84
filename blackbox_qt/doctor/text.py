"""The doctor's lines for a terminal, and the rows of the table that a Pi's owner is asked for."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import blackbox_qt
from blackbox_qt.doctor.finding import Line

_STATE, _NAME, _WIDTH = 11, 15, 118
_COLOUR = {"ok": "32", "look here": "33", "broken": "31"}  # ECMA-48 SGR: green, yellow, red


def lines_of(line: Line, *, colour: bool = False) -> Iterator[str]:
    """State, name, what was found; below it what to do."""
    found = line.finding
    state = found.state.ljust(_STATE)
    if colour:
        state = f"\033[{_COLOUR[found.state]}m{state}\033[0m"
    indent = " " * (_STATE + _NAME)
    words = _wrapped(found.found) or [""]
    yield f"{state}{line.name.ljust(_NAME)}{words[0]}"
    for rest in words[1:]:
        yield indent + rest
    for advice in found.do.splitlines():
        for number, rest in enumerate(_wrapped(advice)):
            yield indent + ("-> " if number == 0 else "   ") + rest


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - _STATE - _NAME - 3, break_long_words=False, break_on_hyphens=False)


def summary(lines: Sequence[Line]) -> str:
    """One sentence about all of them."""
    count = Counter(line.finding.state for line in lines)
    if count["broken"]:
        also = f", and {count['look here']} more to look at" if count["look here"] else ""
        return f"{count['broken']} of {len(lines)} things are broken{also}: start with the first."
    if count["look here"]:
        return f"Nothing is broken; {count['look here']} of {len(lines)} things are worth a look."
    return f"All {len(lines)} things are well."


def report(lines: Sequence[Line]) -> list[str]:
    """Rows of a Markdown table: what docs/PI.md asks an owner to paste."""
    rows = [f"| doctor: program | ok | blackbox-qt {blackbox_qt.__version__} |"]
    for line in lines:
        found = " ".join(line.finding.found.replace("|", "/").split())
        rows.append(f"| doctor: {line.name} | {line.finding.state} | {found} |")
    return ["| what | state | this machine |", "|---|---|---|", *rows]
