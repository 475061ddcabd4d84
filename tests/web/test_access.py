"""Keys, cookies, and where a change may come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blackbox_qt.web.access import Access, Credential
from blackbox_qt.web.key import new_key, normal, spelled

from .conftest import Box, running, settings
from .fakes import HandSink, basic, hand_app

STATUS = "/api/v1/status"
RECORD = "/api/v1/recording"


def test_the_key_becomes_a_cookie_that_scripts_cannot_read(box: Box) -> None:
    visitor = box.visitor()
    answer = visitor.ask("/api/v1/session", "POST", {"key": box.server.access.key}, Origin=visitor.origin)  # type: ignore[union-attr]
    assert (answer.status, answer.json) == (200, {"signed_in": True})
    cookie = answer.header("set-cookie")
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={365 * 86400}"):
        assert attribute in cookie
    assert box.server.access.key not in cookie  # type: ignore[union-attr]
    visitor.cookie = cookie.partition(";")[0]
    assert visitor.ask(STATUS).status == 200


def test_a_key_may_be_typed_the_way_it_is_read(box: Box) -> None:
    key = box.server.access.key  # type: ignore[union-attr]
    for typed in (
        key,
        key.upper(),
        spelled(key),
        f"  {spelled(key).replace('-', ' ').replace('0', 'o').replace('1', 'l')} ",
    ):
        assert box.visitor().ask("/api/v1/session", "POST", {"key": typed}).status == 200


@pytest.mark.parametrize("key", ["", "x", "0" * 26, "é" * 26, "x" * 256, "\x00" * 26])
def test_a_wrong_key_gets_words_and_no_cookie(box: Box, key: str) -> None:
    answer = box.visitor().ask("/api/v1/session", "POST", {"key": key})
    assert (answer.status, answer.error) == (401, "That is not this box's key.")
    assert not answer.header("set-cookie")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"key": 7}', b'{"kee": "x"}', b'{"key": "' + b"x" * 300 + b'"}']
)
def test_a_sign_in_that_is_no_sign_in_gets_one_sentence(box: Box, body: bytes) -> None:
    answer = box.visitor().ask("/api/v1/session", "POST", body, Content_Type="application/json")
    assert answer.status == 422
    assert "xxx" not in answer.error


def test_programs_show_the_key_in_a_header(box: Box) -> None:
    key, visitor = box.server.access.key, box.visitor()  # type: ignore[union-attr]
    for value in (f"Bearer {key}", f"bearer {key}", basic("", key), basic("anybody", key), basic("a", spelled(key))):
        assert visitor.ask(STATUS, Authorization=value).status == 200, value
    for value in (
        "",
        "Bearer",
        "Bearer x",
        f"Digest {key}",
        key,
        basic(key, ""),
        "Basic !!!",
        f"Bearer {key}{'x' * 600}",
    ):
        assert visitor.ask(STATUS, Authorization=value).status == 401, value


def test_a_program_is_asked_for_a_password_and_a_browser_is_not(box: Box) -> None:
    def challenges(agent: str) -> str:
        return " ".join(v for k, v in box.visitor().ask(STATUS, User_Agent=agent).headers if k == "www-authenticate")

    assert "Basic" in challenges("Lavf/59")
    assert "Basic" not in challenges("Mozilla/5.0 (X11)")


def test_cookies_cannot_be_made_without_the_key() -> None:
    access, other = Access(new_key(), 80), Access(new_key(), 80)

    def check(token: str) -> Credential:
        return access.credential([(b"cookie", f"a=b; {access.cookie_name}={token}; c=d".encode())])

    good = access.session()
    version, issued, signature = good.split(".")
    assert check(good) is Credential.COOKIE
    bad = [other.session(), signature, "", "...", good + "0", f"{version}.{issued}."]
    bad += [f"{version}.{int(issued) + 1}.{signature}", f"v2.{issued}.{signature}"]
    bad += [f"{version}.{issued}.{signature.upper()}"]
    assert {check(token) for token in bad} == {Credential.NONE}


def test_a_cookie_survives_a_restart_and_ends_with_the_key() -> None:
    key = new_key()
    token = Access(key, 80).session()
    cookie = [(b"cookie", f"blackbox-80={token}".encode())]
    assert Access(key, 80).credential(cookie) is Credential.COOKIE
    assert Access(new_key(), 80).credential(cookie) is Credential.NONE


def test_signing_out_makes_the_browser_forget(box: Box) -> None:
    browser = box.browser()
    assert browser.ask("/api/v1/session", "DELETE").status == 403  # no Origin
    answer = browser.ask("/api/v1/session", "DELETE", Origin=browser.origin)
    assert answer.json == {"signed_in": False}
    assert "Max-Age=0" in answer.header("set-cookie")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:1", "file://"]
)
def test_a_change_from_another_page_is_refused(box: Box, origin: str) -> None:
    for visitor in (box.browser(), box.owner()):
        answer = visitor.ask(RECORD, "POST", {"recording": True}, Origin=origin)
        assert answer.status == 403
        assert "own page" in answer.error
    assert box.visitor().ask("/api/v1/session", "POST", {"key": "x"}, Origin=origin).status == 403


def test_a_browser_names_its_page_and_a_program_need_not(box: Box) -> None:
    browser, program = box.browser(), box.owner()
    assert "Origin" in browser.ask(RECORD, "POST", {"recording": True}).error
    assert browser.ask(RECORD, "POST", {"recording": True}, Origin=browser.origin).status == 200
    assert (
        browser.ask(RECORD, "POST", {"recording": True}, Origin=browser.origin, Sec_Fetch_Site="cross-site").status
        == 403
    )
    assert program.ask(RECORD, "POST", {"recording": True}).status == 200
    form = browser.ask(RECORD, "POST", b'{"recording": true}', Origin=browser.origin, Content_Type="text/plain")
    assert form.status == 422


def test_without_sign_in_only_this_machine_s_own_names_are_answered(tmp_path: Path, sink: HandSink) -> None:
    config = settings(tmp_path, "web.auth=false")
    with running(config, hand_app(config, sink)) as box:
        visitor = box.visitor()
        port = visitor.host[1]
        assert not (tmp_path / "state").exists()
        assert box.server.invitation() == [f"Page: http://127.0.0.1:{port}/ (no sign-in)"]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "[::1]", f"[::1]:{port}", "127.9.9.9"):
            assert visitor.ask("/", Host=host).status == 200, host
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "localhost.evil.example",
            "192.168.1.7",
            "127.0.0.1.evil.example",
            "[::2]",
            ":",
            "",
        ):
            assert visitor.ask("/", Host=host).status == 403, host
        assert visitor.ask("/video_feed", "HEAD", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
        assert visitor.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
        assert visitor.ask("/api/v1/session", "DELETE", Origin="http://evil.example").status == 403


def test_keys_are_long_enough_and_have_no_look_alikes() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert re.fullmatch("[0-9a-hjkmnp-tv-z]{26}", key)  # 26 x 5 bits
        assert normal(spelled(key).upper()) == key
