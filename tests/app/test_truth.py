"""The recording truth meter: frames lost at every stage, and live status, records and `check` say the same of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blackbox_qt.app import App
from blackbox_qt.config import load
from blackbox_qt.sinks import encoder as encoder_module
from blackbox_qt.storage.check import CheckResult, check_paths
from blackbox_qt.storage.check_text import lines
from tests.app.test_app import STEP_S, Until
from tests.fakes import HandClock, HandSource
from tests.storage.fakes import FaultDisk


class Meter:
    """An App with one hand-driven camera on a disk that fails when told, and what its driver numbered."""

    def __init__(self, data: Path, until: Until) -> None:
        self.clock, self.until, self.data = HandClock(), until, data
        self.source = HandSource("front", clock=self.clock)
        self.disk = FaultDisk()
        self.numbered = 0  # frames the driver gave a number to while its stream ran, the first one on
        settings = [f"storage.data={data}", f"storage.state={data / 'state'}", "storage.memory_s=2"]
        config = load(None, settings, sources=[("front", "hand")])
        self.app = App(config, self.clock, self.disk, {"front": lambda: self.source})

    @property
    def camera(self):
        return self.app.cameras["front"]

    def run(self, count: int, *, waits: bool = True) -> None:
        """So many frames; `waits`: each is encoded before the next."""
        for _ in range(count):
            self.clock.advance(STEP_S)
            self.until(self.source.running.is_set)
            assert self.source.tick()
            self.numbered += 1
            if waits:
                self.until(lambda: not self.camera.hub.holders().get("encoder"))

    def skip(self, count: int) -> None:
        """The driver loses so many."""
        self.source.skip(count)
        self.numbered += count

    def saved(self) -> None:
        """Wait until all that was taken is on the disk; a pause of 0.3 s sends the last fragment there."""
        self.clock.advance(0.3)
        self.until(lambda: not self.camera.status().recording.queue_frames)

    def lost(self) -> dict[str, int]:
        return {cause: count for cause, count in self.camera.status().lost.items() if count}

    def agree(self) -> CheckResult:
        """After the end: the three tell the same story."""
        status, found = self.camera.status(), check_paths([self.data])
        assert found.frames == status.recording.frames
        assert dict(found.lost) == self.lost()
        assert found.frames + sum(self.lost().values()) == self.numbered
        assert not found.unexplained
        return found


@pytest.fixture
def meter(tmp_path: Path, until: Until, possible_alarms: list[str]) -> Meter:
    possible_alarms.append("frames lost so far")  # once a second, by the machine's clock
    return Meter(tmp_path / "data", until)


@contextmanager
def encoder_waits(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The encoder hangs in its next frame."""
    gate, real = threading.Event(), encoder_module._Codec.encode

    def slow(*args, **kwargs):
        assert gate.wait(10)
        return real(*args, **kwargs)

    patch.setattr(encoder_module._Codec, "encode", slow)
    yield
    patch.setattr(encoder_module._Codec, "encode", real)
    gate.set()


def test_a_hole_in_the_drivers_numbers_is_the_cameras(meter: Meter) -> None:
    with meter.app:
        meter.run(40)
        meter.skip(3)
        meter.run(20)
        assert meter.lost() == {"camera": 3}, "live, before it is on the disk"
        meter.saved()
    found = meter.agree()
    assert "60 frames" in lines(found)[-1] and "lost: 3 camera." in lines(found)[-1]


