"""The hotspot at a NetworkManager that is made of python-dbusmock's template, on a bus of the test's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dbus_fast import Variant

from blackbox_qt.commands import Exit
from blackbox_qt.commands.hotspot import lines, run_hotspot
from blackbox_qt.config import Config, HotspotConfig, load
from blackbox_qt.hotspot.hotspot import Hotspot, HotspotError, look, turn_off, turn_on
from blackbox_qt.hotspot.identity import Identity
from tests.bus import PrivateBus

NM, ROOT = "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"
SETTINGS, MANAGED, UNAVAILABLE, UNMANAGED = f"{ROOT}/Settings", 30, 20, 10
IDENTITY = Identity("Blackbox-7K3M", "abcd-efgh-jkmn-pqrs", "11111111-2222-3333-4444-555555555555")
CONFIG = HotspotConfig()


class Network:
    """The mock, from the other side."""

    def __init__(self, bus: PrivateBus) -> None:
        self.bus = bus
        bus.start("networkmanager", NM)

    def wifi(self, interface: str = "wlan0", state: int = MANAGED, reason: int = 0) -> str:
        path = self.bus.mock(NM, ROOT, "AddWiFiDevice", "ssi", interface, interface, state)
        self.set(path, ".Device", "StateReason", "(uu)", [state, reason])
        return str(path)

    def set(self, path: str, interface: str, name: str, signature: str, value: Any) -> None:
        """Change a property."""
        properties = "org.freedesktop.DBus.Properties"
        self.bus.call(NM, path, properties, "Set", "ssv", NM + interface, name, Variant(signature, value))

    def answer(self, path: str, interface: str, method: str, takes: str, gives: str, code: str) -> None:
        self.bus.mock(NM, path, "AddMethod", "sssss", NM + interface, method, takes, gives, code)

    def refuse(self, path: str, interface: str, method: str, takes: str, error: str) -> None:
        code = f"raise dbus.exceptions.DBusException('Not authorized', name={error!r})"
        self.answer(path, interface, method, takes, "o", code)

    def profiles(self) -> list[dict[str, dict[str, Any]]]:
        paths = self.bus.call(NM, SETTINGS, f"{NM}.Settings", "ListConnections")
        return [self.bus.call(NM, path, f"{NM}.Settings.Connection", "GetSettings") for path in paths]

    def joined(self, device: str, name: str) -> None:
        """The device is in somebody's network."""
        point = self.bus.mock(NM, ROOT, "AddAccessPoint", "ssssuuuyu",
                              device, "ap0", name, "00:11:22:33:44:55", 2, 2412, 54, 80, 0x100)  # fmt: skip
        profile = self.bus.mock(NM, ROOT, "AddWiFiConnection", "ssss", device, "home", name, "wpa-psk")
        self.bus.mock(NM, ROOT, "AddActiveConnection", "assssu", [device], profile, point, "7", 2)


@pytest.fixture
def network(bus: PrivateBus) -> Network:
    return Network(bus)


def test_on_makes_a_profile_that_any_phone_can_join(network: Network) -> None:
    network.wifi()
    assert turn_on(CONFIG, IDENTITY) == Hotspot(True, "wlan0", "")
    (profile,) = network.profiles()
    assert bytes(profile["802-11-wireless"]["ssid"]) == b"Blackbox-7K3M"
    assert profile["802-11-wireless"]["mode"] == "ap" and profile["802-11-wireless"]["band"] == "bg"
    security = profile["802-11-wireless-security"]
    assert (security["key-mgmt"], security["psk"]) == ("wpa-psk", IDENTITY.password)
    assert security["proto"] == ["rsn"] and security["pairwise"] == ["ccmp"] and security["pmf"] == 1
    assert profile["ipv4"]["method"] == "shared"
    assert profile["ipv4"]["address-data"] == [{"address": "10.42.0.1", "prefix": 24}]
    assert profile["connection"]["uuid"] == IDENTITY.uuid and profile["connection"]["autoconnect"] is True
    assert look(CONFIG, IDENTITY) == Hotspot(True, "wlan0")


