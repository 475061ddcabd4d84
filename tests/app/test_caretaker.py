"""A camera without pictures is healed in stages: the stream, the camera, the process; each has words and is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from blackbox_qt.app.caretaker import Caretaker
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.worker import Worker
from blackbox_qt.sources import SourceError
from blackbox_qt.sources.source import Deliver, Failed
from tests.fakes import HandClock, HandSource

Until = Callable[[Callable[[], object]], None]
DEVICE = "hand-driven camera"
AGAIN = f"{DEVICE} gives no pictures any more; starting the stream again"
STALLED = f"{DEVICE} gives no pictures any more; check its cable"
ANEW = f"{STALLED}; opening the camera again"


class Noting(HandSource):
    """Notes what is asked of it, and fails or hangs when told."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.gates: dict[str, threading.Event] = {}

    def _note(self, what: str) -> None:
        self.calls.append(what)
        if what in self.gates:
            assert self.gates[what].wait(10)
        if what in self.fail:
            raise self.fail[what]

    def open(self) -> None:
        self._note("open")
        super().open()

    def start(self, deliver: Deliver, failed: Failed) -> None:
        self._note("start")
        super().start(deliver, failed)

    def stop(self) -> None:
        super().stop()
        self._note("stop")

    def close(self) -> None:
        super().close()
        self._note("close")


class Bench:
    """A caretaker, its source, and a clock that all of them share."""

    def __init__(self, until: Until) -> None:
        self.clock = HandClock()
        self.source = Noting(self.clock)
        self.got: list[tuple[int, int]] = []
        self.until = until
        self.care = Caretaker("front", lambda: self.source, self.publish, lambda: None, lambda: None, self.clock)

    def publish(self, frame: Frame) -> None:
        with frame:
            self.got.append((frame.epoch, frame.seq))

    def picture(self) -> None:
        self.until(self.source.running.is_set)
        self.clock.advance(1 / 30)
        assert self.source.tick()

    def calls(self, *wanted: str) -> None:
        """Wait until the source was asked for exactly this."""
        self.until(lambda: self.source.calls == list(wanted))

    def pass_s(self, seconds: float) -> None:
        """Time passes in steps that the caretaker sees."""
        looks = threading.Event()
        for _ in range(round(seconds / 0.25)):
            self.clock.advance(0.25)
            looks.wait(0.015)

    @property
    def counted(self) -> tuple[int, int]:
        return self.care.healing.restarts, self.care.healing.reopens


