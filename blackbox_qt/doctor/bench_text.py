"""What the bench measured, beside what the documents claim; as a table and as plain types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import blackbox_qt
from blackbox_qt.doctor.bench import Measured, Part
from blackbox_qt.doctor.numbers import percentile
from blackbox_qt.doctor.threads import OTHERS

SCHEMA = 1
_PARTS = (  # beginning of a thread's name -> what it does
    ("cam-", "camera"), ("enc-", "encoder"), ("disk-", "writing"), ("jpeg-", "JPEG for viewers"), ("web", "page"),
    (OTHERS, OTHERS),
)  # fmt: skip
_REST = "the rest"
_CLAIMS = {  # the documents', for rpicam-vid -> Picamera2 [-> raw DMA]
    "cpu": "40 -> 15", "rss": "120 -> 60", "viewer": "80 -> 20", "copies": "3-4 -> 1-2 -> 0-1",
}  # fmt: skip
_HEAD = ("what", "nobody watching", "one viewer", "the documents' claim")


def table(measured: Measured) -> list[str]:
    """A Markdown table that can be read as it is, and what it was measured with."""
    rows = [_HEAD, *_rows(measured)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    small = "comes from the camera" if measured.small_given else "is scaled by the processor, in one pass"
    return [
        f"blackbox-qt {blackbox_qt.__version__}; " + "; ".join(measured.cameras),
        "", lines[0], rule, *lines[1:], "",
        f"The small picture for viewers {small}.",
        "Latencies are from the sensor's time, p50 / p99. Claims: rpicam-vid -> Picamera2 (-> raw DMA), 1280x720.",
    ]  # fmt: skip


def _rows(measured: Measured) -> list[tuple[str, str, str, str]]:
    parts = measured.parts
    cpu = [_by_part(part) for part in parts]
    first, last = measured.celsius
    warm = "-" if first is None or last is None else f"{first:.0f} -> {last:.0f}"
    return [
        _row("CPU, % of one core", [f"{sum(each.values()):.1f}" for each in cpu], _CLAIMS["cpu"]),
        *(
            _row(f"- {name}", [f"{each[name]:.1f}" for each in cpu])
            for name in cpu[0]
            if any(each[name] >= 0.05 for each in cpu)
        ),
        _row("memory, RSS, MB", [f"{part.rss_mb:.0f}" for part in parts], _CLAIMS["rss"]),
        _row("memory, PSS, MB", [f"{part.pss_mb:.0f}" for part in parts]),
        _row("frame to viewer, ms", [_spread(part.to_viewer_ms) for part in parts], _CLAIMS["viewer"]),
        _row("frame safe on the disk, ms", [_spread(part.to_disk_ms) for part in parts]),
        _row("copies on the way to the encoder", [f"{_copies(part):.2g}" for part in parts], _CLAIMS["copies"]),
        _row("frames", [str(part.frames) for part in parts]),
        _row("frames lost", [_lost(part) for part in parts]),
        _row("temperature, °C", ["", warm]),
    ]


def _row(name: str, values: Sequence[str], claim: str = "") -> tuple[str, str, str, str]:
    return name, values[0], values[1], claim


def _by_part(part: Part) -> dict[str, float]:
    """CPU percent by what the threads do."""
    found = {name: 0.0 for _, name in _PARTS} | {_REST: 0.0}
    for thread, percent in part.cpu_percent.items():
        found[next((name for start, name in _PARTS if thread.startswith(start)), _REST)] += percent
    return found


def _spread(samples: Sequence[float]) -> str:
    return f"{percentile(samples, 50):.0f} / {percentile(samples, 99):.0f}" if samples else "-"


def _copies(part: Part) -> float:
    return part.converted / max(1, part.frames)


def _lost(part: Part) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in part.lost.items() if count) or "0"


def as_dict(measured: Measured) -> dict[str, Any]:
    """The same for JSON; latencies in ms, memory in MB of 10^6 bytes."""
    return {
        "schema": SCHEMA,
        "program": f"blackbox-qt {blackbox_qt.__version__}",
        "cameras": list(measured.cameras),
        "small_picture_from_camera": measured.small_given,
        "celsius": {"before": measured.celsius[0], "after": measured.celsius[1]},
        "claims": dict(_CLAIMS),
        "parts": [_part(part) for part in measured.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    by_part = {name: round(percent, 2) for name, percent in _by_part(part).items()}
    return {
        "name": part.name, "seconds": round(part.seconds, 2), "frames": part.frames, "lost": part.lost,
        "cpu_percent": round(sum(part.cpu_percent.values()), 2), "cpu_percent_by_part": by_part,
        "rss_mb": round(part.rss_mb, 1), "pss_mb": round(part.pss_mb, 1),
        "to_viewer_ms": _percentiles(part.to_viewer_ms), "to_disk_ms": _percentiles(part.to_disk_ms),
        "copies_per_frame": round(_copies(part), 3),
    }  # fmt: skip


def _percentiles(samples: Sequence[float]) -> dict[str, float] | None:
    """None without samples."""
    if not samples:
        return None
    return {"p50": round(percentile(samples, 50), 2), "p99": round(percentile(samples, 99), 2), "samples": len(samples)}
