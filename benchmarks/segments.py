"""Small segments by the thousand: whole as the program makes them, but of a second and a few kilobytes each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.packet import NO_LOSS, Packet, StreamInfo
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.memory import Entry
from blackbox_qt.storage.open_segment import OpenSegment
from blackbox_qt.storage.record import Link
from blackbox_qt.storage.segment import Place, SegmentName

FRAMES = 8
IN_A_START = 120  # an hour of two cameras


class _Unsynced(Disk):
    """They are made for a measurement and thrown away."""

    def datasync(self, fd: int) -> None:
        pass

    def sync_dir(self, path: Path) -> None:
        pass


class _Clock:
    """Stands where it is put.

    Threads: one.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.machine_boot = ""

    def boot_ns(self) -> int:
        return self.now_ns

    def anchor(self) -> Anchor:
        return Anchor(self.now_ns, 1_790_000_000 * NS + self.now_ns, "ntp", 5_000_000)


def make(root: Path, count: int, cameras: Sequence[str] = ("front", "rear"), data: bytes = bytes(1000)) -> None:
    """So many finished segments in `root`, which is made; each with a sidecar.

    Threads: any.
    """
    root.mkdir(parents=True)
    clock, disk = _Clock(), _Unsynced()
    avcc = b"\x01\x42\x00\x0a\xff\xe0\x00"
    streams = {camera: StreamInfo(camera, 64, 64, avcc, device="generated") for camera in cameras}
    for number in range(count):
        start, place_in_start = divmod(number, IN_A_START)
        minute, which = divmod(place_in_start, len(cameras))
        clock.machine_boot = f"{start:08x}-generated"
        clock.now_ns = (minute * 60 + 20) * NS
        stream = streams[cameras[which]]
        place = Place(root, SegmentName(stream.camera, start + 1, minute + 1), Link())
        segment = OpenSegment(disk, place, stream, clock)
        _fill(segment, stream, clock.now_ns, data)
    (root / "boots").write_text(f"{count // IN_A_START + 1}\n")


def _fill(segment: OpenSegment, stream: StreamInfo, start_ns: int, data: bytes) -> None:
    segment.open("generated")
    for at in range(0, FRAMES, FRAMES // 2):
        packets = [Packet(stream, data, i == at, i, start_ns + i * 125_000_000) for i in range(at, at + FRAMES // 2)]
        segment.append([Entry(packet, 0, 0, NO_LOSS, "") for packet in packets], None)
    segment.end("full")
    segment.name()
