"""The time over the network: what the box believes and who said so; a phone's clock, and one set by hand."""

from __future__ import annotations

import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from fastapi import HTTPException
from pydantic import Field
from starlette.requests import Request

from blackbox_qt.app import App
from blackbox_qt.app.timekeeping import TimeError
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.web import words
from blackbox_qt.web.models import _Model

PHONE_NS = NS // 2
"""What a phone's own clock may be off by; the round trip is measured and comes on top."""
LONGEST_TRIP_S = 5
_MS = 1_000_000
_MOST_MS = 1 << 53  # what JSON numbers hold in a browser
_MOST_WAITING = 64


class PhoneRequest(_Model):
    """A phone's clock, sent twice: the second time with what the first answer gave, read after that came.

    Threads: immutable, any.
    """

    utc_ms: int = Field(ge=0, le=_MOST_MS, description="ms since 1970, as Date.now() says just before it is sent")
    nonce: str = Field("", max_length=64, description="empty the first time; then what the answer gave")


class PhoneAnswer(_Model):
    """What to do next, or what came of it.

    Threads: immutable, any.
    """

    nonce: str = Field(description="to be sent back at once, with the clock read anew; empty: done")
    words: str = Field(description="what the time is worth here; empty while it is not known")


class ManualRequest(_Model):
    """A time that somebody typed.

    Threads: immutable, any.
    """

    utc_ms: int = Field(ge=0, le=_MOST_MS, description="ms since 1970, now")
    uncertainty_ms: int = Field(60_000, ge=1, le=86_400_000, description="how wrong it may be, ms")
    by: Literal["page", "command line", "program"] = Field("program", description="who says so")


class WitnessAnswer(_Model):
    """Somebody's word about the time.

    Threads: immutable, any.
    """

    boot_ns: int
    utc_ns: int
    source: str
    uncertainty_ns: int | None
    by: str
    words: str


_WITNESS = tuple(WitnessAnswer.model_fields)


class TimeAnswer(_Model):
    """What is known of the time.

    Threads: immutable, any.
    """

    machine_boot: str = Field(description="which start of the machine boot_ns counts from")
    boot_ns: int
    utc_ns: int = Field(description="ns since 1970; worth what the source is worth")
    source: str = Field(description="gps, ntp, rtc, phone, manual, or unsynced: nobody vouches for it")
    uncertainty_ns: int | None
    words: str
    conflict: str = Field(description="who says otherwise; empty when all agree")
    witnesses: list[WitnessAnswer] = Field(description="who said what since the machine started, in order")


class RoundTrips:
    """Phones that have sent their clock once. The box measures how long the second time takes: nobody is believed that.

    A phone reads its clock after the first answer has left here and before the second request arrives: between two
    moments of the boot clock.

    Threads: the web loop's.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[int, int]] = OrderedDict()  # boot clock ns, its ms

    def begin(self, boot_ns: int, utc_ms: int) -> str:
        """Remember the first time; a nonce for the second."""
        nonce = secrets.token_hex(8)
        self._waiting[nonce] = boot_ns, utc_ms
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)
        return nonce

    def end(self, nonce: str, boot_ns: int, utc_ms: int) -> Anchor:
        """What the phone's clock is worth; TimeError when it took too long, or the clock moved."""
        began = self._waiting.pop(nonce, None)
        if began is None or boot_ns - began[0] > LONGEST_TRIP_S * NS:
            raise TimeError(words.TOO_SLOW)
        trip = boot_ns - began[0]
        # What it showed between the two times, less what went by here; before the first one it travelled too.
        if not -_MS <= (utc_ms - began[1]) * _MS <= trip + LONGEST_TRIP_S * NS:
            raise TimeError(words.CLOCK_MOVED)
        return Anchor(boot_ns - trip // 2, utc_ms * _MS, "phone", trip // 2 + _MS + PHONE_NS)


class TimesApi:
    """The handlers. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._trips = RoundTrips()

    def add_to(self, add: Callable[..., None]) -> None:
        add("/api/v1/time", self.look, response_model=TimeAnswer)
        add("/api/v1/time", self.phone, method="POST", response_model=PhoneAnswer)
        add("/api/v1/time", self.manual, method="PUT", response_model=PhoneAnswer)

    async def look(self) -> TimeAnswer:
        """What time it is, how well that is known, and who said what."""
        now, time = self._app.clock.anchor(), self._app.time.status()
        said = [WitnessAnswer(**{key: one[key] for key in _WITNESS}) for one in self._app.time.as_dicts()]
        return TimeAnswer(
            machine_boot=self._app.clock.machine_boot,
            boot_ns=now.boot_ns,
            utc_ns=now.utc_ns,
            source=now.source,
            uncertainty_ns=now.uncertainty_ns,
            words=time.words,
            conflict=time.conflict,
            witnesses=said,
        )

    async def phone(self, asked: PhoneRequest, request: Request) -> PhoneAnswer:
        """A phone tells its time, in two steps. It counts as `phone`, as exactly as the second step was quick."""
        boot_ns = self._app.clock.boot_ns()
        who = _visitor(request)
        if who is None:  # no error: the box's own screen opens the page too
            return PhoneAnswer(nonce="", words=words.OWN_CLOCK)
        if not asked.nonce:
            return PhoneAnswer(nonce=self._trips.begin(boot_ns, asked.utc_ms), words="")
        try:
            return self._heard(self._trips.end(asked.nonce, boot_ns, asked.utc_ms), who)
        except TimeError as error:
            raise HTTPException(409, str(error)) from None

    async def manual(self, asked: ManualRequest) -> PhoneAnswer:
        """Somebody types the time. It counts as `manual`, less than any clock."""
        boot_ns = self._app.clock.boot_ns()
        pair = Anchor(boot_ns, asked.utc_ms * _MS, "manual", asked.uncertainty_ms * _MS)
        try:
            return self._heard(pair, asked.by)
        except TimeError as error:
            raise HTTPException(409, str(error)) from None

    def _heard(self, pair: Anchor, by: str) -> PhoneAnswer:
        return PhoneAnswer(nonce="", words=self._app.time.hear(pair, by))


def _visitor(request: Request) -> str | None:
    """The address a request comes from; None for this box itself, whose clock proves nothing."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    own = (request.scope.get("server") or ("",))[0]
    return None if address.is_loopback or host == own else str(address)
