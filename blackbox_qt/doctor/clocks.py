"""Whether anybody knows what time it is: a car has no network when it starts, and a Pi no battery for its clock."""

from __future__ import annotations

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, look, ok, worst

_NO_BATTERY_UV, _EMPTY_UV = 1_000_000, 2_500_000
_BATTERY = (
    "Plug a rechargeable RTC battery (ML2020 with cable) into the BAT connector and add "
    "dtparam=rtc_bbat_vchg=3000000 to /boot/firmware/config.txt."
)
_GUESS = "Recordings are kept in order without it, but their dates are a guess until a network or GPS sets the clock."


def clock(case: Case) -> Finding:
    """What keeps the clock now, and what keeps it while the power is off."""
    source = case.machine.clock.anchor().source
    synchronised = source == "ntp"
    if synchronised:
        now = ok("set by the network", synchronised=True)
    else:
        words = "With a network, wait a minute; without, connect one now and then: a phone's hotspot will do."
        now = look("nobody has set the clock since the start", words, synchronised=False)
    return worst([now, _rtc(case)])


def _rtc(case: Case) -> Finding:
    folder = "/sys/class/rtc/rtc0"
    name = case.machine.value(f"{folder}/name")
    volts = case.machine.number(f"{folder}/battery_voltage")
    charging = case.machine.number(f"{folder}/charging_voltage")
    data = {"rtc": name or "", "battery_v": None if volts is None else volts / 1e6,
            "charging_v": None if charging is None else charging / 1e6}  # fmt: skip
    if name is None:
        return look("no clock that runs without power (RTC)", _GUESS, **data)
    if volts is None:
        return ok(f"RTC {name}", **data)
    text = f"RTC with battery at {volts / 1e6:.2f} V" + (", charging" if charging else "")
    if volts < _NO_BATTERY_UV:
        return look("RTC without a battery: it stops with the power", f"{_BATTERY} {_GUESS}", **data)
    if volts < _EMPTY_UV:
        words = "Nearly empty. A rechargeable one needs dtparam=rtc_bbat_vchg=3000000 in /boot/firmware/config.txt."
        return look(text, f"{words} Never charge one that is not rechargeable: replace it.", **data)
    return ok(text, **data)
