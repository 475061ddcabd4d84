"""NetworkManager over D-Bus: only what an access point needs. Its interfaces: nm-dbus-types(5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blackbox_qt.core.systembus import BusError, SystemBus
from blackbox_qt.hotspot.profile import Settings

_NAME = "org.freedesktop.NetworkManager"
_ROOT = "/org/freedesktop/NetworkManager"
_NOTHING = "/"
_WIFI = 2  # NM_DEVICE_TYPE_WIFI
_CAN_AP = 0x40  # NM_WIFI_DEVICE_CAP_AP
UNMANAGED, UNAVAILABLE = 10, 20  # NMDeviceState
ACTIVATED, GONE = 2, 4  # NMActiveConnectionState


@dataclass(frozen=True, slots=True)
class Device:
    """A Wi-Fi device.

    Threads: immutable, any.
    """

    path: str
    interface: str
    state: int
    can_be_ap: bool


@dataclass(frozen=True, slots=True)
class Active:
    """A connection that is up, or on its way.

    Threads: immutable, any.
    """

    path: str
    uuid: str
    state: int


class NetworkManager:
    """Everything raises BusError.

    Threads: that of the bus's event loop.
    """

    def __init__(self, bus: SystemBus) -> None:
        self._bus = bus

    async def is_there(self) -> str:
        """Its version."""
        return str(await self._get(_ROOT, "", "Version"))

    async def radio(self) -> tuple[bool, bool]:
        """Whether Wi-Fi is on: by the hardware's switch, by software's."""
        hardware = await self._get(_ROOT, "", "WirelessHardwareEnabled")
        return bool(hardware), bool(await self._get(_ROOT, "", "WirelessEnabled"))

    async def wifi_devices(self) -> list[Device]:
        found = []
        for path in await self._call(_ROOT, "", "GetDevices"):
            if await self._get(path, ".Device", "DeviceType") == _WIFI:
                can = await self._get(path, ".Device.Wireless", "WirelessCapabilities") & _CAN_AP
                interface = await self._get(path, ".Device", "Interface")
                found.append(Device(path, interface, await self._get(path, ".Device", "State"), bool(can)))
        return sorted(found, key=lambda device: device.interface)

    async def profile(self, uuid: str) -> str | None:
        """The path of the profile with that uuid."""
        for path in await self._call(f"{_ROOT}/Settings", ".Settings", "ListConnections"):
            settings = await self._call(path, ".Settings.Connection", "GetSettings")
            if settings.get("connection", {}).get("uuid") == uuid:
                return str(path)
        return None

    async def interface_of(self, profile: str) -> str:
        """The device a profile is for."""
        settings = await self._call(profile, ".Settings.Connection", "GetSettings")
        return str(settings["connection"].get("interface-name", ""))

    async def add(self, settings: Settings) -> str:
        """Keep a profile; its path."""
        return str(await self._call(f"{_ROOT}/Settings", ".Settings", "AddConnection", "a{sa{sv}}", variants(settings)))

    async def update(self, path: str, settings: Settings) -> None:
        """Replace a profile; what is up goes on as it was."""
        await self._call(path, ".Settings.Connection", "Update", "a{sa{sv}}", variants(settings))

    async def activate(self, profile: str, device: Device) -> str:
        """Bring it up; the path of the active connection, which is not up yet."""
        return str(await self._call(_ROOT, "", "ActivateConnection", "ooo", profile, device.path, _NOTHING))

    async def deactivate(self, active: Active) -> None:
        await self._call(_ROOT, "", "DeactivateConnection", "o", active.path)

    async def active(self, uuid: str) -> Active | None:
        """The active connection of a profile."""
        for path in await self._get(_ROOT, "", "ActiveConnections"):
            found = await self._active(path)
            if found is not None and found.uuid == uuid:
                return found
        return None

    async def used_by(self, device: Device) -> Active | None:
        """What the device does now."""
        path = await self._get(device.path, ".Device", "ActiveConnection")
        return None if path == _NOTHING else await self._active(path)

    async def name_of(self, active: Active) -> str:
        """What the person who made it calls it."""
        return str(await self._get(active.path, ".Connection.Active", "Id"))

    async def state_of(self, active: str) -> int:
        """GONE also when there is no such object any more."""
        found = await self._active(active)
        return GONE if found is None else found.state

    async def reason(self, device: Device) -> int:
        """Why the device is in its state; NMDeviceStateReason."""
        return int((await self._get(device.path, ".Device", "StateReason"))[1])

    async def _active(self, path: str) -> Active | None:
        try:
            uuid = await self._get(path, ".Connection.Active", "Uuid")
            return Active(path, str(uuid), int(await self._get(path, ".Connection.Active", "State")))
        except BusError as error:
            if error.name.endswith((".UnknownObject", ".UnknownMethod")):  # it went away between two questions
                return None
            raise

    async def _call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> Any:
        return await self._bus.call(_NAME, path, _NAME + interface, member, signature, body)

    async def _get(self, path: str, interface: str, name: str) -> Any:
        return await self._bus.get(_NAME, path, _NAME + interface, name)


def variants(settings: Settings) -> dict[str, dict[str, Any]]:
    """As the D-Bus library wants them.

    Threads: any.
    """
    from dbus_fast import Variant

    def deep(signature: str, value: Any) -> Any:
        if signature == "aa{sv}":
            value = [{key: Variant(*pair) for key, pair in item.items()} for item in value]
        return Variant(signature, value)

    return {name: {key: deep(*pair) for key, pair in section.items()} for name, section in settings.items()}
