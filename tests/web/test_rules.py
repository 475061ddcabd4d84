"""Nothing answers without a credential but what the table says."""

from __future__ import annotations

import pytest

from blackbox_qt.web.api import Api
from blackbox_qt.web.rules import RULES, Rule, RuleError, Rules, check_complete
from blackbox_qt.web.site import build, routes_of

from .conftest import Box

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = {
    ("/healthz", "GET"), ("/sign-in", "GET"), ("/public/base.css", "GET"), ("/public/tokens.css", "GET"),
    ("/public/sign-in.js", "GET"), ("/public/icon.svg", "GET"), ("/api/v1/session", "POST"),
}  # fmt: skip
"""Said a second time on purpose: a route that becomes open by mistake fails here."""


def routes() -> list[tuple[str, str]]:
    return routes_of(build(Api(None, None, {}, None)))  # type: ignore[arg-type]


def concrete(path: str) -> str:
    return path.replace("{camera}", "front")


def test_every_route_of_the_router_is_in_the_table() -> None:
    real = {(path, method) for path, method in routes() if method != "HEAD"}
    assert real == {(path, method) for path, rules in RULES.items() for method in rules}
    assert {pair for pair in real if RULES[pair[0]][pair[1]] in (Rule.PUBLIC, Rule.ENTER)} == OPEN


def test_a_route_without_a_rule_stops_the_start() -> None:
    with pytest.raises(RuleError, match="GET /secret"):
        check_complete([*routes(), ("/secret", "GET")])
    with pytest.raises(RuleError, match="POST /healthz"):
        check_complete([*routes(), ("/healthz", "POST")])


@pytest.mark.parametrize(
    "path", sorted({path for path, _ in routes()} | {"/docs", "/redoc", "/nowhere", "/web/live.html"})
)
def test_without_a_credential_only_the_open_routes_answer(box: Box, path: str) -> None:
    visitor = box.visitor()
    for method in METHODS:
        answer = visitor.ask(concrete(path), method)
        if (path, "GET" if method == "HEAD" else method) in OPEN:
            assert answer.status != 403
            assert "Sign in first" not in answer.body.decode("latin-1")
        else:
            assert answer.status == 401, (method, path)
            assert not answer.body or "Sign in first" in answer.error


@pytest.mark.parametrize("path", [
    "/api/v1/status/", "//api/v1/status", "/api/../api/v1/status", "/%61pi/v1/status", "/healthz/../api/v1/status",
    "/healthz%2f..%2fapi%2fv1%2fstatus", "/sign-in/", "/public/", "/public/..%2f..%2fpyproject.toml", "/API/V1/STATUS",
    "/stream/front.mjpg?x=/healthz", "/api/v1/status?/sign-in", "/api/v1/status#/healthz",
])  # fmt: skip
def test_no_spelling_of_a_path_leads_past_the_gate(box: Box, path: str) -> None:
    assert box.visitor().ask(path).status == 401


def test_unknown_paths_and_methods_are_told_only_to_those_inside(box: Box) -> None:
    assert box.owner().ask("/nowhere").status == 404
    assert box.owner().ask("/nowhere").error == "There is nothing at this address."
    assert box.owner().ask("/api/v1/status", "PUT").status == 405


def test_what_the_table_does_not_know_changes_something() -> None:
    rules = Rules()
    assert rules.of("DELETE", "/api/v1/status") is Rule.CONTROL
    assert rules.of("POST", "/nowhere") is Rule.CONTROL
    assert rules.of("GET", "/nowhere") is Rule.VIEW
    assert rules.of("HEAD", "/healthz") is Rule.PUBLIC
    assert rules.of("GET", "/stream/a/b.mjpg") is Rule.VIEW


def test_a_person_at_the_front_door_is_led_to_the_sign_in(box: Box) -> None:
    answer = box.visitor().ask("/", Accept="text/html,application/xhtml+xml")
    assert (answer.status, answer.header("location")) == (303, "/sign-in")
    assert box.visitor().ask("/").status == 401


def test_every_answer_carries_the_security_headers(box: Box) -> None:
    with box.owner().stream() as stream:
        heads = [stream.begin().lower()]
    for answer in (box.visitor().ask("/sign-in"), box.visitor().ask("/nowhere"), box.owner().ask("/api/v1/status")):
        heads.append("\n".join(f"{name}: {value}" for name, value in answer.headers).lower())
    for head in heads:
        assert "content-security-policy: default-src 'none'; script-src 'self'" in head
        assert "frame-ancestors 'none'" in head
        for line in ("x-content-type-options: nosniff", "referrer-policy: no-referrer", "cache-control: no-store"):
            assert line in head
        assert "server:" not in head
