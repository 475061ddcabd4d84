"""Power and heat: what makes a recorder in a car slow down, stop or tear its files."""

from __future__ import annotations

import re

from blackbox_qt.core.board import EVER, SLOWED, SLOWS_AT_C, UNDERVOLTAGE, Board
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, broken, look, ok

_WARM_C, _HOT_C = 70.0, SLOWS_AT_C
_SUPPLY = "Use a supply that holds 5 V at 5 A, a short thick cable, and nothing else on it; in a car a good converter."
_COOLER = "Fit the Active Cooler, let air through the case, keep it out of the sun."


def power(case: Case) -> Finding:
    """Undervoltage and throttling, now and since the start."""
    word = _throttled(case)
    alarm = Board(case.machine.root).voltage_alarm()
    if word is None and not alarm:
        return _unknown(case)
    bits = word or 0
    data = {"throttled": f"0x{bits:x}", "undervoltage_now": alarm or bool(bits & UNDERVOLTAGE),
            "undervoltage_ever": alarm or bool(bits & (UNDERVOLTAGE | UNDERVOLTAGE << EVER)),
            "throttled_now": bool(bits & SLOWED),
            "throttled_ever": bool((bits | bits >> EVER) & SLOWED)}  # fmt: skip
    return _judged(data)


def _judged(data: dict[str, object]) -> Finding:
    word = f"(firmware says {data['throttled']})"
    if data["undervoltage_now"]:
        return broken(f"the supply's voltage is too low right now {word}", _SUPPLY, **data)
    if data["throttled_now"]:
        return look(f"the processor is being slowed down right now {word}", f"{_COOLER} {_SUPPLY}", **data)
    if data["undervoltage_ever"]:
        return look(f"the supply's voltage was too low since the start {word}", _SUPPLY, **data)
    if data["throttled_ever"]:
        return look(f"the processor was slowed down since the start {word}", f"{_COOLER} {_SUPPLY}", **data)
    return ok("voltage good, never slowed down since the start", **data)


def _unknown(case: Case) -> Finding:
    if not case.machine.is_pi:
        return ok("not told by this computer", throttled="")
    words = "Run it with sudo, or let this user ask the firmware: sudo usermod -aG video $USER, then sign in again."
    return look("the firmware does not tell whether the voltage is good", words, throttled="")


def _throttled(case: Case) -> int | None:
    """The firmware's word; None where nobody tells it."""
    done = case.machine.run(["vcgencmd", "get_throttled"], 3) if case.machine.is_pi else None
    if done is not None and (found := re.search(r"throttled=(0x[0-9a-fA-F]+)", done.out)):
        return int(found[1], 16)
    return Board(case.machine.root).throttled_word()


def temperature(case: Case) -> Finding:
    """The processor's temperature, and the fan's speed where there is one."""
    degrees = hottest_c(case)
    if degrees is None:
        return ok("not told by this computer", celsius=None, fan_rpm=None)
    fans = [case.machine.number(name) for name in case.machine.glob("/sys/class/hwmon/hwmon*/fan1_input")]
    fan = next((speed for speed in fans if speed is not None), None)
    text = f"{degrees:.0f} °C" + ("" if fan is None else f", fan at {fan} a minute")
    data = {"celsius": degrees, "fan_rpm": fan}
    if degrees >= _HOT_C:
        return broken(text, f"From 80 °C on the processor slows itself down. {_COOLER}", **data)
    if degrees >= _WARM_C:
        return look(text, f"Warm already, and a car in the sun is warmer. {_COOLER}", **data)
    return ok(text, **data)


def hottest_c(case: Case) -> float | None:
    """The warmest thermal zone, °C; None where there is none."""
    return Board(case.machine.root).celsius()
