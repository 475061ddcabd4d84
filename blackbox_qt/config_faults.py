"""Settings of the worst day: a missing card, sounds, a board that is too slow or too hot, what is kept about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blackbox_qt.config_section import Section


class EmergencyConfig(Section):
    """Recording while the card is missing: a ring on the system's disk, in storage.state (see docs/RELIABILITY.md)."""

    enabled: bool = Field(True, description="record there at all; false: nothing is recorded while the card is missing")
    size_mb: int = Field(2000, ge=50, le=1_000_000, description="MB the ring may take; the oldest of it goes first")
    keep_free_mb: int = Field(500, ge=0, le=1_000_000, description="MB that stay free on the system's disk")
    when_removed: Literal["record", "stop"] = Field(
        "record", description="after `blackbox-qt card remove`: record in the ring, or stop until a card is back"
    )
    card: Literal["remembered", "required", "any"] = Field(
        "remembered",
        description="what must be at storage.data: remembered, a card of its own once there was one; required, always "
        "one; any, whatever folder is there",
    )


class AlarmsConfig(Section):
    """Sounds: a chime when recording starts, a tone when it stops being true."""

    sound: bool = Field(True, description="play them")
    player: Literal["auto", "aplay", "pw-play", "paplay"] = Field(
        "auto", description="the program that plays them; auto: the first of these that is installed"
    )


class SheddingConfig(Section):
    """What is given up while the encoder is too slow or the board too hot, so that recording goes on."""

    enabled: bool = Field(True, description="give up anything at all")
    hot_c: float = Field(80, ge=50, le=110, description="degrees C from which the board is too hot; a Pi 5 slows at 80")


class HealthConfig(Section):
    """What the box notes about itself in storage.state; `blackbox-qt health` shows it."""

    every_s: float = Field(5, ge=1, le=300, description="s between two notes of about 1 KB each")
    hours: float = Field(12, ge=0.1, le=240, description="hours that are kept; 12 at 5 s take 9 MB")
