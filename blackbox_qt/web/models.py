"""What programs send and get, typed: OpenAPI is written from these. The status is app.status itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from blackbox_qt.app import Status
from blackbox_qt.app.words import Strip, strip


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Failure(_Model):
    """Every answer that is not a success.

    Threads: immutable, any.
    """

    error: str = Field(description="one sentence for a person")


class Health(_Model):
    """Whether the black box does its job.

    Threads: immutable, any.
    """

    recording: bool = Field(description="true while bytes of every camera reach the disk")


@dataclass(frozen=True, slots=True)
class StatusAnswer(Status):
    """The status, and what the strip makes of it: the page says what the window says.

    Threads: immutable, any.
    """

    strip: Strip = field(kw_only=True)  # others have defaults


def answer(status: Status) -> StatusAnswer:
    """Threads: any."""
    return StatusAnswer(**{one.name: getattr(status, one.name) for one in fields(status)}, strip=strip(status))


class SessionRequest(_Model):
    """A browser signs in.

    Threads: immutable, any.
    """

    key: str = Field(max_length=256, description="the box's access key, as shown or as typed")


class Session(_Model):
    """Whether this browser is signed in.

    Threads: immutable, any.
    """

    signed_in: bool


class RecordingRequest(_Model):
    """Start recording, or stop it for a time that ends by itself.

    Threads: immutable, any.
    """

    recording: bool
    minutes: Annotated[float, Field(gt=0, le=240, strict=False)] | None = Field(
        None, description="min until it goes on by itself; web.pause_minutes if not given; only with false"
    )


class RecordingWish(_Model):
    """What was asked for. Whether it has come true says the status.

    Threads: immutable, any.
    """

    recording: bool
    resumes_in_s: float | None = Field(description="s until recording goes on by itself; null when it was started")
