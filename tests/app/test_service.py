"""What systemd hears: on a real datagram socket, from a recorder whose parts hang, die and come back by hand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.app import caretaker, pulse, service
from blackbox_qt.app.pulse import Pulse, Signs
from blackbox_qt.app.service import MAIN_S, Notifier, Service
from blackbox_qt.core.clock import NS
from blackbox_qt.sinks.encoder import Encoder
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.disk import Disk
from tests.app.test_app import Box

Until = Callable[..., None]


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caretakers look often: here a minute is made of looks."""
    monkeypatch.setattr(caretaker, "_LOOK_EVERY_S", 0.005)


class Systemd:
    """Its end of the notification socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)

    def heard(self) -> list[str]:
        """All lines since the last call."""
        lines: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines += self.socket.recv(4096).decode().split("\n")
        return lines


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@blackbox-test-{os.getpid()}"
    systemd = Systemd(name)
    yield systemd
    systemd.socket.close()


class Main:
    """A main thread that answers while it is told to."""

    def __init__(self) -> None:
        self.answers = 0
        self.well = True

    def knock(self) -> None:
        self.answers += self.well


# ---- the protocol


def test_a_datagram_reaches_both_kinds_of_socket(systemd: Systemd) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.name})
    assert notifier.connected and notifier.send("READY=1", "STATUS=well")
    assert systemd.heard() == ["READY=1", "STATUS=well"]
    notifier.close()
    assert not notifier.send("READY=1")


def test_without_systemd_nothing_is_opened() -> None:
    notifier = Notifier({})
    assert not notifier.connected and not notifier.send("READY=1") and notifier.watchdog_s is None


def test_a_socket_that_is_not_there_is_one_line_in_the_log(
    tmp_path: Path, expected_alarms: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    expected_alarms.append("systemd cannot be told how the recorder is")
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.send("READY=1") and not notifier.send("WATCHDOG=1")
    notifier.close()
    assert len(caplog.records) == 1


def test_a_socket_of_another_kind_is_said(expected_alarms: list[str]) -> None:
    expected_alarms.append("neither a path nor an abstract name")
    assert not Notifier({"NOTIFY_SOCKET": "vsock:2:1234"}).connected


def test_a_full_socket_is_not_waited_for(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("systemd cannot be told how the recorder is")
    systemd = Systemd(str(tmp_path / "full"))
    notifier = Notifier({"NOTIFY_SOCKET": systemd.name})
    while notifier.send("WATCHDOG=1"):
        pass
    systemd.heard()
    assert notifier.send("WATCHDOG=1")
    notifier.close()
    systemd.socket.close()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_only_meant_for_the_process_it_names(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_s == seconds


# ---- one camera's pulse, without a camera

WELL = Signs(cared_ns=0, spared=False, fault=False, frames=0, encoded=0, encoder_down=False, excused=False, durable=0,
             waiting=True, steps=0)  # fmt: skip
MEMORY_S = 10.0
WRITER_S = pulse.WRITER_S + MEMORY_S


def first_word(still: str, seconds: float, **more: bool) -> float | None:
    """After how many seconds in which all but `still` go on the pulse first complains; None if it does not."""
    judge = Pulse("front", MEMORY_S)
    frozen = still.split()
    for second in range(round(seconds)):
        now = second * NS
        going = {
            "cared_ns": now,
            "frames": second * 30,
            "encoded": second * 30,
            "durable": second * 25,
            "steps": second,
        }
        seen = replace(WELL, **{k: v for k, v in going.items() if k not in frozen}, **more)  # type: ignore[arg-type]
        if judge.look(seen, now):
            return second
    return None


@pytest.mark.parametrize(
    ("still", "after_s"),
    [
        ("", None),
        ("cared_ns", pulse.CARE_S),
        ("frames encoded durable", pulse.FRAMES_S),
        ("encoded durable", pulse.ENCODER_S),
        ("steps durable", WRITER_S),
        ("durable", WRITER_S),
    ],
)
def test_whatever_stands_still_is_noticed(still: str, after_s: float | None) -> None:
    found = first_word(still, 100)
    assert found is None if after_s is None else found is not None and after_s < found <= after_s + 1


@pytest.mark.parametrize(
    ("still", "excuse"),
    [
        ("frames encoded durable", {"fault": True}),  # the caretaker has words for it, and tries again
        ("encoded durable", {"encoder_down": True, "excused": True}),  # it died, the caretaker replaces it
        ("durable", {"excused": True}),  # the user's pause; a disk that reports an error
        ("steps", {"waiting": False}),  # nothing to write
        ("cared_ns frames encoded durable", {"fault": True, "spared": True}),  # the App lets the others record
    ],
)
def test_what_is_known_and_worked_at_is_no_reason_to_start_again(still: str, excuse: dict[str, bool]) -> None:
    assert first_word(still, 100, **excuse) is None


@pytest.mark.parametrize("still", ["cared_ns", "steps"])
def test_a_fault_excuses_neither_a_hung_caretaker_nor_a_hung_writer(still: str) -> None:
    assert first_word(f"{still} frames encoded durable", 100, fault=True, excused=True) is not None


def test_a_camera_that_opens_slowly_has_its_time() -> None:
    """No frame and no word, while the caretaker is in the driver: 30 s, not 10."""
    found = first_word("cared_ns frames encoded durable steps", 100, waiting=False)
    assert found is not None and found > pulse.CARE_S


def test_a_machine_that_stood_still_itself_is_not_held_against_anyone() -> None:
    judge = Pulse("front", MEMORY_S)
    assert judge.look(WELL, 0) == judge.look(WELL, 1 * NS) == ""
    assert judge.look(WELL, 3600 * NS) == ""
    assert judge.look(WELL, 3601 * NS) != "", "one that does not go on after it is held against it"


# ---- the service, on a recorder driven by hand


class Watched(Box):
    """A Box and its Service, looked at by hand."""

    def __init__(self, data: Path, until: Until, systemd: Systemd, *names: str) -> None:
        super().__init__(data, until, *names)
        self.systemd, self.main = systemd, Main()
        environ = {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "10000000"}
        self.service = Service(self.app, self.main, environ)

    def look(self) -> list[str]:
        self.clock.advance(0.11)  # past the status that faces share
        self.service.look()
        return self.systemd.heard()

    def seconds(self, count: int, *names: str) -> list[str]:
        """So many seconds with a look each, a frame on each camera named, and the caretakers at work."""
        heard = []
        for _ in range(count):
            self.clock.advance(0.89)
            for name in names:
                self.sources[name].tick()
            self.caretakers()
            heard = self.look()
        return heard

    def caretakers(self) -> None:
        """Wait until each has looked at its parts at this very time."""
        for camera in self.app.cameras.values():
            now = self.clock.boot_ns()
            self.until(lambda c=camera, n=now: c.cared_ns >= n)


@pytest.fixture
def watched(tmp_path: Path, until: Until) -> Iterator[Watched]:
    systemd = Systemd(str(tmp_path / "notify"))
    box = Watched(tmp_path / "data", until, systemd)
    with box.app:
        yield box
    box.service._notifier.close()
    systemd.socket.close()


def test_ready_means_that_the_first_fragment_is_on_the_disk(watched: Watched) -> None:
    heard = watched.look()
    assert "READY=1" not in heard and "WATCHDOG=1" in heard
    assert "EXTEND_TIMEOUT_USEC=30000000" in heard, "a start that goes on is waited for"
    watched.run(5)
    watched.durable(5)
    heard = watched.look()
    assert "READY=1" in heard and "WATCHDOG=1" in heard
    status = next(line for line in heard if line.startswith("STATUS="))
    assert status.startswith("STATUS=REC | front 64x48") and "5 frames on disk" in status
    heard = watched.seconds(1, "front")
    assert "READY=1" not in heard and not any(line.startswith("EXTEND") for line in heard)


def test_a_camera_that_has_failed_once_does_not_hold_systemd_up(
    tmp_path: Path, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms.append("rear: no camera (cable?)")
    systemd = Systemd(str(tmp_path / "notify"))
    box = Watched(tmp_path / "data", until, systemd, "front", "rear")
    box.sources["rear"].fail_open = SourceError("no camera (cable?)")
    with box.app:
        until(lambda: box.camera("rear").state == "fault")
        assert "READY=1" not in box.look(), "the front one still counts"
        box.run(5, "front")
        box.durable(5)
        heard = box.look()
        assert {"READY=1", "WATCHDOG=1"} <= set(heard)
        assert any("no camera (cable?)" in line for line in heard if line.startswith("STATUS="))
    box.service._notifier.close()
    systemd.socket.close()


def test_an_encoder_that_hangs_ends_the_feeding_until_it_goes_on(
    watched: Watched, until: Until, expected_alarms: list[str], possible_alarms: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    expected_alarms += ["the watchdog is not fed any more", "the watchdog is fed again"]
    possible_alarms += ["frames lost so far"]
    watched.run(5)
    watched.durable(5)
    watched.look()
    go_on, take = threading.Event(), Encoder._take

    def hang(self: Encoder, frame: object) -> None:
        go_on.wait(20)
        take(self, frame)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "_take", hang)
    assert "WATCHDOG=1" in watched.seconds(8, "front")
    heard = watched.seconds(5, "front")
    assert "WATCHDOG=1" not in heard and "encoder hangs" in watched.service.hangs
    go_on.set()
    until(lambda: watched.camera().encoder.frames > 6)
    until(lambda: "WATCHDOG=1" in watched.seconds(1, "front"))


def test_a_disk_that_does_not_come_back_ends_the_feeding(
    watched: Watched, until: Until, expected_alarms: list[str], possible_alarms: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Not a slow one: what waits for it in memory would be lost with the process."""
    expected_alarms += ["the watchdog is not fed any more"]
    possible_alarms += ["frames lost so far", "not on the disk yet"]
    watched.run(5)
    watched.durable(5)
    watched.look()
    go_on, sync = threading.Event(), Disk.datasync

    def hang(self: Disk, fd: int) -> None:
        go_on.wait(20)
        sync(self, fd)

    monkeypatch.setattr(Disk, "datasync", hang)
    assert "WATCHDOG=1" in watched.seconds(25, "front")
    assert watched.camera().recording.state == "fault", "said long before it is acted upon"
    assert "WATCHDOG=1" not in watched.seconds(10, "front")
    assert "writing to the disk hangs" in watched.service.hangs
    go_on.set()


