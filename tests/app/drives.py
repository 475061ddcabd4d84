"""A car's computer for the tests of time: a boot clock that never jumps, a wall clock that does what it likes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from blackbox_qt.app.timekeeping import Timekeeper
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.packet import StreamInfo
from blackbox_qt.storage.healing import Healer
from blackbox_qt.storage.healing_round import heal_library
from blackbox_qt.storage.library import Library, SegmentInfo
from blackbox_qt.storage.recording import Recording
from blackbox_qt.storage.segment import Store
from blackbox_qt.storage.status import WriterSettings
from tests.storage.fakes import FaultDisk, dull

NOON = 1_795_143_600 * NS  # 2026-11-20 03:00:00 UTC: noon in Seoul
DAY = 86_400 * NS
STEP_NS = NS // 10  # ten pictures a second
SETTINGS = WriterSettings(segment_s=3)


class Machine:
    """Both clocks, as the kernel would have them. `true_utc` is what a good watch beside it says."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.disk = FaultDisk()
        self.boots = 1
        self.now = 40 * NS
        self.truth_ns = NOON - self.now  # true UTC less boot clock
        self.wall_ns = 0  # the wall clock less boot clock: it starts in 1970
        self.network = False  # the kernel says that a network keeps the clock
        self.within_ns = NS // 100
        self.rtc: Anchor | None = None

    @property
    def machine_boot(self) -> str:
        return f"boot-{self.boots}"

    def boot_ns(self) -> int:
        return self.now

    def anchor(self) -> Anchor:
        source, within = ("ntp", self.within_ns) if self.network else ("unsynced", None)
        return Anchor(self.now, self.now + self.wall_ns, source, within)

    def true_utc(self, boot_ns: int | None = None) -> int:
        return (self.now if boot_ns is None else boot_ns) + self.truth_ns

    def connect(self) -> None:
        """A network sets the clock, and keeps it."""
        self.network, self.wall_ns = True, self.truth_ns

    def set_wall(self, utc_ns: int) -> None:
        """Somebody sets the clock: the kernel does not vouch for it any more."""
        self.network, self.wall_ns = False, utc_ns - self.now

    def reboot(self, off_s: int = 3600) -> None:
        """Off for a while; without a battery the clock starts in 1970 again."""
        utc = self.true_utc() + off_s * NS
        self.boots += 1
        self.now = 40 * NS
        self.truth_ns = utc - self.now
        self.wall_ns, self.network = 0, False

    def phone(self, off_ns: int = 0, within_ns: int = NS) -> Anchor:
        """What a phone says now."""
        return Anchor(self.now, self.true_utc() + off_ns, "phone", within_ns)


class Program:
    """The recorder's parts that have to do with time, driven by hand: one start of it."""

    def __init__(self, machine: Machine, zone: str = "Asia/Seoul") -> None:
        self.machine = machine
        self.time = Timekeeper(machine, zone, lambda _: machine.rtc)
        self.store = Store(machine.disk, machine.data)
        self.store.check_writable()
        self.library = Library(machine.disk, self.store.library("camera"), self.time)
        self.recording = Recording(self.store, self.time, SETTINGS, self.library.add)
        self.time.attach(machine.disk, machine.data, lambda: [self.library])
        self._stream = StreamInfo("front", 64, 64, b"\x01\x42\x00\x0a\xff\xe0\x00", 10.0)
        self._seq = 0

    def drive(self, seconds: float) -> None:
        """Record for a while; the keeper looks once a second."""
        for packet in dull(round(seconds * NS / STEP_NS), key_every=10, info=self._stream):
            self.machine.now += STEP_NS
            self.recording.put(replace(packet, t_ns=self.machine.now, seq=self._seq))
            self.recording.step()
            if self._seq % 10 == 9:
                self.time.step()
            self._seq += 1

    def keep_house(self) -> None:
        """What the keeper does after a start, and then again and again."""
        healer = Healer(self.machine.disk, self.library.root, self.time, "a test")
        heal_library(self.machine.disk, self.library.root, self.store.ours(self.library.root), healer)
        self.library.load()
        for _ in range(10):
            self.time.step()

    def end(self) -> None:
        """A polite end."""
        self.recording.finish(4)
        while not self.recording.ended:
            self.recording.step()
            self.machine.now += NS // 20
        for _ in range(3):
            self.time.step()

    def crash(self) -> None:
        self.recording.abandon()

    def segments(self) -> tuple[SegmentInfo, ...]:
        return self.library.segments(open_too=False)


def recorded(machine: Machine, seconds: float) -> Program:
    """One start of the program, from beginning to end."""
    program = Program(machine)
    program.drive(seconds)
    program.end()
    return program


def pictures(data: Path) -> dict[str, str]:
    """Name and content of every recording."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(data.rglob("*.mp4*"))}
