"""systemd-logind, which switches the machine off: org.freedesktop.login1.Manager, see org.freedesktop.login1(5)."""

from __future__ import annotations

from typing import Any

from blackbox_qt.core.systembus import FORBIDDEN, NO_ANSWER, NO_BUS, NOBODY, BusError, SystemBus, on_system_bus

LIMIT_S = 2.0
_NAME, _PATH, _MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
NOT_ALLOWED = "this user may not switch the box off; run it with sudo, or install the package, which brings the rule"


class PowerError(Exception):
    """The machine cannot be switched off; one sentence."""


def power_off(limit_s: float = LIMIT_S) -> None:
    """Ask for it and return as soon as it is accepted; nobody is asked for a password. Raises PowerError.

    systemd then ends every service in order (the recorder, too, if it still runs) and cuts the power.

    Threads: any without an event loop; blocks up to `limit_s`.
    """
    _call("PowerOff", limit_s, "b", (False,))


def may_power_off(limit_s: float = LIMIT_S) -> bool:
    """Whether `power_off` would be accepted. Raises PowerError when that cannot be told.

    Threads: as `power_off`.
    """
    return str(_call("CanPowerOff", limit_s)) == "yes"


def _call(member: str, limit_s: float, signature: str = "", body: tuple[Any, ...] = ()) -> Any:
    async def ask(bus: SystemBus) -> Any:
        return await bus.call(_NAME, _PATH, _MANAGER, member, signature, body)

    try:
        return on_system_bus(ask, limit_s)
    except BusError as error:
        raise PowerError(_words(error)) from error


def _words(error: BusError) -> str:
    if error.name in NOBODY:
        return "systemd-logind does not run here, so nothing can switch the box off"
    if error.name in FORBIDDEN:
        return NOT_ALLOWED
    if error.name == NO_BUS:
        return str(error)
    if error.name == NO_ANSWER:
        return f"systemd-logind gave {error}"
    return f"systemd-logind refused: {error}"
