"""The settings of the retention: when old footage makes room for new, and how much may be kept from that."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from blackbox_qt.config_section import Section


class RetentionConfig(Section):
    """Room for new footage: the oldest goes first, never what is kept by a mark, open, or a camera's newest."""

    enabled: bool = Field(True, description="delete the oldest when the disk fills; false: recording stops then")
    low_mb: int = Field(
        1000, ge=0, le=10_000_000, description="MB; with less free than this, deleting begins (at most 1/8 of the disk)"
    )
    low_percent: float = Field(2, ge=0, le=50, description="% of the disk; the same, and the larger of the two holds")
    high_mb: int = Field(
        1500,
        ge=0,
        le=10_000_000,
        description="MB; with so much free it ends (1/4 of the disk at most); more than low_mb",
    )
    high_percent: float = Field(
        3, ge=0, le=75, description="% of the disk; the same, the larger holds; more than low_percent"
    )
    max_age_h: float = Field(
        0, ge=0, le=100_000, description="h after which unmarked footage is deleted, where its age is certain; 0: never"
    )
    locked_percent: float = Field(
        30, ge=0, le=90, description="% of the room for recordings that marks may keep from being recorded over"
    )
    warn_percent: float = Field(80, ge=1, le=100, description="% of that share from which it is said that it fills")
    reserve_min: float = Field(
        30, ge=1, le=1440, description="min of every camera that no mark can take: marks never stop the recording"
    )
    manual_yields: bool = Field(
        False, description="beyond the share the oldest marks made by hand go too; false: new ones are refused"
    )

    @field_validator("high_mb", "high_percent")
    @classmethod
    def _is_above_low(cls, value: float, info: ValidationInfo) -> float:
        below = str(info.field_name).replace("high", "low")
        low = info.data.get(below)
        if low is not None and value <= low and (value, low) != (0, 0):
            raise ValueError(f"more than {below}, which is {low:g}")
        return value

    @field_validator("high_percent")
    @classmethod
    def _is_something(cls, value: float, info: ValidationInfo) -> float:
        if not value and not info.data.get("high_mb", 1):
            raise ValueError("more than 0 where high_mb is 0")
        return value
