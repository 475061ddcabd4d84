"""The time over the network: a phone's clock counts for what its round trip is worth; nonsense is refused in words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.app.timekeeping import TimeError
from blackbox_qt.core.clock import NS
from blackbox_qt.web import times, words
from blackbox_qt.web.times import PHONE_NS, RoundTrips

from .conftest import Box, running, settings
from .fakes import Visitor

TIME = "/api/v1/time"
NOON_MS = 1_795_143_600_000
MS = 1_000_000
NO_TIME = "That is no time of this century after 2025: check the clock it comes from."


def test_the_doubt_is_half_of_what_the_second_time_took_here_and_what_a_phone_may_be_off_by() -> None:
    trips = RoundTrips()
    nonce = trips.begin(100 * NS, NOON_MS)
    pair = trips.end(nonce, 100 * NS + 400 * MS, NOON_MS + 300)
    assert (pair.boot_ns, pair.utc_ns, pair.source) == (100 * NS + 200 * MS, (NOON_MS + 300) * MS, "phone")
    assert pair.uncertainty_ns == 200 * MS + MS + PHONE_NS


@pytest.mark.parametrize("travelled_ms", [0, 37, 200, 399, 400])
def test_whenever_the_phone_read_its_clock_the_doubt_covers_it(travelled_ms: int) -> None:
    """Between the first answer and the second request there are 400 ms; it is read somewhere in them."""
    trips = RoundTrips()
    pair = trips.end(trips.begin(100 * NS, NOON_MS - 50), 100 * NS + 400 * MS, NOON_MS + travelled_ms)
    read_at = 100 * NS + travelled_ms * MS
    off = abs(pair.utc_ns + read_at - pair.boot_ns - (NOON_MS + travelled_ms) * MS)
    assert pair.uncertainty_ns is not None and off <= pair.uncertainty_ns - PHONE_NS


@pytest.mark.parametrize(
    ("later_ns", "later_ms", "said"),
    [
        (6 * NS, 6000, words.TOO_SLOW),
        (NS, -2, words.CLOCK_MOVED),
        (NS, 86_400_000, words.CLOCK_MOVED),
    ],
)
def test_what_took_too_long_or_moved_meanwhile(later_ns: int, later_ms: int, said: str) -> None:
    trips = RoundTrips()
    nonce = trips.begin(0, NOON_MS)
    with pytest.raises(TimeError) as caught:
        trips.end(nonce, later_ns, NOON_MS + later_ms)
    assert str(caught.value) == said


def test_a_nonce_serves_once_and_only_so_many_wait() -> None:
    trips = RoundTrips()
    first = trips.begin(0, NOON_MS)
    trips.end(first, 1, NOON_MS)
    for nonce in (first, "guessed", trips.begin(0, NOON_MS)):
        for _ in range(64 * (nonce not in (first, "guessed"))):
            trips.begin(0, NOON_MS)
        with pytest.raises(TimeError, match="longer than 5 s"):
            trips.end(nonce, 1, NOON_MS)


# ---- over the network


@pytest.fixture
def own(tmp_path: Path, possible_alarms: list[str]) -> Iterator[Box]:
    """A box for what would be remembered."""
    possible_alarms.append("Time in doubt")
    with running(settings(tmp_path)) as made:
        yield made


@pytest.fixture
def phone(box: Box, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """A browser that has signed in, and is not the box's own."""
    monkeypatch.setattr(times, "_visitor", lambda _: "10.42.0.7")
    return box.browser()


def tell(phone: Visitor, off_s: float = 0) -> str:
    now_ms = round((time.time() + off_s) * 1000)
    got = phone.ask(TIME, "POST", {"utc_ms": now_ms}, Origin=phone.origin)
    assert (got.status, got.json["words"]) == (200, "")
    now_ms = round((time.time() + off_s) * 1000)
    got = phone.ask(TIME, "POST", {"utc_ms": now_ms, "nonce": got.json["nonce"]}, Origin=phone.origin)
    assert (got.status, got.json["nonce"]) == (200, "")
    said: str = got.json["words"]
    return said


