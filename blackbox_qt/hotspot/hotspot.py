"""On, off, and how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from blackbox_qt.config import HotspotConfig
from blackbox_qt.core.systembus import FORBIDDEN, NO_ANSWER, NO_BUS, NOBODY, BusError, on_system_bus
from blackbox_qt.hotspot import nm, profile
from blackbox_qt.hotspot.identity import Identity
from blackbox_qt.hotspot.nm import Device, NetworkManager

T = TypeVar("T")

_LIMIT_S = 40.0
_UP_WITHIN_S = 30.0
_LOOK_S = 0.25
_SUPPLICANT, _SHARING = range(8, 12), (18, 19)  # NMDeviceStateReason


class HotspotError(Exception):
    """It does not work; one sentence: what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class Hotspot:
    """How it is.

    Threads: immutable, any.
    """

    on: bool
    interface: str  # empty while it is off
    left: str = ""  # the network that the device left for it


def turn_on(config: HotspotConfig, identity: Identity) -> Hotspot:
    """Make or renew the profile, bring it up, and wait until it is. Raises HotspotError.

    Threads: any without an event loop; blocks up to 40 s.
    """
    return _asked(lambda manager: _turn_on(manager, config, identity))


def turn_off(config: HotspotConfig, identity: Identity) -> Hotspot:
    """Take it down, and not up again by itself. Raises HotspotError.

    Threads: as `turn_on`.
    """
    return _asked(lambda manager: _turn_off(manager, config, identity))


def look(config: HotspotConfig, identity: Identity) -> Hotspot:
    """Raises HotspotError, also when it could not be turned on as things are.

    Threads: as `turn_on`.
    """
    return _asked(lambda manager: _look(manager, config, identity))


async def _turn_on(manager: NetworkManager, config: HotspotConfig, identity: Identity) -> Hotspot:
    device = await _device(manager, config)
    before = await manager.used_by(device)
    left = "" if before is None or before.uuid == identity.uuid else await manager.name_of(before)
    wanted = profile.settings(identity, config, device.interface, config.autoconnect)
    path = await manager.profile(identity.uuid)
    if path is None:
        path = await manager.add(wanted)
    else:
        await manager.update(path, wanted)
    await _up(manager, await manager.activate(path, device), device)
    return Hotspot(True, device.interface, left)


async def _turn_off(manager: NetworkManager, config: HotspotConfig, identity: Identity) -> Hotspot:
    path = await manager.profile(identity.uuid)
    if path is not None and config.autoconnect:
        interface = await manager.interface_of(path)  # as it was: the device itself may be gone
        await manager.update(path, profile.settings(identity, config, interface, autoconnect=False))
    active = await manager.active(identity.uuid)
    if active is not None:
        await manager.deactivate(active)
    return Hotspot(False, "")


async def _look(manager: NetworkManager, config: HotspotConfig, identity: Identity) -> Hotspot:
    device = await _device(manager, config)
    active = await manager.used_by(device)
    on = active is not None and active.uuid == identity.uuid and active.state == nm.ACTIVATED
    return Hotspot(on, device.interface if on else "")


async def _up(manager: NetworkManager, active: str, device: Device) -> None:
    """Wait until it is up. HotspotError says why it does not come."""
    for _ in range(round(_UP_WITHIN_S / _LOOK_S)):
        state = await manager.state_of(active)
        if state == nm.ACTIVATED:
            return
        if state == nm.GONE:
            raise HotspotError(f"{device.interface}: the hotspot did not start: {_why(await manager.reason(device))}")
        await asyncio.sleep(_LOOK_S)
    raise HotspotError(f"{device.interface}: the hotspot did not start within {_UP_WITHIN_S:.0f} s")


def _why(reason: int) -> str:
    if reason in _SUPPLICANT:
        return "the Wi-Fi driver refused; set the country (raspi-config) and try hotspot.band = 2.4"
    if reason in _SHARING:
        return "guests cannot be given addresses; install the package dnsmasq-base"
    return f"NetworkManager's reason {reason}; `journalctl -u NetworkManager` tells more"


async def _device(manager: NetworkManager, config: HotspotConfig) -> Device:
    """The Wi-Fi device to use. HotspotError when there is none that could be used now."""
    devices = await manager.wifi_devices()
    named = [d for d in devices if config.interface in ("", d.interface)]
    if not named:
        known = ", ".join(d.interface for d in devices)
        if config.interface and known:
            raise HotspotError(f"hotspot.interface: there is no Wi-Fi device {config.interface}; there is {known}")
        raise HotspotError("there is no Wi-Fi device here, or its driver is not loaded")
    device = next((d for d in named if d.can_be_ap), None)
    if device is None:
        raise HotspotError(f"{named[0].interface} cannot be an access point; use another Wi-Fi adapter")
    hardware, software = await manager.radio()
    if not hardware:
        raise HotspotError("Wi-Fi is switched off by a switch on the machine")
    if not software:
        raise HotspotError(
            "Wi-Fi is blocked: on a Pi set its country first (sudo raspi-config nonint do_wifi_country XX), then "
            "`nmcli radio wifi on`"
        )
    if device.state == nm.UNMANAGED:
        raise HotspotError(f"NetworkManager leaves {device.interface} alone; `nmcli device set {device.interface} "
                           "managed yes` changes that")  # fmt: skip
    if device.state == nm.UNAVAILABLE:
        raise HotspotError(f"{device.interface} is not ready: its firmware or wpa_supplicant is missing")
    return device


def _asked(ask: Callable[[NetworkManager], Awaitable[T]]) -> T:
    try:
        return on_system_bus(lambda bus: ask(NetworkManager(bus)), _LIMIT_S)
    except BusError as error:
        raise HotspotError(_words(error)) from error


def _words(error: BusError) -> str:
    if error.name in NOBODY:
        return "NetworkManager does not run here; the hotspot needs it (sudo apt install network-manager)"
    if error.name in FORBIDDEN or error.name.endswith((".PermissionDenied", ".NotPrivileged")):
        return "this user may not change the network; run it with sudo"
    if error.name == NO_BUS:
        return str(error)
    if error.name == NO_ANSWER:
        return f"NetworkManager gave {error}"
    return f"NetworkManager refused: {error}"
