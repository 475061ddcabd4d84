"""Switching off: with the recorder, from the wire to the call; how long that takes, and what is safe by then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from blackbox_qt import __main__ as program
from blackbox_qt.commands import Exit, run
from blackbox_qt.config import PowerConfig
from blackbox_qt.core.clock import NS, SystemClock
from blackbox_qt.core.worker import Worker
from blackbox_qt.power.logind import PowerError
from blackbox_qt.power.switch import Switch
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk
from tests.app.test_app import Box
from tests.fakes import HandClock
from tests.power.conftest import HandLine

Until = Callable[..., None]
NONE, IGNITION = PowerConfig(), PowerConfig(ignition="GPIO17")


class Calls:
    """What the switch did, in order."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.refusal = ""
        self.allowed = True

    def end(self) -> None:
        self.made.append("end")

    def sync(self) -> None:
        self.made.append("sync")

    def power_off(self) -> None:
        self.made.append("off")
        if self.refusal:
            raise PowerError(self.refusal)

    def switch(self, config: PowerConfig, line: HandLine | None = None) -> Switch:
        make = line.make if line is not None else None
        more = {"make_line": make} if make else {}
        return Switch(config, self.end, clock=HandClock(), power_off=self.power_off, sync=self.sync,
                      may_power_off=lambda: self.allowed, **more)  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_what_was_asked_for_is_done_on_leaving_and_once(calls: Calls, expected_alarms: list[str]) -> None:
    expected_alarms += ["switching off: somebody wants it", "power off 0.0 s after it was asked for"]
    with calls.switch(NONE) as switch:
        switch.ask("somebody wants it")
        assert calls.made == ["end"], "not while files are open"
    switch.carry_out()
    assert calls.made == ["end", "sync", "off"]


def test_an_end_for_other_reasons_leaves_the_box_on(calls: Calls, line: HandLine) -> None:
    with calls.switch(IGNITION, line):
        pass
    assert calls.made == []


def test_a_refusal_is_said(calls: Calls, expected_alarms: list[str]) -> None:
    expected_alarms += ["switching off", "the box stays on: this user may not"]
    calls.refusal = "this user may not"
    with calls.switch(NONE) as switch:
        switch.ask("somebody wants it")


def test_a_disk_that_does_not_sync_is_not_waited_for(expected_alarms: list[str]) -> None:
    expected_alarms += ["switching off", "the disks do not answer to sync", "power off"]
    off, go_on = threading.Event(), threading.Event()
    with Switch(NONE, lambda: None, power_off=off.set, sync=lambda: go_on.wait(20) and None) as switch:
        switch.ask("somebody wants it")
        switch.carry_out()
        assert off.is_set() and not go_on.is_set()
        go_on.set()


