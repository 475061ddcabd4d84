"""Another source, size or buffers for a camera that records; the other goes on, and no device is ever open twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blackbox_qt.app import App, CameraStatus, ReconfigureError
from blackbox_qt.app import reconfigure as reconfigure_module
from blackbox_qt.config import CameraConfig, load
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.check import CheckResult, check_paths
from tests.fakes import HandClock, HandSource

Until = Callable[[Callable[[], object]], None]


class Device(HandSource):
    """A camera that can be open once, as `hand:NAME`."""

    def __init__(self, shop: Shop, config: CameraConfig) -> None:
        layout = Layout.packed(config.width, config.height)
        super().__init__(config.name, config.buffers, layout, clock=shop.clock)
        self.shop, self.spec = shop, config.source
        self.device = config.source

    def open(self) -> None:
        assert self.spec not in self.shop.open, f"{self.spec} was opened twice at a time"
        gate, error = self.shop.gates.get(self.spec), self.shop.fail.get(self.spec)
        assert gate is None or gate.wait(10)
        if error is not None:
            raise error
        super().open()
        self.shop.open[self.spec] = self
        self.shop.opened.append(self.spec)

    def close(self) -> None:
        gate = self.shop.closing.get(self.spec)
        assert gate is None or gate.wait(10)
        try:
            super().close()
        finally:
            del self.shop.open[self.spec]


class Shop:
    """All devices there are, and an App that uses two of them."""

    def __init__(self, data: Path, until: Until) -> None:
        self.clock = HandClock()
        self.until = until
        self.open: dict[str, Device] = {}
        self.opened: list[str] = []
        self.fail: dict[str, SourceError] = {}
        self.gates: dict[str, threading.Event] = {}
        self.closing: dict[str, threading.Event] = {}
        self.data = data
        self.end: Callable[[], None] = lambda: None
        settings = [f"storage.data={data}", f"storage.state={data / 'state'}"]
        settings += [f"camera.{name}.{side}={size}" for name in ("front", "rear") for side, size in SMALL.items()]
        self.app = App(load(None, settings, sources=[("front", "hand:a"), ("rear", "hand:b")]), self.clock)

    def make(self, config: CameraConfig, small: tuple[int, int]) -> Device:
        if not config.source.startswith("hand:"):
            raise SourceError(f"source {config.source!r} is not known", permanent=True)
        return Device(self, config)

    def config(self, name: str = "front", **changes: object) -> CameraConfig:
        return self.app.cameras[name].config.model_copy(update=changes)

    def camera(self, name: str) -> CameraStatus:
        return self.app.cameras[name].status()

    def run(self, count: int, *names: str) -> None:
        """So many frames on each camera, all encoded before the next."""
        for _ in range(count):
            self.clock.advance(1 / 30)
            for name in names or ("front", "rear"):
                camera = self.app.cameras[name]
                self.until(lambda c=camera: self.runs(c.config.source))
                assert self.open[camera.config.source].tick()
                self.until(lambda c=camera: not c.hub.holders().get("encoder"))

    def runs(self, spec: str) -> bool:
        return spec in self.open and self.open[spec].running.is_set()

    def checked(self) -> CheckResult:
        result = check_paths([self.data / "recordings"])
        assert result.ok and all(r.state == "finished" for r in result.segments), result
        return result

    def files(self, name: str) -> list[tuple[str, int, int]]:
        """(device, width, frames) of each file of a camera, in order; all are sound."""
        return [(r.device, r.width, r.frames) for r in self.checked().segments if r.name and r.name.camera == name]


SMALL = {"width": 64, "height": 64}


@pytest.fixture
def shop(tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    shop = Shop(tmp_path / "data", until)
    monkeypatch.setattr("blackbox_qt.app.camera.make", shop.make)
    with ExitStack() as stack:
        stack.enter_context(shop.app)
        shop.end = stack.close
        shop.run(5)
        yield shop
    assert shop.app.stopped_well and not shop.open


def test_another_size_begins_a_new_file_and_the_other_camera_goes_on(shop: Shop) -> None:
    shop.app.reconfigure(shop.config(width=128, height=96, buffers=16))
    shop.run(4)
    front, rear = shop.camera("front"), shop.camera("rear")
    assert (front.width, front.height, front.words, front.buffers) == (128, 96, "", {"free": 16})
    assert (front.frames, rear.frames) == (9, 9) and front.lost["camera"] == 0
    assert front.healing.outages == 1 and front.healing.restarts == front.healing.reopens == 0
    assert rear.healing.outages == 0 and shop.opened == ["hand:a", "hand:b", "hand:a"]
    assert shop.app.config.camera[0].width == 128
    shop.end()
    assert shop.files("front") == [("hand:a", 64, 5), ("hand:a", 128, 4)] and shop.files("rear") == [("hand:b", 64, 9)]


def test_the_hole_in_time_is_said_as_what_it_is(shop: Shop, until: Until) -> None:
    """Numbers of two sources do not compare: no frame is called missing, and the seconds are told."""
    shop.gates["hand:c"] = threading.Event()
    change = Worker("change", lambda: shop.app.reconfigure(shop.config(source="hand:c")))
    change.start()
    until(lambda: "hand:a" not in shop.open)
    shop.clock.advance(1.5)
    shop.gates["hand:c"].set()
    assert change.join(10) and change.error is None
    shop.open["hand:c"].skip(50)  # a driver that begins anywhere
    shop.run(4)
    until(lambda: shop.camera("front").healing.outage_s == pytest.approx(1.5, abs=0.1))
    assert shop.camera("front").lost["camera"] == 0
    shop.end()
    result = shop.checked()
    assert result.missing == 0 and [g.frames for g in result.between] == [0]
    notes = [note.words for note in result.chain]
    assert notes == ["gap of 1.533 s, since front-000001-00001 ended (stream-changed)"]


def test_two_cameras_exchange_their_devices(shop: Shop) -> None:
    for _ in range(3):
        shop.app.switch("front", "rear")
        shop.run(2)
    assert [shop.camera(name).device for name in ("front", "rear")] == ["hand:b", "hand:a"]
    assert [c.name for c in shop.app.config.camera] == ["front", "rear"]
    shop.end()
    assert shop.files("front") == [("hand:a", 64, 5), ("hand:b", 64, 2), ("hand:a", 64, 2), ("hand:b", 64, 2)]
    assert shop.files("rear") == [("hand:b", 64, 5), ("hand:a", 64, 2), ("hand:b", 64, 2), ("hand:a", 64, 2)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "nonsense"}, "source 'nonsense' is not known"),
        ({"source": "hand:b"}, "hand:b is in use by rear; let the two exchange their sources"),
        ({"name": "side"}, "there is no camera side; there are: front, rear"),
        ({"buffers": 12}, "camera front has 12 buffers, but its consumers need 20; raise its setting buffers to 20"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    shop: Shop, changes: dict[str, object], words: str
) -> None:
    shop.app.reconfigure(shop.config(buffers=24))
    box = shop.app.cameras["front"].hub.attach("many", holds=11)
    with pytest.raises(ReconfigureError, match=words):
        shop.app.reconfigure(shop.config().model_copy(update=changes))
    assert shop.opened == ["hand:a", "hand:b", "hand:a"] and shop.camera("front").words == ""
    shop.app.cameras["front"].hub.detach(box)
    shop.run(2)


def test_a_switch_of_one_camera_with_itself_or_a_stranger_is_refused(shop: Shop) -> None:
    for names in (("front", "front"), ("front", "side"), ("side", "rear")):
        with pytest.raises(ReconfigureError, match="cannot be exchanged; there are: front, rear"):
            shop.app.switch(*names)


def test_a_source_that_can_never_work_is_undone(shop: Shop, expected_alarms: list[str]) -> None:
    words = "hand:c cannot give 64x64; it can 640x480"
    expected_alarms += [f"front: {words}", f"the change is undone: {words}"]
    shop.fail["hand:c"] = SourceError(words, permanent=True)
    with pytest.raises(ReconfigureError, match=f"^{words}; what was before goes on$"):
        shop.app.reconfigure(shop.config(source="hand:c"))
    shop.run(3)
    front = shop.camera("front")
    assert (front.device, front.words, front.frames) == ("hand:a", "", 8)
    assert shop.app.refused() is None and shop.app.config.camera[0].source == "hand:a"


def test_an_exchange_of_which_one_half_can_never_work_is_undone_as_a_whole(
    shop: Shop, expected_alarms: list[str]
) -> None:
    expected_alarms += ["rear: no such mode", "the change is undone: no such mode"]
    one, other = shop.config("front", source="hand:c"), shop.config("rear", source="hand:d")
    shop.fail["hand:d"] = SourceError("no such mode", permanent=True)
    with pytest.raises(ReconfigureError, match="no such mode"):
        shop.app.reconfigure(one, other)
    shop.run(3)
    assert sorted(shop.open) == ["hand:a", "hand:b"] and shop.opened.count("hand:c") <= 1


def test_a_source_in_trouble_is_accepted_and_healed(shop: Shop, until: Until, expected_alarms: list[str]) -> None:
    expected_alarms += ["front: hand:c is in use by another program", "front: pictures again"]
    shop.fail["hand:c"] = SourceError("hand:c is in use by another program")
    shop.app.reconfigure(shop.config(source="hand:c"))
    until(lambda: shop.camera("front").words == "hand:c is in use by another program")
    shop.fail.clear()
    until(lambda: shop.run(1, "rear") or "hand:c" in shop.open)
    shop.run(3)
    until(lambda: shop.camera("front").words == "")
    assert shop.camera("front").healing.reopens == 1


def test_a_driver_that_does_not_let_go_costs_the_change_and_nothing_else(
    shop: Shop, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconfigure_module, "PARK_S", 0.05)
    shop.closing["hand:a"] = threading.Event()
    with pytest.raises(ReconfigureError, match="front: its driver does not let go of the camera"):
        shop.app.switch("front", "rear")
    shop.run(2, "rear")
    shop.closing["hand:a"].set()
    shop.run(2)
    assert [shop.camera(name).device for name in ("front", "rear")] == ["hand:a", "hand:b"]


def test_frames_that_are_still_out_are_never_sealed_as_the_new_source_s(
    shop: Shop, until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms.append("front: 1 frames did not come home")
    monkeypatch.setattr("tests.fakes.CLOSE_LIMIT_S", 0.02)
    box = shop.app.cameras["front"].hub.attach("slow", keeps=True)
    shop.run(1, "front")
    with pytest.raises(ReconfigureError, match="front: frames of its source did not come home"):
        shop.app.reconfigure(shop.config(source="hand:c"))
    shop.app.cameras["front"].hub.detach(box)
    shop.run(2)
    assert shop.camera("front").device == "hand:a"


def test_one_change_at_a_time(shop: Shop, until: Until) -> None:
    shop.gates["hand:c"] = threading.Event()
    first = Worker("first", lambda: shop.app.reconfigure(shop.config(source="hand:c")))
    first.start()
    until(lambda: "hand:a" not in shop.open)
    with pytest.raises(ReconfigureError, match="another change is under way"):
        shop.app.reconfigure(shop.config("rear", width=128))
    shop.gates["hand:c"].set()
    assert first.join(10) and first.error is None
    shop.run(2)


def test_the_program_s_end_does_not_wait_for_a_change(shop: Shop, until: Until, expected_alarms: list[str]) -> None:
    shop.end()
    with pytest.raises(ReconfigureError, match="the program ends"):
        shop.app.reconfigure(shop.config(width=128))