def test_on_again_renews_the_profile_and_makes_no_second_one(network: Network) -> None:
    network.wifi()
    turn_on(CONFIG, IDENTITY)
    turn_on(HotspotConfig(name="Car of Kim", band="5", autoconnect=False), IDENTITY)
    (profile,) = network.profiles()
    assert bytes(profile["802-11-wireless"]["ssid"]) == b"Car of Kim" and profile["802-11-wireless"]["band"] == "a"
    assert profile["connection"]["autoconnect"] is False


def test_off_takes_it_down_for_good(network: Network) -> None:
    network.wifi()
    turn_on(CONFIG, IDENTITY)
    assert turn_off(CONFIG, IDENTITY) == Hotspot(False, "")
    assert look(CONFIG, IDENTITY) == Hotspot(False, "")
    (profile,) = network.profiles()
    assert profile["connection"]["autoconnect"] is False
    assert turn_on(CONFIG, IDENTITY).on, "and it can be turned on again"


def test_off_is_no_error_when_it_never_was_on(network: Network) -> None:
    network.wifi()
    assert not turn_off(CONFIG, IDENTITY).on
    assert not network.profiles()


def test_the_network_that_was_left_is_named(network: Network) -> None:
    network.joined(network.wifi(), "Home")
    assert turn_on(CONFIG, IDENTITY).left == "Home"
    assert turn_on(CONFIG, IDENTITY).left == "", "the box's own is not one that was left"


def test_the_device_can_be_chosen(network: Network) -> None:
    network.wifi("wlan0")
    network.wifi("wlan1")
    assert turn_on(HotspotConfig(interface="wlan1"), IDENTITY).interface == "wlan1"


def test_the_first_that_can_be_an_access_point_is_taken(network: Network) -> None:
    network.set(network.wifi("wlan0"), ".Device.Wireless", "WirelessCapabilities", "u", 0x0F)
    network.wifi("wlan1")
    assert turn_on(CONFIG, IDENTITY).interface == "wlan1"


def refusal(config: HotspotConfig = CONFIG) -> str:
    with pytest.raises(HotspotError) as caught:
        turn_on(config, IDENTITY)
    return str(caught.value)


def test_no_networkmanager(bus: PrivateBus) -> None:
    assert refusal().startswith("NetworkManager does not run here")


def test_no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert "D-Bus cannot be reached" in refusal()


def test_no_wifi(network: Network) -> None:
    network.bus.mock(NM, ROOT, "AddEthernetDevice", "ssi", "eth0", "eth0", 100)
    assert refusal() == "there is no Wi-Fi device here, or its driver is not loaded"


def test_another_device_than_there_is(network: Network) -> None:
    network.wifi()
    assert refusal(HotspotConfig(interface="wlan7")) == (
        "hotspot.interface: there is no Wi-Fi device wlan7; there is wlan0"
    )


def test_a_device_that_cannot_be_an_access_point(network: Network) -> None:
    network.set(network.wifi(), ".Device.Wireless", "WirelessCapabilities", "u", 0x0F)
    assert refusal() == "wlan0 cannot be an access point; use another Wi-Fi adapter"


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("WirelessHardwareEnabled", "Wi-Fi is switched off by a switch on the machine"),
        ("WirelessEnabled", "Wi-Fi is blocked: on a Pi set its country first"),
    ],
)
def test_a_radio_that_is_off(network: Network, switch: str, words: str) -> None:
    network.wifi()
    network.set(ROOT, "", switch, "b", False)
    assert refusal().startswith(words)


@pytest.mark.parametrize(
    ("state", "words"),
    [(UNMANAGED, "NetworkManager leaves wlan0 alone"), (UNAVAILABLE, "wlan0 is not ready: its firmware")],
)
def test_a_device_that_is_not_ready(network: Network, state: int, words: str) -> None:
    network.wifi(state=state)
    assert refusal().startswith(words)


@pytest.mark.parametrize(
    ("path", "interface", "method", "takes", "error"),
    [
        (SETTINGS, ".Settings", "AddConnection", "a{sa{sv}}", f"{NM}.Settings.PermissionDenied"),
        (ROOT, "", "ActivateConnection", "ooo", f"{NM}.PermissionDenied"),
        (SETTINGS, ".Settings", "ListConnections", "", "org.freedesktop.DBus.Error.AccessDenied"),
    ],
)
def test_a_user_who_may_not(network: Network, path: str, interface: str, method: str, takes: str, error: str) -> None:
    network.wifi()
    network.refuse(path, interface, method, takes, error)
    assert refusal() == "this user may not change the network; run it with sudo"


