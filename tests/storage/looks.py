"""What a test looks at on the disk, and packets fed as a camera with a strange clock would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.report import SegmentReport
from blackbox_qt.storage.verify import verify

from .fakes import FRAME_NS, Bench, FaultDisk


def look(path: Path) -> SegmentReport:
    return verify(FaultDisk(), path)


def frames_on_disk(bench: Bench) -> set[int]:
    return {t for path in bench.files() for t in look(path).times_ns}


def times(packets: list) -> set[int]:
    return {packet.t_ns for packet in packets}


def going_back(packets: list[Packet], at: int, by_ns: int) -> list[Packet]:
    """A camera that was restarted with another clock."""
    return [*packets[:at], *(replace(packet, t_ns=packet.t_ns - by_ns) for packet in packets[at:])]


def feed_live(bench: Bench, packets: list[Packet]) -> None:
    """Thirty a second, whatever their times say."""
    for packet in packets:
        bench.clock.now += FRAME_NS
        bench.recording.put(packet)
        bench.recording.step()
