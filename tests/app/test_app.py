"""The recorder without a face, on hand-driven cameras: faults have words, and heal by themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blackbox_qt.app import App, CameraStatus, Status
from blackbox_qt.app.part import Part
from blackbox_qt.config import Config, load
from blackbox_qt.core.layout import Layout
from blackbox_qt.sinks import encoder as encoder_module
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.storage.recording import Recording
from tests.fakes import HandClock, HandSource

Until = Callable[[Callable[[], object]], None]
STEP_S = 1 / 30


class Box:
    """An App with hand-driven cameras and a hand-driven clock."""

    def __init__(self, data: Path, until: Until, *names: str) -> None:
        self.clock = HandClock()
        self.sources = {name: HandSource(name, clock=self.clock) for name in names or ("front",)}
        self.data = data
        self.until = until
        self.app = App(
            configuration(data, *self.sources), self.clock,
            sources={name: (lambda s=s: s) for name, s in self.sources.items()},
        )  # fmt: skip

    def run(self, count: int, *names: str) -> None:
        """So many frames on each camera named (all if none), all encoded before the next."""
        for _ in range(count):
            self.clock.advance(STEP_S)
            for name in names or self.sources:
                source, camera = self.sources[name], self.app.cameras[name]
                self.until(source.running.is_set)
                source.tick()
                self.until(lambda c=camera: not c.hub.holders().get("encoder"))

    def durable(self, count: int, name: str = "front") -> None:
        """Wait until so many frames are on the disk; a pause of 0.3 s sends the last fragment there."""
        self.clock.advance(0.3)
        self.until(lambda: self.camera(name).recording.frames == count)

    def status(self) -> Status:
        self.clock.advance(0.11)  # the last one may be shown for 0.1 s
        return self.app.status()

    def camera(self, name: str = "front") -> CameraStatus:
        """Past the snapshot that faces share, which the hand-driven clock would keep for ever."""
        return self.app.cameras[name].status()


def configuration(data: Path, *names: str) -> Config:
    settings = [f"storage.data={data}", f"storage.state={data / 'state'}"]
    return load(None, settings, sources=[(name, "hand") for name in names])


@pytest.fixture
def box(tmp_path: Path, until: Until) -> Iterator[Box]:
    box = Box(tmp_path / "data", until)
    with box.app:
        yield box


@pytest.fixture
def two(tmp_path: Path, until: Until) -> Iterator[Box]:
    box = Box(tmp_path / "data", until, "front", "rear")
    with box.app:
        yield box


def recorded(box: Box) -> list[tuple[str, int]]:
    """(camera, frames) of every finished segment, which all must be sound."""
    result = check_paths([box.data / "recordings"])
    assert result.ok, result
    return [(r.name.camera, r.frames) for r in result.segments if r.name]


def test_what_comes_in_is_on_the_disk(tmp_path: Path, until: Until) -> None:
    box = Box(tmp_path / "data", until, "front", "rear")
    with box.app:
        box.run(40)
        box.durable(40)
        status = box.camera()
        assert status.recording.state == "recording" and status.state in ("live", "stopped")
        assert status.lost["camera"] == 0 and sum(status.lost.values()) == 0
        assert status.buffers == {"free": 12}
        assert box.status().recording == "recording" and box.status().words == ""
    assert box.app.stopped_well
    assert recorded(box) == [("front", 40), ("rear", 40)]
    assert not any(s.opened for s in box.sources.values())


def test_a_camera_that_fails_at_start_does_not_hold_up_the_other(
    tmp_path: Path, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["rear: no camera (cable?)", "rear: pictures again"]
    box = Box(tmp_path / "data", until, "front", "rear")
    box.sources["rear"].fail_open = SourceError("no camera (cable?)")
    with box.app:
        box.run(5, "front")
        until(lambda: box.camera("rear").state == "fault")
        assert box.camera("rear").words == "no camera (cable?)"
        assert "REAR: no camera (cable?)" in box.status().words
        box.sources["rear"].fail_open = None
        until(lambda: box.run(1, "front") or box.sources["rear"].running.is_set())
        box.run(5)
        until(lambda: box.camera("rear").words == "")
        assert box.camera("front").words == ""
    assert dict(recorded(box))["rear"] == 5


def test_a_camera_that_stalls_is_opened_again(two: Box, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["rear: hand-driven camera gives no pictures any more", "rear: pictures again"]
    two.run(4)
    two.clock.advance(0.31)
    assert two.camera("rear").state == "stopped"
    rear = two.sources["rear"]

    def front_goes_on() -> bool:
        two.run(1, "front")
        return not rear.opened

    until(front_goes_on)
    until(lambda: two.run(1, "front") or rear.running.is_set())
    two.run(3)
    until(lambda: two.camera("rear").words == "")
    assert two.camera("front").words == ""
    two.durable(7, "rear")


def test_a_camera_that_dies_is_opened_again_after_2_s_then_4(
    box: Box, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["front: hand-driven camera stopped: unplugged", "front: pictures again"]
    box.run(2)
    for wait in (2.0, 4.0):
        assert box.sources["front"].failed is not None
        box.sources["front"].failed(OSError("unplugged"))
        until(lambda: not box.sources["front"].running.is_set())
        until(lambda: box.camera().words == "hand-driven camera stopped: unplugged")
        before = box.clock.boot_ns()
        until(lambda: box.clock.advance(0.02) or box.sources["front"].running.is_set())
        assert (box.clock.boot_ns() - before) / 1e9 >= wait - 0.5
        box.run(1)
    until(lambda: box.camera().words == "")


def test_a_change_of_size_begins_a_new_file(box: Box, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["stopped: resized", "pictures again", "the picture is 128x96 now, was 64x48"]
    source = box.sources["front"]
    box.run(3)
    source.layout = Layout.packed(128, 96)
    assert source.failed is not None
    source.failed(OSError("resized"))
    until(lambda: not source.running.is_set())
    until(lambda: box.clock.advance(0.05) or source.running.is_set())
    box.run(3)
    box.durable(6)
    assert (box.camera().width, box.camera().height) == (128, 96)
    until(lambda: "now, was 64x48" in box.camera().words)
    assert "FRONT: the picture" in box.status().words
    until(lambda: box.clock.advance(0.5) or box.run(1) or box.camera().words == "")
    assert box.camera().recording.segments == 1


def test_words_come_before_a_driver_that_hangs_while_closing(
    box: Box, until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms += ["stopped: cable pulled", "it would not close"]
    source, closing = box.sources["front"], threading.Event()

    def hang() -> None:
        assert closing.wait(10)
        raise SourceError("it would not close")

    box.run(2)
    with monkeypatch.context() as patch:
        patch.setattr(source, "close", hang)
        assert source.failed is not None
        source.failed(OSError("cable pulled"))
        until(lambda: box.camera().words == "hand-driven camera stopped: cable pulled")
        closing.set()
        until(lambda: not source.running.is_set())
    assert "cable pulled" in box.camera().words, "what went wrong while closing must not hide it"


def test_a_camera_that_hangs_does_not_cost_the_other_its_file(
    tmp_path: Path, until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms.append("front: hand-driven camera")
    monkeypatch.setattr("blackbox_qt.app.camera.SOURCE_STOP_S", 0.2)
    box = Box(tmp_path / "data", until, "front", "rear")
    gate = threading.Event()
    with box.app:
        box.run(3)
        stop = box.sources["front"].stop

        def hang() -> None:
            assert gate.wait(10)
            stop()
            raise SourceError("hand-driven camera was slow")

        monkeypatch.setattr(box.sources["front"], "stop", hang)
    assert not box.app.stopped_well
    assert recorded(box) == [("front", 3), ("rear", 3)], "what had come is safe on both"
    gate.set()
    assert box.app.cameras["front"].care.join(5)


def test_a_slow_camera_is_not_a_stalled_one(box: Box, until: Until) -> None:
    box.sources["front"].fps = 0.5
    box.run(1)
    for _ in range(3):
        box.clock.advance(3)
        threading.Event().wait(0.25)  # the caretaker looks ten times a second
        box.run(1)
    assert box.camera().words == ""


def test_a_part_that_cannot_be_built_again_is_tried_again(expected_alarms: list[str]) -> None:
    expected_alarms += ["x failed, it will be restarted: ValueError: died", "x was restarted"]
    expected_alarms += ["x failed, it will be restarted: RuntimeError: can't start new thread"]
    clock, built = HandClock(), 0

    class Thing:
        def start(self) -> None:
            nonlocal built
            built += 1
            if built == 2:
                raise RuntimeError("can't start new thread")

    part: Part[Thing] = Part("x", lambda crashed: Thing(), lambda thing, timeout: True, clock)
    part.start()
    part.crashed(ValueError("died"))
    for _ in range(100):
        clock.advance(0.1)
        part.mend()
    assert built == 3 and part.words == ""


def test_an_encoder_that_dies_is_built_anew(
    box: Box, until: Until, expected_alarms: list[str], possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms += ["front encoder failed, it will be restarted: RuntimeError: out of luck"]
    expected_alarms += ["front encoder was restarted"]
    possible_alarms += ["gives no pictures", "pictures again"]  # both are due after 2 s, whichever looks first
    possible_alarms.append("frames lost so far")
    box.run(3)
    box.durable(3)
    real = encoder_module._Codec.encode
    with monkeypatch.context() as patch:
        patch.setattr(encoder_module._Codec, "encode", lambda *_: (_ for _ in ()).throw(RuntimeError("out of luck")))
        box.clock.advance(STEP_S)
        box.sources["front"].tick()
        until(lambda: "out of luck" in box.camera().recording.words)
    assert encoder_module._Codec.encode is real
    assert box.status().recording == "fault"
    assert box.camera().buffers == {"free": 12}, "a dead sink holds nothing"
    until(lambda: box.clock.advance(0.02) or "out of luck" not in box.camera().recording.words)
    until(lambda: box.clock.advance(0.02) or box.sources["front"].running.is_set())
    box.run(3)
    box.durable(6)
    assert box.camera().lost["encoder"] >= 1


def test_a_writer_that_dies_is_replaced_and_what_it_had_is_counted(
    box: Box, until: Until, expected_alarms: list[str], possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms += ["front recording failed, it will be restarted: RuntimeError: out of luck", "was restarted"]
    possible_alarms += [
        "frames lost so far",
        "gives no pictures",
        "pictures again",
        "front recording",
        "front: Recording",
    ]
    box.run(3)
    box.durable(3)
    with monkeypatch.context() as patch:
        patch.setattr(Recording, "step", lambda self: (_ for _ in ()).throw(RuntimeError("out of luck")))
        box.run(4)
        until(lambda: "out of luck" in box.camera().recording.words)
    assert box.camera().recording.state == "fault" and box.status().recording == "fault"
    box.run(5)
    until(lambda: box.clock.advance(0.02) or "out of luck" not in box.camera().recording.words)
    until(lambda: box.clock.advance(0.02) or box.sources["front"].running.is_set())
    box.run(3)
    box.durable(6)
    assert box.camera().lost["disk"] == 9, "four it had taken, five that came while it was dead"
    assert box.camera().recording.frames == 6


def test_stopped_by_the_user_ends_by_itself(box: Box, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["recording was stopped by the user for 8 s"]
    box.run(5)
    box.durable(5)
    box.app.pause(8)
    until(lambda: box.camera().recording.state == "paused")
    assert 0 < (box.camera().recording.resumes_in_s or 0) <= 8
    box.run(3)
    while (box.camera().recording.resumes_in_s or 0) > 0:
        box.run(20)
    box.run(40)
    until(lambda: box.camera().recording.state == "recording")
    assert box.camera().recording.lost["stopped"] > 3


def test_resume_goes_on_at_once(box: Box, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["stopped by the user"]
    box.run(5)
    box.app.pause(600)
    until(lambda: box.camera().recording.state == "paused")
    box.run(2)
    box.app.resume()
    box.run(3)
    until(lambda: box.camera().recording.state == "recording")
    box.durable(8)


def test_a_data_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("not a folder")
    app = App(configuration(target, "front"), HandClock(), sources={"front": HandSource})
    with pytest.raises(StorageError) as caught, app:
        pytest.fail("it must not start")
    assert "\n" not in str(caught.value) and str(target) in str(caught.value)


def test_a_source_that_can_never_work_is_known(tmp_path: Path, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms.append("does not exist")
    config = load(None, [f"storage.data={tmp_path}"], sources=[("front", "file:/nowhere.mp4")])
    app = App(config)
    with app:
        assert not app.wait_first_durable(5)
        until(app.refused)
        assert "does not exist" in str(app.refused())


def test_a_hundred_starts_and_stops_leave_nothing_behind(tmp_path: Path, until: Until) -> None:
    """Switching and restarting for ever killed the system this one replaces."""
    count = 100 if os.environ.get("BLACKBOX_PROVE") else 10
    with ExitStack() as stack:
        for _ in range(count):
            box = Box(tmp_path / "data", until)
            stack.enter_context(box.app)
            box.run(2)
            stack.close()
    assert recorded(box) == [("front", 2)] * count
