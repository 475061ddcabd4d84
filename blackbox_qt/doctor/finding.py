"""What a probe found: a state, what there is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "look here", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    `found` says what there is; `do` what a person can do about it, a line each, and is always there unless the state
    is "ok". `data` has the figures, as plain types; its keys are the same whenever a probe finds what it looks for.

    Threads: immutable, any.
    """

    state: State
    found: str
    do: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state != "ok" and not self.do:
            raise ValueError(f"a finding that is not ok says what to do: {self.found}")


@dataclass(frozen=True, slots=True)
class Line:
    """A finding under the name of its probe.

    Threads: immutable, any.
    """

    name: str
    finding: Finding

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        found = self.finding
        return {"name": self.name, "state": found.state, "found": found.found, "do": found.do, "data": dict(found.data)}


def ok(found: str, /, **data: Any) -> Finding:
    """All is well.

    Threads: any.
    """
    return Finding("ok", found, "", data)


def look(found: str, do: str, /, **data: Any) -> Finding:
    """It works, but somebody should look here.

    Threads: any.
    """
    return Finding("look here", found, do, data)


def broken(found: str, do: str, /, **data: Any) -> Finding:
    """The box cannot do its work like this.

    Threads: any.
    """
    return Finding("broken", found, do, data)


_WORST_FIRST: tuple[State, ...] = ("broken", "look here", "ok")


def worst(findings: list[Finding]) -> Finding:
    """Several findings as one: the worst state, all that was found, all there is to do. Raises ValueError for none.

    Threads: any.
    """
    state = min((each.state for each in findings), key=_WORST_FIRST.index)
    data = {key: value for each in findings for key, value in each.data.items()}
    found = "; ".join(each.found for each in findings if each.found)
    return Finding(state, found, "\n".join(each.do for each in findings if each.do), data)
