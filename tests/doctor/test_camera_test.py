"""The camera test, on cameras that tick by hand."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pytest

from blackbox_qt.config import CameraConfig
from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.doctor.camera_test import findings, watch
from blackbox_qt.doctor.finding import Line
from blackbox_qt.sources.source import Deliver, Failed, SourceError
from tests.fakes import HandClock

LAYOUT = Layout.packed(64, 48)


class Script:
    """A camera that gives all its frames, (number, time in ms), at once when it is started.

    `paint`: the luma of every picture.
    """

    camera, device, origin, buffers, layout = "front", "scripted camera", "camera", 12, LAYOUT
    fps = 20.0

    def __init__(self, frames: Iterable[tuple[int, int]], paint: object = None, error: Exception | None = None) -> None:
        self.frames, self.error = list(frames), error
        noise = np.random.default_rng(1).integers(40, 200, (48, 64))
        self.paint = noise if paint is None else paint
        self.out = 0
        self.stopped = False

    def start(self, deliver: Deliver, failed: Failed) -> None:
        for seq, ms in self.frames:
            deliver(self._frame(seq, ms))
        if self.error is not None:
            failed(self.error)

    def stop(self) -> None:
        self.stopped = True

    def _frame(self, seq: int, ms: int) -> Frame:
        self.out += 1
        image = Image(LAYOUT, [bytearray(LAYOUT.size)])
        image.plane(0)[:] = self.paint
        for chroma in (1, 2):
            image.plane(chroma)[:] = 128
        return Frame.lend("front", seq, ms * NS // 1000, {"main": image}, self._home)

    def _home(self) -> None:
        self.out -= 1


def steady(count: int = 60, every_ms: int = 50) -> list[tuple[int, int]]:
    return [(n, 1000 + n * every_ms) for n in range(count)]


def result(source: Script, seconds: float = 0.5, **settings: object) -> dict[str, Line]:
    seen = watch(source, seconds, HandClock())  # type: ignore[arg-type]
    assert source.stopped and source.out == 0, "every frame is home"
    lines = findings(seen, source, CameraConfig.model_validate(settings))  # type: ignore[arg-type]
    return {line.name: line for line in lines}


def test_a_good_camera() -> None:
    source = Script(steady())
    source.shot = SimpleNamespace(exposure_us=10_000, gain=2.0)  # type: ignore[attr-defined]
    lines = result(source)
    assert {line.finding.state for line in lines.values()} == {"ok"}
    assert lines["pictures"].finding.data["fps"] == 20 and lines["pictures"].finding.data["frames"] == 11
    assert lines["exposure"].finding.found == "exposed for 10.0 ms, gain 2.0"


def test_what_happens_in_the_warm_up_does_not_count() -> None:
    lines = result(Script([(0, 1000), (9, 1500), *((n + 30, 2000 + n * 50) for n in range(20))]))
    assert lines["losses"].finding.data["lost"] == 0 and lines["pictures"].finding.state == "ok"


def test_lost_frames() -> None:
    one = [(n if n < 25 else n + 1, t) for n, t in steady()]
    assert result(Script(one), 1.0)["losses"].finding.state == "look here"
    many = [(n * 2, t) for n, t in steady()]
    found = result(Script(many), 1.0)["losses"].finding
    assert found.state == "broken" and found.data["lost"] == 20 and "cable" in found.do


def test_a_slow_camera_is_broken_unless_the_night_may_slow_it() -> None:
    slow = steady(30, 100)
    assert result(Script(slow))["pictures"].finding.state == "broken"
    assert result(Script(slow), slowest_fps=10.0)["pictures"].finding.state == "ok"


@pytest.mark.parametrize(
    ("luma", "state", "words"),
    [
        (16, "broken", "black"),
        (235, "broken", "white"),
        (120, "look here", "a picture of nothing"),
        (np.where(np.indices((48, 64))[1] < 32, 16, 40), "look here", "dark"),
        (np.where(np.indices((48, 64))[1] < 32, 235, 200), "look here", "very bright"),
        (np.where(np.indices((48, 64))[1] < 32, 40, 200), "ok", "brightness 47 %"),
    ],
)
def test_light(luma: object, state: str, words: str) -> None:
    found = result(Script(steady(), luma))["light"].finding
    assert found.state == state and found.found.startswith(words)


def test_no_picture_is_one_sentence_with_the_cause() -> None:
    source = Script([], error=SourceError("its cable came off"))
    with pytest.raises(SourceError, match="scripted camera stopped: its cable came off"):
        watch(source, 0.5, HandClock())  # type: ignore[arg-type]
    assert source.stopped


def test_a_camera_that_stops_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_qt.doctor.camera_test._FIRST_S", 0.01)
    source = Script(steady(5))
    with pytest.raises(SourceError, match="after 5 pictures; check its cable"):
        watch(source, 0.5, HandClock())  # type: ignore[arg-type]
    assert source.out == 0
