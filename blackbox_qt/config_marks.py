"""Settings of what is kept when somebody presses MARK."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from blackbox_qt.config_section import Section


class MarksConfig(Section):
    """What is kept when somebody presses MARK, and a button in the car for it; see docs/MARKS.md."""

    before_s: float = Field(30, ge=0, le=3600, description="s kept from before the press, on all cameras")
    after_s: float = Field(60, ge=1, le=3600, description="s kept after it; another press in this time adds as much")
    button: str = Field(
        "", description="the line of a button to ground: its name, as GPIO27, or CHIP:NUMBER; empty: none"
    )
    button_active: Literal["high", "low"] = Field("low", description="its level while it is pressed")
    button_bias: Literal["pull-down", "pull-up", "none", "as-is"] = Field(
        "pull-up", description="resistor inside the chip; one that makes a torn wire mean not pressed"
    )
    hold_s: float = Field(2, ge=0.5, le=10, description="s the button is held to keep the whole trip")

    @field_validator("button")
    @classmethod
    def _is_line(cls, value: str) -> str:
        if value and not re.fullmatch(r"gpiochip\d{1,3}:\d{1,4}|[\w.+-]{1,32}", value):
            raise ValueError("the name of a GPIO line such as GPIO27, or a chip and a number such as gpiochip0:27")
        return value
