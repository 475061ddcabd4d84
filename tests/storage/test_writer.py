"""The thread: never in the encoder's way, ends when told, and can be killed at any time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.core.clock import SystemClock
from blackbox_qt.core.packet import Packet
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.open_segment import FinishedSegment
from blackbox_qt.storage.segment import Store
from blackbox_qt.storage.status import WriterSettings
from blackbox_qt.storage.writer import Writer

from .fakes import FakeClock, FaultDisk, dull

WAIT_S = 20  # only ever spent when something is broken


class Rig:
    """A Writer with a clock moved by the packets."""

    def __init__(self, data: Path, **settings: object) -> None:
        self.data = data
        self.disk = FaultDisk()
        self.clock = FakeClock()
        self.finished: list[FinishedSegment] = []
        store = Store(self.disk, data)
        store.check_writable()
        chosen = WriterSettings(**settings)  # type: ignore[arg-type]
        self.writer = Writer("front", store, self.clock, chosen, on_segment=self.finished.append)

    def put(self, packets: list[Packet]) -> None:
        for packet in packets:
            self.clock.now = packet.t_ns
            self.writer.put(packet)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, segment_s=1.9)
    rig.writer.start()
    yield rig
    rig.disk.gate.set()
    rig.disk.faults.clear()
    rig.writer.finish(WAIT_S)


def test_from_put_to_a_finished_file(rig: Rig, tmp_path: Path) -> None:
    rig.put(dull(90))
    assert rig.writer.first_durable.wait(WAIT_S)
    assert rig.writer.finish(WAIT_S)
    assert [done.reason for done in rig.finished] == ["full", "stopped"]
    assert check_paths([tmp_path]).frames == 90
    assert rig.writer.status().frames_durable == 90
    assert not [thread for thread in threading.enumerate() if thread.name == "disk-front"]


def test_a_card_that_stalls_delays_nobody_and_loses_nothing(rig: Rig, tmp_path: Path) -> None:
    packets = dull(315)
    rig.put(packets[:30])
    assert rig.writer.first_durable.wait(WAIT_S)
    rig.disk.gate.clear()
    rig.put(packets[30:40])
    assert rig.disk.stalled.wait(WAIT_S)
    rig.put(packets[40:300])  # returns: nothing here waits for the disk
    status = rig.writer.status()
    assert status.state == "fault"
    assert status.words.startswith("Card does not answer: nothing saved for")
    assert status.unsynced_age_s > 8
    assert status.lost == {}
    rig.disk.gate.set()
    rig.put(packets[300:])
    assert rig.writer.finish(WAIT_S)
    assert check_paths([tmp_path]).frames == len(packets)


def test_a_stall_beyond_the_memory_drops_whole_gops_and_says_so(rig: Rig, tmp_path: Path) -> None:
    packets = dull(30 * 20)
    rig.put(packets[:30])
    assert rig.writer.first_durable.wait(WAIT_S)
    rig.disk.gate.clear()
    rig.put(packets[30:60])
    assert rig.disk.stalled.wait(WAIT_S)
    rig.put(packets[60:])
    lost = rig.writer.status().lost["disk"]
    assert lost > 0
    assert rig.writer.status().queue_s <= 10
    rig.disk.gate.set()
    assert rig.writer.finish(WAIT_S)
    result = check_paths([tmp_path])
    assert result.ok
    assert result.frames == len(packets) - lost
    assert sum(report.lost["disk"] for report in result.segments) == lost


def test_finish_does_not_wait_for_a_card_that_does_not_answer(rig: Rig) -> None:
    rig.put(dull(30))
    assert rig.writer.first_durable.wait(WAIT_S)
    rig.disk.gate.clear()
    rig.put(dull(60)[30:])
    assert rig.disk.stalled.wait(WAIT_S)
    assert not rig.writer.finish(0.05)
    rig.disk.gate.set()
    assert rig.writer.finish(WAIT_S)


def test_a_fault_is_one_line_in_the_log(rig: Rig, expected_alarms: list[str], caplog: pytest.LogCaptureFixture) -> None:
    expected_alarms.append("Card error")
    rig.put(dull(30))
    assert rig.writer.first_durable.wait(WAIT_S)
    rig.disk.fail("write", times=5)
    rig.put(dull(60)[30:])
    rig.writer.finish(0.8)
    assert sum("Card error" in line for line in caplog.messages) == 1


class Crash(Exception):
    """What no disk raises."""


def crashed_in(op: str, rig: Rig, until: Callable[[Callable[[], object]], None]) -> list[BaseException]:
    """Record 50 frames, and die at the next `op`."""
    packets, crashes = dull(50), list[BaseException]()

    def crash(*_: object) -> None:
        raise Crash("a bug")

    store = Store(rig.disk, rig.data)
    rig.writer = Writer("front", store, rig.clock, on_segment=rig.finished.append, on_crash=crashes.append)
    rig.writer.start()
    rig.put(packets[:40])
    assert rig.writer.first_durable.wait(WAIT_S)
    setattr(rig.disk, op, crash)
    rig.put(packets[40:])
    until(lambda: crashes)
    delattr(rig.disk, op)
    return crashes


@pytest.mark.parametrize("op", ["write", "datasync"])
def test_a_crash_leaves_nothing_open_and_nothing_uncounted(
    tmp_path: Path, op: str, until: Callable[[Callable[[], object]], None]
) -> None:
    rig = Rig(tmp_path)
    crashed_in(op, rig, until)
    opened = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert not [path for path in opened if path.startswith(str(tmp_path))]
    rig.put(dull(90)[50:])
    dead = rig.writer
    status = dead.status()
    assert (status.state, status.words, status.queue_packets) == ("fault", "Recording failed: a bug", 0)
    assert not dead.finish(0.1)
    rig.put(dull(93)[90:])
    assert dead.orphaned() == {"disk": 93 - status.frames_durable}
    assert dead.status().lost == dead.orphaned()

    heir = rig.writer = Writer("front", Store(rig.disk, tmp_path), rig.clock, lost_before=dead.orphaned())
    heir.start()
    rig.put(dull(150)[90:])  # the first key frame is 90: told as lost, and recorded by the new one
    assert heir.finish(WAIT_S)
    assert heir.status().lost == {}, "each tells of its own"
    last = check_paths([tmp_path]).segments[-1]
    assert last.lost == dead.orphaned()


def test_packets_in_a_dead_writer_count_for_the_user_while_paused(
    tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    rig = Rig(tmp_path)
    crashed_in("write", rig, until)
    disk = rig.writer.orphaned()["disk"]
    rig.writer.pause(60)
    rig.put(dull(60)[50:])
    assert rig.writer.orphaned() == {"disk": disk, "stopped": 10}


def test_a_name_that_is_no_camera(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="camera's name"):
        Writer("../x", Store(Disk(), tmp_path), SystemClock())


def test_a_writer_that_never_started_finishes(tmp_path: Path) -> None:
    assert Writer("front", Store(Disk(), tmp_path), SystemClock()).finish(1)


CHILD = """
import sys
from pathlib import Path
from tests.storage.fakes import clip
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.segment import Store
from blackbox_qt.storage.status import WriterSettings
from blackbox_qt.storage.writer import Writer

store = Store(Disk(), Path(sys.argv[1]))
store.check_writable()
writer = Writer("front", store, SystemClock(), WriterSettings(segment_s=2))
writer.start()
for count, packet in enumerate(clip(), 1):
    writer.put(packet)
    if count % 10 == 0:
        print(writer.status().frames_durable, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("lines", [1, 3, 8, 9])
def test_kill_9_leaves_everything_that_was_durable(tmp_path: Path, lines: int) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=root,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        durable = 0
        for _ in range(lines):
            durable = int(child.stdout.readline())
            child.stdin.write("\n")
            child.stdin.flush()
        child.send_signal(signal.SIGKILL)
        child.wait(WAIT_S)
    files = sorted(tmp_path.rglob("*.mp4*"))
    result = check_paths([tmp_path]) if files else None
    assert durable == 0 or (result is not None and result.ok and result.frames >= durable)
    for file in files:
        if verify_frames(file):
            play = ["ffmpeg", "-v", "error", "-i", str(file), "-f", "null", "-"]
            assert subprocess.run(play, capture_output=True, timeout=WAIT_S).returncode == 0


def verify_frames(path: Path) -> int:
    return check_paths([path]).frames