def test_an_ignition_that_returned_while_the_files_were_finished_keeps_the_box_on(
    calls: Calls, line: HandLine, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["switching off: the ignition has been off", "the ignition is on again: the box stays on"]
    line.on = True
    switch = calls.switch(IGNITION, line)
    assert switch._panel is not None
    ignition, clock = switch._panel.ignition, switch._clock
    assert isinstance(clock, HandClock)
    with switch:
        until(lambda: ignition.on)
        line.set(False)
        until(lambda: not ignition.on)
        clock.advance(5)
        line.set(False)
        until(lambda: calls.made == ["end"])
        line.set(True)
        until(lambda: ignition.on)
    assert calls.made == ["end"]


def test_somebody_who_asks_gets_it_with_the_ignition_on(
    calls: Calls, line: HandLine, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms += ["switching off", "power off"]
    line.on = True
    with calls.switch(IGNITION, line) as switch:
        assert switch._panel is not None
        until(lambda: switch._panel is not None and switch._panel.ignition.on)
        switch.ask("somebody wants it")
    assert calls.made == ["end", "sync", "off"]


def test_a_user_who_may_not_is_told_at_the_start(calls: Calls, line: HandLine, expected_alarms: list[str]) -> None:
    expected_alarms.append("the ignition is watched, but this user may not switch the box off")
    calls.allowed = False
    with calls.switch(IGNITION, line):
        pass


def test_what_is_under_way_is_finished_while_it_still_records(
    tmp_path: Path, until: Until, expected_alarms: list[str]
) -> None:
    expected_alarms.append("something could not be finished before the end: ZeroDivisionError")
    box = Box(tmp_path / "data", until)
    states: list[bool] = []
    with box.app:
        box.run(3)
        box.app.before_end += [lambda: 1 / 0, lambda: states.append(box.sources["front"].started)]  # type: ignore
    assert states == [True]


# ---- the whole program, in this process


class Drive:
    """A drive that ends: runs the program on two pattern cameras, then the ignition goes off."""

    OFF_AFTER_S = 0.5
    clock = SystemClock()

    def __init__(self, folder: Path, line: HandLine, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.line, self.until = folder / "data", line, until
        self.off_ns: int | None = None  # when the box was switched off
        self.wire_ns = 0  # when the wire went off
        self.unfinished: list[Path] = []
        self.leaving: list[int] = []
        self.may_leave = threading.Event()
        line.on = True
        switch = partial(Switch, make_line=line.make, power_off=self.power_off, may_power_off=lambda: True)
        monkeypatch.setattr(run, "Switch", switch)
        monkeypatch.setattr(run.os, "_exit", self.leave)
        monkeypatch.setattr(run, "_left", lambda code: code)  # threads of the tests are none that the program left

    def power_off(self) -> None:
        self.off_ns = self.clock.boot_ns()
        self.unfinished = list(self.data.rglob("*.part"))

    def leave(self, code: int) -> None:
        self.leaving.append(code)
        self.may_leave.set()

    def went_off(self) -> None:
        """What the driver does, once both cameras are on the disk."""
        self.until(lambda: len([p for p in self.data.rglob("*") if p.is_file() and p.stat().st_size > 50_000]) == 2)
        self.before_off()
        self.wire_ns = self.clock.boot_ns()
        self.line.set(False)

    def before_off(self) -> None: ...

    def home(self) -> int:
        """The exit code."""
        typed = ["run", "--headless", "--source", "front=pattern:640x360@30", "--source", "rear=pattern:640x360@30",
                 "--data", str(self.data), "--set", f"storage.state={self.data.parent}", "--set", "web.enabled=false",
                 "--set", "power.ignition=GPIO17", "--set", f"power.off_after_s={self.OFF_AFTER_S}"]  # fmt: skip
        driver = Worker("driver", self.went_off)
        driver.start()
        code = run.run(program._parser().parse_args(typed))
        driver.join()
        return code

    @property
    def took_s(self) -> float:
        """From the decision to the call."""
        assert self.off_ns is not None, "the box was not switched off"
        return (self.off_ns - self.wire_ns) / NS - self.OFF_AFTER_S


@pytest.fixture
def drive(tmp_path: Path, line: HandLine, until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    drive = Drive(tmp_path, line, until, monkeypatch)
    yield drive
    drive.may_leave.set()


def test_a_drive_ends_with_every_file_finished_and_the_box_off(
    drive: Drive,
    expected_alarms: list[str],
    possible_alarms: list[str],
    record_property: Callable[[str, object], None],
) -> None:
    possible_alarms += ["frames lost so far", "not on the disk yet"]  # on a busy machine
    expected_alarms += ["switching off: the ignition has been off for 0.5 s", "power off"]
    assert drive.home() == Exit.OK
    record_property("power_off_s", round(drive.took_s, 2))
    print(f"power off {drive.took_s:.2f} s after the decision")
    assert 0 <= drive.took_s <= 5
    assert not drive.unfinished and not drive.leaving
    result = check_paths([drive.data / "demo"])
    assert result.ok and {r.name.camera for r in result.segments if r.name} == {"front", "rear"}
    assert all(r.state == "finished" for r in result.segments)


def test_a_card_that_hangs_costs_its_files_end_but_not_the_battery(
    drive: Drive, expected_alarms: list[str], possible_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_alarms += ["switching off", "power off"]
    possible_alarms += [
        "these threads are stuck",
        "frames lost so far",
        "not on the disk yet",
        "did not end",
        "cannot",
        "Card",
        "left",
        "sync",
    ]
    sync = Disk.datasync

    def hang(self: Disk, fd: int) -> None:
        drive.may_leave.wait(30)
        sync(self, fd)

    drive.before_off = lambda: monkeypatch.setattr(Disk, "datasync", hang)  # type: ignore[method-assign]
    code = drive.home()
    print(f"power off {drive.took_s:.2f} s after the decision, with a card that hangs")
    assert 3.5 <= drive.took_s <= 5
    assert code == Exit.STUCK and set(drive.leaving) <= {Exit.STUCK}


def test_an_end_that_takes_too_long_switches_off_before_it_leaves(
    until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the `ending` thread, while the main one is stuck."""
    expected_alarms.append("these threads are stuck")
    steps: list[str] = []
    monkeypatch.setattr(run.os, "_exit", lambda _: steps.append("left"))
    monkeypatch.setattr(run, "STOP_LIMIT_S", 0.02)
    with run.Ending(None) as ending:
        ending.before_leaving = lambda: steps.append("off")
        ending.stopping()
        until(lambda: "left" in steps)
    assert steps[:2] == ["off", "left"]


def test_a_knock_is_answered_by_whoever_waits_and_ends_nothing(until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.os, "_exit", lambda _: None)
    with run.Ending(None) as ending:

        def knock() -> None:
            for count in range(3):
                ending.knock()
                until(lambda n=count: ending.answers > n)
            ending.stopping()

        knocks = Worker("knocks", knock)
        knocks.start()
        assert ending.wait() == Exit.OK
        knocks.join()
        assert ending.answers >= 4 and ending.requested, "three knocks, and the end"
