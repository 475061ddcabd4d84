"""NetworkManager's profile of the hotspot, as data; nm-settings-dbus(5)."""

from __future__ import annotations

from typing import Any

from blackbox_qt.config import HotspotConfig
from blackbox_qt.hotspot.identity import Identity

ADDRESS, PREFIX = "10.42.0.1", 24
"""The box's own address in its Wi-Fi: the same every time, so that a bookmark on a phone stays right."""

Settings = dict[str, dict[str, tuple[str, Any]]]
"""Section -> key -> (D-Bus signature, value)."""

_PMF_DISABLE = 1


def settings(identity: Identity, config: HotspotConfig, interface: str, autoconnect: bool) -> Settings:
    """An access point with WPA2, which gives its guests addresses and leads them wherever the box itself gets.

    Not WPA3, and no protected management frames: the Pi's own Wi-Fi cannot do them as an access point, and a phone
    then fails to join without a word (raspberrypi/linux issues 3619 and 7247).

    Threads: any.
    """
    name = config.name or identity.name
    return {
        "connection": {
            "id": ("s", f"{name} (hotspot)"),
            "uuid": ("s", identity.uuid),
            "type": ("s", "802-11-wireless"),
            "interface-name": ("s", interface),
            "autoconnect": ("b", autoconnect),
        },
        "802-11-wireless": {
            "ssid": ("ay", name.encode()),
            "mode": ("s", "ap"),
            "band": ("s", "a" if config.band == "5" else "bg"),
            "powersave": ("u", 2),  # off: a sleeping radio makes the stream stutter
        },
        "802-11-wireless-security": {
            "key-mgmt": ("s", "wpa-psk"),
            "proto": ("as", ["rsn"]),
            "pairwise": ("as", ["ccmp"]),
            "group": ("as", ["ccmp"]),
            "pmf": ("i", _PMF_DISABLE),
            "psk": ("s", identity.password),
        },
        "ipv4": {
            "method": ("s", "shared"),
            "address-data": ("aa{sv}", [{"address": ("s", ADDRESS), "prefix": ("u", PREFIX)}]),
        },
        "ipv6": {"method": ("s", "ignore")},
    }
