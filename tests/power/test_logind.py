"""The call that switches off, at a logind that only writes it down."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from blackbox_qt.commands import Exit
from blackbox_qt.commands.power import run_power
from blackbox_qt.power import logind
from blackbox_qt.power.logind import PowerError, may_power_off, power_off
from tests.bus import PrivateBus

LOGIND, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"


def refuse(bus: PrivateBus, method: str, error: str, text: str) -> None:
    code = f"raise dbus.exceptions.DBusException({text!r}, name={error!r})"
    bus.mock(LOGIND, PATH, "AddMethod", "sssss", MANAGER, method, "b" if method == "PowerOff" else "", "", code)


def test_it_is_asked_for_without_a_password(bus: PrivateBus) -> None:
    bus.start("logind", LOGIND)
    assert may_power_off()
    power_off()
    calls = bus.mock(LOGIND, PATH, "GetMethodCalls", "s", "PowerOff")
    assert [arguments for _, arguments in calls] == [[False]]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "this user may not switch the box off"),
        ("org.freedesktop.DBus.Error.AccessDenied", "this user may not switch the box off"),
        ("org.freedesktop.login1.OperationInProgress", "systemd-logind refused: There's already a shutdown"),
    ],
)
def test_a_refusal_is_one_sentence(bus: PrivateBus, error: str, words: str) -> None:
    bus.start("logind", LOGIND)
    refuse(bus, "PowerOff", error, "There's already a shutdown")
    with pytest.raises(PowerError, match=words):
        power_off()


def test_a_logind_that_does_not_answer_is_not_waited_for(bus: PrivateBus) -> None:
    bus.start("logind", LOGIND)
    bus.mock(LOGIND, PATH, "AddMethod", "sssss", MANAGER, "PowerOff", "b", "", "import time; time.sleep(3)")
    with pytest.raises(PowerError, match="gave no answer within"):
        power_off(0.2)


def test_no_logind(bus: PrivateBus) -> None:
    with pytest.raises(PowerError, match="systemd-logind does not run here"):
        power_off()


def test_no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(PowerError, match=r"^the system's D-Bus cannot be reached"):
        power_off()


def typed(action: str, *settings: str) -> argparse.Namespace:
    return argparse.Namespace(action=action, config=None, settings=list(settings), source=[])


def test_the_command(bus: PrivateBus, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_power(typed("off")) == Exit.FAILED
    assert "systemd-logind does not run here" in capsys.readouterr().err
    bus.start("logind", LOGIND)
    assert run_power(typed("status")) == Exit.OK
    assert capsys.readouterr().out.splitlines()[0] == "switching off: works"
    assert run_power(typed("status", "power.ignition=GPIO_NOT_THERE")) == Exit.FAILED
    assert "ignition: GPIO_NOT_THERE: " in capsys.readouterr().out
    assert run_power(typed("off")) == Exit.OK
    assert bus.mock(LOGIND, PATH, "GetMethodCalls", "s", "PowerOff")
    assert run_power(typed("off", "power.ignition=!")) == Exit.USAGE
    assert "allowed: the name of a GPIO line" in capsys.readouterr().err


def test_the_command_says_when_it_would_be_refused(bus: PrivateBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.start("logind", LOGIND)
    bus.mock(LOGIND, PATH, "AddMethod", "sssss", MANAGER, "CanPowerOff", "", "s", 'ret = "challenge"')
    assert run_power(typed("status")) == Exit.FAILED
    assert logind.NOT_ALLOWED in capsys.readouterr().out