def test_anything_else_is_passed_on(network: Network) -> None:
    network.wifi()
    network.refuse(ROOT, "", "ActivateConnection", "ooo", f"{NM}.UnknownConnection")
    assert refusal() == "NetworkManager refused: Not authorized"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (10, "the Wi-Fi driver refused; set the country"),
        (18, "guests cannot be given addresses; install the package dnsmasq-base"),
        (36, "NetworkManager's reason 36"),
    ],
)
def test_one_that_does_not_come_up_says_why(network: Network, reason: int, words: str) -> None:
    network.wifi(reason=reason)
    network.answer(ROOT, "", "ActivateConnection", "ooo", "o", f"ret = dbus.ObjectPath('{ROOT}/ActiveConnection/99')")
    said = refusal(HotspotConfig(autoconnect=False))  # with it the template brings the device up by itself
    assert said.startswith(f"wlan0: the hotspot did not start: {words}")


# ---- the command


def typed(tmp_path: Path, action: str, *settings: str) -> argparse.Namespace:
    return argparse.Namespace(action=action, config=None, source=[],
                              settings=[f"storage.state={tmp_path / 'state'}", *settings])  # fmt: skip


def test_the_command_says_what_a_phone_needs(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.wifi()
    assert run_hotspot(typed(tmp_path, "status")) == Exit.OK
    assert capsys.readouterr().out == "The hotspot is off.\n"
    assert run_hotspot(typed(tmp_path, "on")) == Exit.OK
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "The hotspot is on (wlan0)." and len(said) == 5, "no picture where nobody looks"
    assert said[4] == "  page      http://10.42.0.1:8080"
    assert run_hotspot(typed(tmp_path, "status")) == Exit.OK
    assert capsys.readouterr().out.splitlines() == said
    assert run_hotspot(typed(tmp_path, "off")) == Exit.OK
    assert capsys.readouterr().out == "The hotspot is off.\n"


def test_the_command_says_what_is_wrong(bus: PrivateBus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_hotspot(typed(tmp_path, "on")) == Exit.FAILED
    assert capsys.readouterr().err.startswith("blackbox-qt: NetworkManager does not run here")
    (tmp_path / "file").write_text("")
    assert run_hotspot(typed(tmp_path, "on", f"storage.state={tmp_path}/file")) == Exit.FAILED
    assert "cannot be kept there" in capsys.readouterr().err
    long = "x" * 33
    assert run_hotspot(typed(tmp_path, "on", f"hotspot.name={long}")) == Exit.USAGE
    assert "allowed: a name of at most 32 letters" in capsys.readouterr().err


def config(*settings: str) -> Config:
    return load(None, settings)


def test_a_phones_camera_reads_the_picture() -> None:
    """The half blocks of the terminal as dots; names with every sign that has a meaning in the code."""
    said = lines(Hotspot(True, "wlan0"), config('hotspot.name="Kim; \\\\ car"'), IDENTITY, picture=True)
    blocks = [line for line in said if set(line) <= set("█▀▄ ") and line.strip()]
    dots = [[[c in "█▀", c in "█▄"] for c in line] for line in blocks]
    picture = np.array(dots).transpose(0, 2, 1).reshape(2 * len(blocks), -1)
    big = np.kron(picture, np.ones((8, 8))).astype(np.uint8) * 255
    read = cv2.QRCodeDetector().detectAndDecode(
        cv2.copyMakeBorder(big, 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=255)
    )[0]
    assert read == r"WIFI:T:WPA;S:Kim\; \\ car;P:abcd-efgh-jkmn-pqrs;;"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("web.enabled=false", "is switched off (web.enabled)"),
        ("web.host=127.0.0.1", "is for this machine only (web.host)"),
        ("web.port=9000", "http://10.42.0.1:9000"),
    ],
)
def test_the_page_is_only_promised_where_it_is(setting: str, words: str) -> None:
    said = lines(Hotspot(True, "wlan0", "Home"), config(setting), IDENTITY, picture=False)
    assert said[-1] == f"  page      {words}" and said[1] == "wlan0 left the network Home for it."
