"""Settings of the time of day."""

from __future__ import annotations

from pydantic import Field, field_validator

from blackbox_qt.config_section import Section
from blackbox_qt.core.local_time import is_zone


class TimeConfig(Section):
    """The time of day, as it is shown; recordings hold UTC. See docs/TIME.md."""

    zone: str = Field("", description="time zone of what is shown, as Asia/Seoul; empty: the system's")

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value and not is_zone(value):
            raise ValueError("the name of a time zone that this system knows, such as Asia/Seoul, or empty")
        return value
