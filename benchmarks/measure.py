"""Figures: samples, their median, the target, and whether it is met."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["met", "NOT MET", "INVALID", "shown"]


@dataclass(frozen=True)
class Figure:
    """One measured thing: a sample per run, in `unit`; judged by its median, or by its largest sample if `worst`.

    target: at most this much, None when it is only shown. trouble: why the samples prove nothing, "" when they do.

    Threads: immutable, any.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    target: float | None = None
    worst: bool = False
    trouble: str = ""

    @property
    def value(self) -> float:
        """What is judged; nan without samples."""
        if not self.samples:
            return float("nan")
        return max(self.samples) if self.worst else statistics.median(self.samples)

    @property
    def state(self) -> State:
        if self.trouble or not self.samples:
            return "INVALID"
        if self.target is None:
            return "shown"
        return "met" if self.value <= self.target else "NOT MET"

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON; nan becomes None."""
        return {**asdict(self), "value": self.value if self.samples else None, "state": self.state}


def ratios(ours: Sequence[float], peers: Sequence[float]) -> tuple[float, ...]:
    """Ours against the peer's, round by round."""
    return tuple(a / b for a, b in zip(ours, peers, strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` of them do not exceed (nearest rank). Raises ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of (x, y), in y per x; 0 with fewer than two different x."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def number(value: float) -> str:
    """Three figures or more, readable."""
    if value != value:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 100 else f"{value:.3g}"


def line(figure: Figure) -> str:
    """A figure with its spread."""
    if not figure.samples:
        return f"  {figure.name}: no samples  [{figure.state}{': ' + figure.trouble if figure.trouble else ''}]"
    low, middle, high = min(figure.samples), statistics.median(figure.samples), max(figure.samples)
    spread = f"min {number(low)}  median {number(middle)}  max {number(high)} {figure.unit}"
    wanted = "" if figure.target is None else f"  target <= {number(figure.target)}"
    trouble = f" ({figure.trouble})" if figure.trouble else ""
    return f"  {figure.name}: {spread}{wanted}  [{figure.state}]{trouble}"


def table(figures: Sequence[Figure]) -> str:
    """Name, figure, target, met: one line each."""
    rows = [("figure", "value", "unit", "target", "state")]
    for figure in figures:
        target = "" if figure.target is None else f"<= {number(figure.target)}"
        rows.append((figure.name, number(figure.value), figure.unit, target, figure.state))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    aligned: list[Callable[[str, int], str]] = [str.ljust, str.rjust, str.ljust, str.rjust, str.ljust]
    text = ["  ".join(do(cell, width) for do, cell, width in zip(aligned, row, widths, strict=True)) for row in rows]
    return "\n".join(row.rstrip() for row in [text[0], "-" * len(text[0]), *text[1:]])
