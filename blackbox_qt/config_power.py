"""Settings of what a car's box has beside cameras: the ignition and its own Wi-Fi."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from blackbox_qt.config_section import Section


class PowerConfig(Section):
    """Switching off with the car's ignition, read from a line of the GPIO header; see docs/POWER.md."""

    ignition: str = Field(
        "", description="the line that tells that the ignition is on: its name, as GPIO17, or CHIP:NUMBER; empty: none"
    )
    ignition_active: Literal["high", "low"] = Field("high", description="its level while the ignition is on")
    ignition_bias: Literal["pull-down", "pull-up", "none", "as-is"] = Field(
        "pull-down", description="resistor inside the chip; one that makes a torn wire mean off"
    )
    off_after_s: float = Field(
        5, ge=0.5, le=600, description="s without a break that it must be off; cranking is shorter than 5"
    )
    parked_min: float = Field(
        10, gt=0, le=1440, description="min after which a box that started without ignition switches off"
    )

    @field_validator("ignition")
    @classmethod
    def _is_line(cls, value: str) -> str:
        if value and not re.fullmatch(r"gpiochip\d{1,3}:\d{1,4}|[\w.+-]{1,32}", value):
            raise ValueError("the name of a GPIO line such as GPIO17, or a chip and a number such as gpiochip0:17")
        return value


class HotspotConfig(Section):
    """The box's own Wi-Fi; `blackbox-qt hotspot on` makes it, with a random password that is kept in storage.state."""

    name: str = Field("", description="what phones see, at most 32 letters; empty: Blackbox- and four random letters")
    interface: str = Field("", description="the Wi-Fi device, as wlan0; empty: the first that can be an access point")
    band: Literal["2.4", "5"] = Field(
        "2.4", description="GHz; 5 is faster, reaches less far, and is not allowed everywhere"
    )
    autoconnect: bool = Field(True, description="start it again with every start of the box, until `hotspot off`")

    @field_validator("name")
    @classmethod
    def _is_ssid(cls, value: str) -> str:
        if len(value.encode()) > 32 or not value.isprintable():  # IEEE 802.11: an SSID has at most 32 octets
            raise ValueError("a name of at most 32 letters (fewer, if they are not plain ones)")
        return value