@pytest.fixture
def bench(until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("blackbox_qt.app.caretaker._LOOK_EVERY_S", 0.002)
    bench = Bench(until)
    bench.care.start()
    yield bench
    for gate in bench.source.gates.values():
        gate.set()
    bench.source.fail.clear()
    bench.care.ask_to_stop()
    assert bench.care.join(10)
    assert not bench.source.opened and not bench.source.started


def test_a_stalled_stream_is_started_again_without_closing(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += [f"front: {AGAIN}", "front: pictures again, after 2.6 s without"]
    bench.picture()
    bench.clock.advance(2.1)
    bench.calls("open", "start", "stop", "start")
    assert bench.care.words == AGAIN and bench.counted == (1, 0)
    bench.clock.advance(0.5 - 1 / 30)
    bench.picture()
    until(lambda: bench.care.words == "")
    assert bench.care.outages.count == 1 and bench.care.outages.seconds(bench.clock.boot_ns()) == pytest.approx(2.6)
    assert [epoch for epoch, _ in bench.got] == [1, 2], "numbers may begin anew: they must not be compared"
    assert bench.care.flow.meter.lost == 0 and not bench.care.helpless()


def test_a_restart_in_vain_is_followed_by_closing_and_opening(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += [AGAIN, ANEW, "pictures again, after 6."]
    bench.picture()
    bench.clock.advance(2.1)
    bench.calls("open", "start", "stop", "start")
    bench.clock.advance(2.1)
    until(lambda: bench.source.calls[4:] == ["stop", "close"])
    assert bench.care.words == ANEW
    bench.clock.advance(2.1)
    until(lambda: bench.source.calls[6:] == ["open", "start"])
    assert bench.care.words == ANEW, "it is not well before there is a picture"
    bench.picture()
    until(lambda: bench.care.words == "")
    assert bench.counted == (1, 1) and bench.care.outages.count == 1


def test_a_stream_is_not_started_for_ever(bench: Bench, until: Until, expected_alarms: list[str]) -> None:
    """One picture a start is not well: the second stall within 10 s is the next stage's."""
    expected_alarms += [AGAIN, ANEW, "pictures again"]
    bench.picture()
    bench.clock.advance(2.1)
    bench.calls("open", "start", "stop", "start")
    bench.picture()
    until(lambda: bench.care.words == "")
    bench.clock.advance(2.1)
    until(lambda: bench.source.calls[4:] == ["stop", "close"])
    assert bench.counted == (1, 0)


def test_after_ten_good_seconds_the_first_stage_comes_first_again(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += [AGAIN, "pictures again"]
    bench.picture()
    for restarts in (1, 2):
        bench.clock.advance(2.1)
        until(lambda r=restarts: bench.counted == (r, 0) and bench.source.running.is_set())
        for _ in range(11):
            bench.clock.advance(1)
            bench.picture()
        until(lambda: bench.care.healing._restarted is False)
    assert bench.source.calls == ["open", "start", "stop", "start", "stop", "start"]


def test_an_opened_camera_may_take_five_seconds_for_its_first_picture(bench: Bench, until: Until) -> None:
    bench.calls("open", "start")
    bench.pass_s(4.75)
    bench.picture()
    until(lambda: bench.care._brought)
    assert bench.source.calls == ["open", "start"] and bench.care.outages.count == 0


def test_a_stream_that_cannot_be_started_again_is_opened_anew(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += [AGAIN, "front: VIDIOC_STREAMON: no"]
    bench.picture()
    bench.source.fail["start"] = SourceError("VIDIOC_STREAMON: no")
    bench.clock.advance(2.1)
    bench.calls("open", "start", "stop", "start", "stop", "close")
    assert bench.care.words == "VIDIOC_STREAMON: no"


def test_three_openings_without_a_picture_leave_only_a_fresh_process(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += [AGAIN, ANEW, "only a restart of the program can help", "pictures again"]
    bench.picture()
    for opening in range(1, 4):
        assert not bench.care.helpless()
        until(lambda n=opening: bench.clock.advance(0.02) or bench.counted[1] == n)
    until(lambda: bench.clock.advance(0.02) or bench.care.helpless())
    assert bench.care.words == f"{STALLED}; only a restart of the program can help"
    assert bench.care.helpless() == STALLED
    until(lambda: bench.clock.advance(0.02) or bench.source.running.is_set())
    bench.picture()  # it is tried all the same
    until(lambda: bench.care.words == "")
    assert not bench.care.helpless()


def test_a_source_may_say_itself_that_only_a_fresh_process_helps(
    until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms.append("front: the camera manager is wedged; only a restart of the program can help")
    bench = Bench(until)
    bench.source.fail["open"] = SourceError("the camera manager is wedged", process=True)
    bench.care.start()
    until(bench.care.helpless)
    bench.care.ask_to_stop()
    assert bench.care.join(5) and bench.care.helpless() == "the camera manager is wedged"


def test_a_camera_that_is_not_there_is_no_reason_for_a_fresh_process(
    until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms.append("front: no camera (cable?)")
    monkeypatch.setattr("blackbox_qt.app.caretaker._LOOK_EVERY_S", 0.002)
    bench = Bench(until)
    bench.source.fail["open"] = SourceError("no camera (cable?)")
    bench.care.start()
    until(lambda: bench.clock.advance(0.5) or len(bench.source.calls) > 6)
    assert not bench.care.helpless() and bench.care.words == "no camera (cable?)" and bench.counted == (0, 0)
    bench.care.ask_to_stop()
    assert bench.care.join(5)


def test_frames_that_did_not_come_home_matter_only_if_it_cannot_be_opened_again(
    bench: Bench, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["stopped: unplugged", "3 frames did not come home", "front: no memory left", "pictures again"]
    bench.picture()
    source = bench.source
    source.fail["close"] = SourceError("3 frames did not come home", process=True)
    for words in ("", "no memory left"):
        if words:
            source.fail["open"] = SourceError(words)
        assert source.failed is not None
        before = len(source.calls)
        source.failed(OSError("unplugged"))
        until(lambda n=before: bench.clock.advance(0.02) or "open" in source.calls[n:])
        if not words:
            assert not bench.care.helpless()
            bench.picture()
            until(lambda: bench.care.words == "")
    until(bench.care.helpless)
    assert bench.care.words == "no memory left; only a restart of the program can help"


@pytest.mark.parametrize("what", ["open", "stop", "close"])
def test_a_driver_that_never_returns_has_words(
    until: Until, expected_alarms: list[str], possible_alarms: list[str], what: str
) -> None:
    possible_alarms.append("stopped: pulled")
    bench = Bench(until)
    bench.source.gates[what] = threading.Event()
    bench.care.start()
    if what != "open":
        bench.picture()
        assert bench.source.failed is not None
        bench.source.failed(OSError("pulled"))
    until(lambda: what in bench.source.calls)
    bench.clock.advance(9)
    assert "hangs" not in bench.care.words and not bench.care.helpless(), "it may take its time"
    bench.clock.advance(22)
    doing = {"open": "opening", "stop": "stopping", "close": "closing"}[what]
    assert bench.care.words == f"the driver hangs while {doing} the camera; only a restart of the program can help"
    assert bench.care.helpless()
    bench.source.gates[what].set()
    until(lambda: not bench.care.helpless())
    bench.care.ask_to_stop()
    assert bench.care.join(5)


def test_a_stop_is_heard_in_every_stage(until: Until, expected_alarms: list[str]) -> None:
    expected_alarms.append("no luck")
    bench = Bench(until)
    bench.source.fail["open"] = SourceError("no luck")
    bench.care.start()
    until(lambda: bench.care.words)
    bench.care.ask_to_stop()
    assert bench.care.join(5), "it waits 2 s of a clock that stands still"
    assert isinstance(bench.care._worker, Worker) and bench.care._worker.error is None