def test_what_the_encoder_was_too_late_for_is_the_mailboxs(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    with meter.app:
        meter.run(10)
        with encoder_waits(monkeypatch):
            meter.run(1, waits=False)
            meter.until(lambda: not len(meter.camera._encoder.inbox))
            meter.run(6, waits=False)
            meter.skip(2)
            meter.run(3, waits=False)
        meter.until(lambda: not meter.camera.hub.holders().get("encoder"))
        meter.run(5)
        assert meter.lost() == {"camera": 2, "mailbox": 5}
        meter.saved()
    meter.agree()


def test_what_came_while_the_encoder_was_dead_is_the_encoders(
    meter: Meter, expected_alarms: list[str], possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one it died of, those that waited, and those that came before the next was there; but not the camera's."""
    expected_alarms += ["front encoder failed", "front encoder was restarted"]
    with meter.app:
        meter.run(10)
        with monkeypatch.context() as patch:
            patch.setattr(encoder_module._Codec, "encode", lambda *_: (_ for _ in ()).throw(RuntimeError("no luck")))
            meter.run(1)
            meter.until(lambda: "no luck" in meter.camera.status().recording.words)
        meter.run(5)
        meter.skip(4)
        meter.run(1)
        assert meter.lost() == {"camera": 4, "encoder": 7}, "live, although no packet can tell of it yet"
        meter.until(lambda: meter.run(1) or not meter.camera.status().recording.words)
        meter.run(5)
        meter.saved()
        assert meter.lost()["camera"] == 4 and meter.lost()["encoder"] > 7
    meter.agree()


def test_what_the_memory_could_not_hold_is_the_disks(
    meter: Meter, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    possible_alarms += ["Card does not answer", "gives no pictures", "pictures again"]
    with meter.app:
        meter.run(40)
        meter.disk.gate.clear()
        meter.run(1)
        meter.until(lambda: meter.run(1) or meter.disk.stalled.is_set())
        meter.run(150)
        assert meter.lost()["disk"] > 30
        meter.disk.gate.set()
        meter.run(40)
        meter.saved()
    meter.agree()


def test_what_is_written_again_is_counted_once(
    meter: Meter, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    """After an error frames and the losses before them are in two files."""
    expected_alarms.append("Card error")
    with meter.app:
        meter.run(40)
        meter.saved()
        meter.skip(2)
        meter.disk.fail("datasync")
        meter.run(60)
        meter.saved()
    found = meter.agree()
    assert found.repeated
    assert sum((report.lost for report in found.segments), Counter()) == {"camera": 4}, "it is in two files"


def test_what_the_user_stopped_is_his(meter: Meter, expected_alarms: list[str]) -> None:
    expected_alarms.append("recording was stopped by the user")
    with meter.app:
        meter.run(10)
        meter.saved()
        meter.app.pause(600)
        meter.run(7)
        assert meter.lost() == {"stopped": 7}
        meter.app.resume()
        meter.run(10)
        meter.saved()
    meter.agree()


def test_another_start_of_the_camera_loses_nothing_but_time(
    meter: Meter, expected_alarms: list[str], possible_alarms: list[str]
) -> None:
    """Its numbers begin anew, anywhere."""
    expected_alarms += ["stopped: unplugged", "pictures again"]
    with meter.app:
        meter.run(10)
        meter.skip(1)
        meter.run(5)
        assert meter.source.failed is not None
        meter.source.failed(OSError("unplugged"))
        meter.until(lambda: not meter.source.running.is_set())
        meter.source.skip(5000)
        meter.until(lambda: meter.clock.advance(0.05) or meter.source.running.is_set())
        meter.run(10)
        meter.saved()
        assert meter.lost() == {"camera": 1}
    found = meter.agree()
    assert len(found.between) == 1 and not found.between[0].frames


def test_all_of_it_in_one_drive(
    meter: Meter, expected_alarms: list[str], possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    possible_alarms += ["Card does not answer", "gives no pictures", "pictures again"]
    expected_alarms += ["stopped by the user", "front encoder failed", "front encoder was restarted", "Card error"]
    with meter.app:
        meter.run(20)
        meter.skip(1)
        meter.app.pause(600)
        meter.run(4)
        meter.app.resume()
        meter.run(20)
        with monkeypatch.context() as patch:
            patch.setattr(encoder_module._Codec, "encode", lambda *_: (_ for _ in ()).throw(RuntimeError("no luck")))
            meter.run(1)
            meter.until(lambda: "no luck" in meter.camera.status().recording.words)
        meter.until(lambda: meter.run(1) or not meter.camera.status().recording.words)
        with encoder_waits(monkeypatch):
            meter.run(8, waits=False)
            meter.skip(2)
        meter.run(30)
        meter.disk.fail("datasync")
        meter.run(60)
        meter.saved()
    assert set(meter.lost()) == {"camera", "mailbox", "encoder", "stopped"}
    meter.agree()


def test_a_longer_night_exposure_is_no_gap(meter: Meter) -> None:
    """Pictures 1.5 s apart whose numbers follow each other: the camera gave all it had."""
    with meter.app:
        meter.run(10)
        for _ in range(4):
            meter.clock.advance(1.5)
            meter.run(1)
        meter.skip(1)
        meter.clock.advance(1.5)
        meter.run(10)
        meter.saved()
    found = meter.agree()
    assert [gap.frames for report in found.segments for gap in report.gaps] == [1]
