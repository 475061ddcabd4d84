"""Calls on the system's D-Bus, with errors that name themselves. The library is imported when a call is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

T = TypeVar("T")

NO_BUS = "blackbox.NoBus"
NO_ANSWER = "blackbox.NoAnswer"
NOBODY = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
          "org.freedesktop.DBus.Error.Spawn.ServiceNotFound", "org.freedesktop.DBus.Error.UnitMasked")  # fmt: skip
"""The service that was called is not there and cannot be started."""
FORBIDDEN = ("org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.AuthFailed",
             "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")  # fmt: skip
"""The bus or polkit said no."""


class BusError(Exception):
    """A call failed; `name` is D-Bus's name of the error, or NO_BUS, or NO_ANSWER."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class SystemBus:
    """A connection to the system bus, for `async with`.

    Threads: that of its event loop.
    """

    def __init__(self) -> None:
        self._bus: MessageBus | None = None

    async def __aenter__(self) -> SystemBus:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        try:
            self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        except Exception as error:  # the bus's door: no socket, a refusal, no greeting; whatever it is, there is no bus
            raise BusError(NO_BUS, f"the system's D-Bus cannot be reached ({error})") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def call(
        self, service: str, path: str, interface: str, member: str, signature: str = "", body: tuple[Any, ...] = ()
    ) -> Any:
        """The answer's first value, None when it has none. Variants come back as the values in them.

        Raises BusError.
        """
        from dbus_fast import Message, MessageType, unpack_variants

        assert self._bus is not None
        message = Message(destination=service, path=path, interface=interface, member=member,
                          signature=signature, body=list(body))  # fmt: skip
        reply = await self._bus.call(message)
        assert reply is not None  # only a call that wants no reply has none
        if reply.message_type is MessageType.ERROR:
            raise BusError(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        return unpack_variants(reply.body[0]) if reply.body else None

    async def get(self, service: str, path: str, interface: str, name: str) -> Any:
        """One property. Raises BusError."""
        properties = "org.freedesktop.DBus.Properties"
        return await self.call(service, path, properties, "Get", "ss", (interface, name))


def on_system_bus(work: Callable[[SystemBus], Awaitable[T]], limit_s: float) -> T:
    """Run `work(bus)` to its end; BusError when there is no bus or it takes longer than `limit_s` seconds.

    Threads: any without an event loop.
    """

    async def whole() -> T:
        async with SystemBus() as bus:
            return await work(bus)

    async def bounded() -> T:
        return await asyncio.wait_for(whole(), limit_s)

    try:
        return asyncio.run(bounded())
    except TimeoutError:
        raise BusError(NO_ANSWER, f"no answer within {limit_s:g} s") from None