def test_a_phone_tells_its_time_and_the_status_believes_it(
    own: Box, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    monkeypatch.setattr(times, "_visitor", lambda _: "10.42.0.7")
    box, phone = own, own.browser()
    if box.app.clock.anchor().source in ("gps", "ntp", "rtc"):
        pytest.skip("this machine's clock is trusted more than a phone's")
    assert tell(phone).startswith("The box knows the time: ")
    until(lambda: box.owner().ask("/api/v1/status").json["utc_source"] == "phone")
    status = box.owner().ask("/api/v1/status").json
    assert status["utc_source"] == status["time"]["source"] == "phone"
    assert abs(status["utc_ns"] / NS - time.time()) < 5
    assert re.search(r"· phone ±[1-4] s$", status["time"]["words"]) and 0.5 < status["time"]["uncertainty_s"] < 4
    tell(phone, 86_400)  # the one whose round trip was shorter is believed more
    looked = box.owner().ask(TIME).json
    assert [(one["source"], one["by"]) for one in looked["witnesses"]][-2:] == [("phone", "10.42.0.7")] * 2
    assert looked["conflict"].startswith("Time in doubt: ") and looked["conflict"].endswith(" than that")
    until(lambda: box.owner().ask("/api/v1/status").json["time"]["conflict"] == looked["conflict"])


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"utc_ms": 0}, 409, NO_TIME),
        ({"utc_ms": 1 << 53}, 409, NO_TIME),
        ({"utc_ms": -1}, 422, "utc_ms = -1 is not allowed; allowed: a whole number of ms since 1970."),
        ({"utc_ms": 1 << 54}, 422, f"utc_ms = {1 << 54} is not allowed; allowed: a whole number of ms since 1970."),
        ({"utc_ms": "noon"}, 422, "utc_ms = noon is not allowed; allowed: a whole number of ms since 1970."),
        ({"utc_ms": 1.5e12}, 422, "utc_ms = 1500000000000.0 is not allowed; allowed: a whole number of ms since 1970."),
        ({}, 422, "utc_ms is missing; send a whole number of ms since 1970."),
        ({"utc_ms": NOON_MS, "source": "gps"}, 422, "source is not known here."),
        ({"utc_ms": NOON_MS, "nonce": 5}, 422, "nonce = 5 is not allowed; allowed: what the first answer gave."),
        ({"utc_ms": NOON_MS, "nonce": "guessed"}, 409, words.TOO_SLOW),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_words(phone: Visitor, body: dict[str, object], status: int, sentence: str) -> None:
    got = phone.ask(TIME, "POST", body, Origin=phone.origin)
    if got.status == 200:  # a nonsense time is judged when it comes with its nonce
        got = phone.ask(TIME, "POST", {**body, "nonce": got.json["nonce"]}, Origin=phone.origin)
    assert (got.status, got.error) == (status, sentence)


def test_who_may_tell_it(box: Box, phone: Visitor) -> None:
    body = {"utc_ms": NOON_MS}
    for method in ("POST", "PUT"):
        assert box.visitor().ask(TIME, method, body).status == 401
        assert phone.ask(TIME, method, body).error == words.NO_ORIGIN
        assert phone.ask(TIME, method, body, Origin="http://elsewhere.example").error == words.FOREIGN
    assert box.visitor().ask(TIME).status == 401 and phone.ask(TIME).status == 200


def test_the_boxs_own_browser_proves_nothing(box: Box) -> None:
    browser = box.browser()
    got = browser.ask(TIME, "POST", {"utc_ms": NOON_MS}, Origin=browser.origin)
    assert (got.status, got.json) == (200, {"nonce": "", "words": words.OWN_CLOCK})
    assert box.app.time.mine == ()


@pytest.mark.parametrize(
    ("client", "server", "who"),
    [
        ("10.42.0.7", "10.42.0.1", "10.42.0.7"),
        ("10.42.0.1", "10.42.0.1", None),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.8.0.1", "10.42.0.1", None),
        ("::1", "::1", None),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", None),
        ("::ffff:10.42.0.7", "::ffff:10.42.0.1", "10.42.0.7"),
        ("fe80::1%wlan0", "fe80::2%wlan0", "fe80::1%wlan0"),
        ("", "10.42.0.1", None),
        ("a/path", "10.42.0.1", None),
    ],
)
def test_who_is_a_visitor(client: str, server: str, who: str | None) -> None:
    from starlette.requests import Request

    scope = {"type": "http", "client": (client, 5), "server": (server, 80), "headers": []}
    assert (times._visitor(Request(scope)) or "").partition("%")[0] == (who or "").partition("%")[0]


def test_somebody_types_the_time(own: Box) -> None:
    box = own
    now_ms = round(time.time() * 1000)
    got = box.owner().ask(TIME, "PUT", {"utc_ms": now_ms, "uncertainty_ms": 10_000, "by": "command line"})
    assert got.status == 200 and got.json["words"].startswith("The box knows the time: ")
    got = box.owner().ask(TIME, "PUT", {"utc_ms": 7})
    assert (got.status, got.error) == (
        409,
        NO_TIME,
    )
    got = box.owner().ask(TIME, "PUT", {"utc_ms": now_ms, "uncertainty_ms": 0})
    assert got.error == "uncertainty_ms = 0 is not allowed; allowed: a whole number of ms from 1 to 86400000."