def test_a_caretaker_in_a_driver_that_hangs_ends_the_feeding(
    tmp_path: Path,
    until: Until,
    expected_alarms: list[str],
    possible_alarms: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected_alarms.append("the watchdog is not fed any more")
    possible_alarms += ["hang", "pictures again", "front: "]
    systemd, go_on = Systemd(str(tmp_path / "notify")), threading.Event()
    box = Watched(tmp_path / "data", until, systemd)
    monkeypatch.setattr(box.sources["front"], "open", lambda: go_on.wait(20))
    with box.app:
        heard: list[str] = []
        for second in range(45):
            box.clock.advance(0.89)
            heard = box.look()
            if second < pulse.CARE_S - 5:
                assert "WATCHDOG=1" in heard
        assert "WATCHDOG=1" not in heard and not any(line.startswith("EXTEND") for line in heard)
        assert "opening or closing the camera hangs" in box.service.hangs
        box.app.cameras["front"].ask_to_stop()
        go_on.set()
    box.service._notifier.close()
    systemd.socket.close()


def test_a_camera_that_hangs_beside_one_that_records_is_the_apps_to_decide(
    tmp_path: Path, until: Until, expected_alarms: list[str], possible_alarms: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And its configuration says `alone`: the one that records is not stopped for the other one."""
    expected_alarms.append("the program is not restarted: rear records")
    possible_alarms += ["hang", "pictures again", "front: "]
    systemd, go_on = Systemd(str(tmp_path / "notify")), threading.Event()
    box = Watched(tmp_path / "data", until, systemd, "front", "rear")
    box.app._restart = lambda: pytest.fail("restarted")
    monkeypatch.setattr(box.sources["front"], "open", lambda: go_on.wait(20))
    with box.app:
        until(box.sources["rear"].running.is_set)
        for _ in range(45):
            box.clock.advance(0.89)
            box.sources["rear"].tick()
            now = box.clock.boot_ns()
            until(lambda t=now: box.app.cameras["rear"].cared_ns >= t)
            box.app.look_after()
            assert "WATCHDOG=1" in box.look(), box.service.hangs
        assert box.service.ready, "with one camera that has a fault"
        box.app.cameras["front"].ask_to_stop()
        go_on.set()
    box.service._notifier.close()
    systemd.socket.close()


def test_a_main_thread_that_does_not_answer_ends_the_feeding(watched: Watched, expected_alarms: list[str]) -> None:
    expected_alarms += ["the main thread has not answered"]
    watched.run(5)
    watched.durable(5)
    watched.look()
    watched.main.well = False
    assert "WATCHDOG=1" in watched.seconds(round(MAIN_S) - 1, "front")
    assert "WATCHDOG=1" not in watched.seconds(3, "front")


def test_a_main_thread_that_still_imports_has_its_time(
    watched: Watched, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAIN_BEGINS_S", 2 * MAIN_S)  # a minute of looks would take a while
    expected_alarms += ["the main thread has not answered"]
    watched.run(5)
    watched.main.well = False
    assert "WATCHDOG=1" in watched.seconds(round(2 * MAIN_S) - 1, "front")
    assert "WATCHDOG=1" not in watched.seconds(3, "front")


def test_without_systemd_there_is_no_thread(tmp_path: Path, until: Until) -> None:
    box = Box(tmp_path / "data", until)
    with box.app, Service(box.app, Main(), {}):
        assert not [t for t in threading.enumerate() if t.name == "service"]


def test_the_program_says_ready_alive_and_stopping(systemd: Systemd, tmp_path: Path, until: Until) -> None:
    """As a process, with a main thread that sleeps in `select`."""
    command = [
        sys.executable,
        "-m",
        "blackbox_qt",
        "run",
        "--headless",
        "--source",
        "pattern:320x240@30",
        "--data",
        str(tmp_path / "data"),
        "--set",
        f"storage.state={tmp_path}",
        "--set",
        "web.enabled=false",
    ]
    environ = {**os.environ, "NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "800000"}
    heard: list[str] = []

    def said(line: str, times: int = 1) -> bool:
        heard.extend(systemd.heard())
        return heard.count(line) >= times

    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: said("READY=1"), 30)
            until(lambda: said("WATCHDOG=1", 8), 10)
            assert "STOPPING=1" not in heard
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, process.stderr and process.stderr.read()
        finally:
            process.kill()
    assert said("STOPPING=1") and heard.count("READY=1") == 1
