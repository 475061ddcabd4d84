"""The card's sync and the encoder: measured with a hand-driven clock, and once for real."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.core.packet import Packet, StreamInfo
from blackbox_qt.doctor import encoding, synctime
from blackbox_qt.doctor.encoding import Speed
from blackbox_qt.doctor.numbers import percentile
from blackbox_qt.doctor.threads import OTHERS, cpu_ns, cpu_of
from blackbox_qt.doctor.timing import TimingDisk
from blackbox_qt.storage.disk import Disk
from tests.doctor.trees import DATA, healthy_pi
from tests.fakes import HandClock


def test_percentiles_are_samples() -> None:
    samples = [float(n) for n in range(100, 0, -1)]
    assert [percentile(samples, p) for p in (50, 99, 100)] == [50, 99, 100] and percentile([7.0], 1) == 7
    with pytest.raises(ValueError):
        percentile([], 50)


class SlowDisk(Disk):
    """Each sync takes the next of `times` ms of a hand-driven clock."""

    def __init__(self, clock: HandClock, times: Sequence[float]) -> None:
        self.clock, self.times = clock, list(times)

    def datasync(self, fd: int) -> None:
        self.clock.advance(self.times.pop(0) / 1000)


def test_each_sync_is_timed_and_the_pace_is_kept(tmp_path: Path) -> None:
    clock, waits = HandClock(), []
    disk = SlowDisk(clock, [10, 400, 20, 30])
    took = synctime.measure(disk, tmp_path, 1000, 0.25, 1.0, clock, waits.append)
    assert [round(t) for t in took] == [10, 400, 20, 30]
    assert [round(w, 3) for w in waits] == [0.24, 0, 0.23, 0.22], "a late one is not made up for"
    assert not list(tmp_path.iterdir())


def test_the_file_is_gone_also_after_an_error(tmp_path: Path) -> None:
    class DeadDisk(Disk):
        def datasync(self, fd: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        synctime.measure(DeadDisk(), tmp_path, 10, 0.1, 0.1, HandClock(), lambda _: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("slowest", "state"), [(249.0, "ok"), (251.0, "look here"), (2001.0, "broken")])
def test_how_slow_is_too_slow(slowest: float, state: str) -> None:
    assert synctime.judge([5.0] * 10 + [slowest], 250_000, Path("/card")).state == state


def test_a_folder_that_is_not_ours_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> list[float]:
        raise PermissionError(errno.EACCES, "Permission denied")

    def full(*_: object) -> list[float]:
        raise OSError(errno.ENOSPC, "No space left on device")

    case = healthy_pi(tmp_path).case()
    monkeypatch.setattr(synctime, "measure", denied)
    assert synctime.sync(case).state == "look here" and "sudo" in synctime.sync(case).do
    monkeypatch.setattr(synctime, "measure", full)
    assert synctime.sync(case).state == "broken" and "Disk full" in synctime.sync(case).found


def test_fragments_of_the_configured_size_are_written(tmp_path: Path) -> None:
    found = synctime.sync(healthy_pi(tmp_path).case())
    assert found.data["bytes"] == 8000 * 125 // 20 and found.data["syncs"] == 2
    assert not list((tmp_path / DATA.lstrip("/")).iterdir())


# ---- the encoder


def speed(ms: float = 5, fps: float = 30, dropped: int = 0) -> Speed:
    return Speed("front", 1920, 1080, fps, 90, dropped, ms)


@pytest.mark.parametrize(
    ("speeds", "used", "cores", "state"),
    [
        ([speed()], 0.2, 4, "ok"),
        ([speed(ms=21)], 0.7, 4, "look here"),
        ([speed(ms=31)], 1.0, 4, "broken"),
        ([speed(dropped=1)], 0.2, 4, "broken"),
        ([speed(), speed(ms=31)], 1.2, 4, "broken"),
        ([speed()], 1.5, 2, "look here"),
    ],
)
def test_what_an_encoders_speed_means(speeds: list[Speed], used: float, cores: int, state: str) -> None:
    found = encoding.judge(speeds, used, cores)
    assert found.state == state and found.data["cores_left"] == round(cores - used, 2)


def test_frames_are_really_encoded_for_every_camera(tmp_path: Path) -> None:
    case = healthy_pi(tmp_path).case(source="pattern:96x64@50")
    rear = case.config.camera[0].model_copy(update={"name": "rear", "source": "v4l2:x", "width": 128, "height": 64,
                                                    "fps": 25.0})  # fmt: skip
    config = case.config.model_copy(update={"camera": (*case.config.camera, rear)})
    speeds, used = encoding.measure(config, 0.2)
    assert [(s.camera, s.width, s.height, s.fps) for s in speeds] == [("front", 96, 64, 50), ("rear", 128, 64, 25)]
    assert [s.frames >= least for s, least in zip(speeds, (10, 5), strict=True)] == [True, True]
    assert all(0 < s.ms < 40 for s in speeds) and 0 < used < 2


def test_an_encoder_that_fails_is_reported(tmp_path: Path) -> None:
    case = healthy_pi(tmp_path).case(source="pattern:96x64@50")
    record = case.config.record.model_copy(update={"preset": "no-such-preset"})
    found = encoding.encoder(replace(case, config=case.config.model_copy(update={"record": record})))
    assert found.state == "broken" and "encoder refused" in found.found


def test_the_threads_costs_add_up_to_the_processs() -> None:
    used = cpu_ns()
    assert used["MainThread"] > 0 and used[OTHERS] >= 0 and cpu_of(used, "Main") == used["MainThread"]


# ---- when frames are safe


def packet(t_ns: int) -> Packet:
    return Packet(StreamInfo("front", 64, 64, b""), b"picture %d" % t_ns, True, 0, t_ns)


def test_a_frame_is_as_old_as_the_sync_that_made_it_safe(tmp_path: Path) -> None:
    clock = HandClock(boot_s=0)
    disk = TimingDisk(clock)
    one, two, other = packet(0), packet(10_000_000), packet(20_000_000)
    for each in (one, two):
        disk.note(each)
    fd = disk.create(tmp_path / "file")
    disk.write(fd, [b"head", one.data, two.data])
    disk.write(fd, [other.data])  # nobody noted it: not timed
    assert disk.take() == []
    clock.advance(0.1)
    disk.datasync(fd)
    assert disk.take() == [100.0, 90.0] and disk.take() == []
    disk.datasync(fd)
    disk.close(fd)
    assert disk.take() == []
