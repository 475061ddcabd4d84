"""What every section of the configuration is: strict, unchangeable, and without settings that nobody knows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all sections.

    Threads: immutable, any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, strict=True)
