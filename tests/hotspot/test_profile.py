"""The profile as NetworkManager itself understands it: parsed and verified by its own library."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from blackbox_qt.config import HotspotConfig
from blackbox_qt.hotspot.identity import made
from blackbox_qt.hotspot.profile import settings

_PYTHON = "/usr/bin/python3"  # the library's binding is the system's
_PARSE = """
import json, sys
import gi
gi.require_version("NM", "1.0")
from gi.repository import GLib, NM

def variant(signature, value):
    if signature == "aa{sv}":
        value = [{key: GLib.Variant(*pair) for key, pair in item.items()} for item in value]
    return GLib.Variant(signature, bytes(value) if signature == "ay" else value)

whole = {n: {k: variant(*p) for k, p in s.items()} for n, s in json.load(sys.stdin).items()}
found = NM.SimpleConnection.new_from_dbus(GLib.Variant("a{sa{sv}}", whole))
found.verify()
wifi, ipv4 = found.get_setting_wireless(), found.get_setting_ip4_config()
security = found.get_setting_wireless_security()
print(json.dumps({
    "id": found.get_id(), "autoconnect": found.get_setting_connection().get_autoconnect(),
    "ssid": wifi.get_ssid().get_data().decode(), "mode": wifi.get_mode(), "band": wifi.get_band(),
    "powersave": wifi.get_powersave(), "key": security.get_key_mgmt(), "psk": security.get_psk(),
    "pmf": security.get_pmf().value_nick, "method": ipv4.get_method(), "address": ipv4.get_address(0).get_address(),
}))
"""


def understood(config: HotspotConfig, autoconnect: bool) -> dict[str, Any]:
    if subprocess.run([_PYTHON, "-c", "from gi.repository import NM"], capture_output=True, check=False).returncode:
        pytest.skip("NetworkManager's library is not installed (apt: python3-gi, gir1.2-nm-1.0)")
    sent = json.dumps(settings(IDENTITY, config, "wlan0", autoconnect), default=list)
    done = subprocess.run(
        [_PYTHON, "-W", "ignore", "-c", _PARSE], input=sent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


IDENTITY = made()


def test_networkmanager_takes_the_profile_as_it_is_meant() -> None:
    assert understood(HotspotConfig(), True) == {
        "id": f"{IDENTITY.name} (hotspot)", "autoconnect": True, "ssid": IDENTITY.name, "mode": "ap", "band": "bg",
        "powersave": 2, "key": "wpa-psk", "psk": IDENTITY.password, "pmf": "disable", "method": "shared",
        "address": "10.42.0.1",
    }  # fmt: skip


def test_and_with_every_setting_changed() -> None:
    found = understood(HotspotConfig(name="Auto · 자동차", band="5"), False)
    assert (found["ssid"], found["band"], found["autoconnect"]) == ("Auto · 자동차", "a", False)
