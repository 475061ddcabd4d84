"""The page in Chromium, as a phone's owner sees it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.app.fault_status import AlarmStatus
from blackbox_qt.app.status import MarkStatus
from blackbox_qt.web import times

from .conftest import Box, running, settings

webdriver = pytest.importorskip("selenium.webdriver")
Until = Callable[..., None]

FLAGS = ["--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run", "--disable-quic", "--no-proxy-server", "--window-size=390,844"]
PICTURE = """
const from = document.getElementById("picture");
const to = Object.assign(document.createElement("canvas"), {width: from.width, height: from.height});
to.getContext("2d").drawImage(from, 0, 0);
return [from.width, Array.from(to.getContext("2d").getImageData(0, 0, from.width, 60).data)
  .reduce((sum, value, index) => (sum * 31 + value * (index % 97)) % 1000003, 7)];
"""
HIDE = """
Object.defineProperty(document, "hidden", {configurable: true, get: () => arguments[0]});
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    browser = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    for flag in [*FLAGS, *root, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "*")
    patch.setenv("no_proxy", "*")
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield made
    made.quit()
    patch.undo()


@pytest.fixture
def phone(chromium: Any, box: Box, until: Until) -> Iterator[Any]:
    """Signed in by the invitation's address; afterwards elsewhere."""
    chromium.get(box.server.sign_in_address)
    until(lambda: chromium.current_url == box.server.address)
    until(lambda: text(chromium, "state") == "REC")
    yield chromium
    leave(chromium, box, until)


def leave(browser: Any, box: Box, until: Until) -> None:
    """Nothing of this visit stays: no cookie, no stream, no connection kept for later."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    until(lambda: box.app.cameras["front"].jpeg.watchers == 0)
    box.hang_up()


def text(browser: Any, name: str) -> str:
    found: str = browser.execute_script(f"const e = document.getElementById('{name}'); return e ? e.textContent : ''")
    return found


def hidden(browser: Any, name: str) -> bool:
    return bool(browser.execute_script(f"return document.getElementById('{name}').hidden"))


def complaints(browser: Any) -> list[str]:
    """What the console says, but for the 401 of somebody not signed in yet."""
    return [line["message"] for line in browser.get_log("browser") if " 401 " not in line["message"]]


def test_the_invitation_opens_the_page_and_the_picture_moves(phone: Any, box: Box, until: Until) -> None:
    assert "key" not in phone.current_url
    assert phone.execute_script("return document.cookie") == ""  # scripts cannot read it
    until(lambda: hidden(phone, "veil"))
    seen = set()
    until(lambda: seen.add(tuple(phone.execute_script(PICTURE))) or len(seen) > 5)
    assert {width for width, _ in seen} == {320}
    assert phone.execute_script("return document.getElementById('strip').dataset.state") == "well"
    until(lambda: text(phone, "watching") == "1 watching")
    assert box.app.cameras["front"].jpeg.watchers == 1
    assert complaints(phone) == []


def test_a_hidden_page_lets_the_stream_go_and_takes_it_again(phone: Any, box: Box, until: Until) -> None:
    jpeg = box.app.cameras["front"].jpeg
    until(lambda: jpeg.watchers == 1)
    phone.execute_script(HIDE, True)
    until(lambda: jpeg.watchers == 0 and jpeg.inbox.paused)
    phone.execute_script(HIDE, False)
    until(lambda: jpeg.watchers == 1)
    until(lambda: hidden(phone, "veil") and text(phone, "state") == "REC")


def test_a_picture_that_stops_says_so_at_once(
    phone: Any, box: Box, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: hidden(phone, "veil"))
    monkeypatch.setattr(box.app.cameras["front"].hub, "publish", lambda frame: frame.close())
    until(lambda: not hidden(phone, "veil"))
    assert text(phone, "veil-title") == "PICTURE STOPPED"
    monkeypatch.undo()
    until(lambda: hidden(phone, "veil"))


def test_the_page_says_what_the_window_says(
    phone: Any, box: Box, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Camera that never came, pause, slow card: the words are app.words'."""
    well = box.app.status()
    (camera,) = well.cameras
    until(lambda: hidden(phone, "veil"))

    def say(**changes: Any) -> None:
        seen = replace(camera, **{k: v for k, v in changes.items() if k in ("frames", "state", "words")})
        recording = replace(camera.recording, **changes.get("recording", {}))
        now = replace(well, recording=recording.state, cameras=(replace(seen, recording=recording),))
        monkeypatch.setattr(box.app, "status", lambda: now)

    say(recording={"state": "paused", "resumes_in_s": 530.0})
    until(lambda: text(phone, "state") == "RECORDING PAUSED")
    assert text(phone, "why") == "goes on by itself in 9 min"
    say(recording={"late": True, "unsynced_s": 3.0})
    until(lambda: text(phone, "state") == "CARD SLOW")
    monkeypatch.setattr(box.app.cameras["front"].hub, "publish", lambda frame: frame.close())
    say(frames=0, state="fault", words="no camera (cable?)")
    until(lambda: text(phone, "veil-title") == "NO CAMERA")
    assert text(phone, "veil-words") == "no camera (cable?)"
    monkeypatch.undo()
    until(lambda: hidden(phone, "veil") and text(phone, "state") == "REC")


def test_recording_is_stopped_by_a_hold_and_started_by_a_tap(
    phone: Any, box: Box, until: Until, expected_alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(box.app, "pause", lambda seconds: asked.append(seconds))
    monkeypatch.setattr(box.app, "resume", lambda: asked.append("resume"))
    button = phone.find_element("id", "record")
    actions = webdriver.ActionChains(phone)
    actions.move_to_element(button).click().perform()
    assert text(phone, "notice") == "Keep holding to stop recording."
    assert not phone.execute_script("return document.getElementById('sheet').open")
    webdriver.ActionChains(phone).move_to_element(button).click_and_hold().perform()
    until(lambda: phone.execute_script("return document.getElementById('sheet').open"))
    webdriver.ActionChains(phone).release().perform()
    phone.find_elements("css selector", "#choices button")[1].click()
    until(lambda: asked == [600])
    # In one step: the page looks at the status every second, and would take the word off again.
    phone.execute_script("const b = document.getElementById('record'); b.classList.add('stopped'); b.click()")
    until(lambda: asked[-1] == "resume")
    assert complaints(phone) == []


def test_mark_is_saved_when_the_page_says_so_counts_down_and_can_be_undone(phone: Any, box: Box, until: Until) -> None:
    assert text(phone, "mark-more") == "keep this moment" and hidden(phone, "mark-choices")
    phone.find_element("id", "mark").click()
    until(lambda: text(phone, "notice") == "Saved: 30 s before to 60 s after")
    (mark,) = (m for m in box.app.marking.marks() if not m.undone)
    assert (mark.by, mark.state) == ("page", "asked")
    until(lambda: text(phone, "mark-more").startswith("keeping, "))
    before = phone.find_element("id", "mark").rect
    phone.find_element("id", "mark").click()
    until(lambda: text(phone, "notice") == "Saved: 60 s more from now")
    assert phone.find_element("id", "mark").rect == before, "nothing else comes under the finger"
    until(lambda: not hidden(phone, "mark-choices"))
    phone.find_element("id", "undo").click()
    until(lambda: text(phone, "notice") == "Undone: this mark keeps nothing any more")
    until(lambda: text(phone, "mark-more") == "keep this moment")
    assert hidden(phone, "mark-choices") and text(phone, "notice") != "Kept."
    assert box.app.marking.marks()[-1].undone
    assert complaints(phone) == []


def test_a_mark_that_is_refused_or_waits_is_said(
    phone: Any, box: Box, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box.app.marking, "_refusal", lambda mark: "Not kept: marks have their share")
    phone.find_element("id", "mark").click()
    until(lambda: text(phone, "notice") == "Not kept: marks have their share.")
    waits = replace(box.app.status(), marks=MarkStatus(waiting=1, words="The card does not answer"))
    monkeypatch.setattr(box.app, "status", lambda: waits)
    until(lambda: text(phone, "mark-more") == "waits for the card")


def test_the_page_sounds_what_the_box_sounds(
    phone: Any, box: Box, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.execute_script(
        "window.heard = []; document.addEventListener('blackbox-sound', (event) => window.heard.push(event.detail))"
    )
    phone.find_element("id", "strip").click()  # a touch opens the way
    now = box.app.status()

    def count(alarms: int, chimes: int) -> None:
        status = replace(now, alarm=AlarmStatus(alarms=alarms, chimes=chimes))
        monkeypatch.setattr(box.app, "status", lambda: status)

    def heard() -> list[str]:
        return list(phone.execute_script("return window.heard"))

    count(7, 3)
    until(lambda: heard() != [] or box.app.status().alarm.alarms == 7)
    polls = "return performance.getEntriesByType('resource').filter((r) => r.name.endsWith('/status')).length"
    before = phone.execute_script(polls)
    until(lambda: phone.execute_script(polls) > before + 1)
    phone.execute_script("window.heard.length = 0")
    count(8, 3)
    until(lambda: heard() == ["alarm"])
    count(8, 4)
    until(lambda: heard() == ["alarm", "chime"])
    assert not [said for said in complaints(phone) if "alarm.js" in said]


def test_a_box_that_cannot_be_reached_is_no_red_dot(phone: Any, until: Until) -> None:
    phone.execute_script("window.fetch = async () => { throw new TypeError('gone') }")
    until(lambda: text(phone, "state") == "NO CONNECTION")
    assert phone.execute_script("return document.getElementById('strip').dataset.state") == "unknown"
    until(lambda: not hidden(phone, "veil"))


def test_a_wrong_key_gets_words_and_a_typed_one_opens(chromium: Any, box: Box, until: Until) -> None:
    chromium.get(box.server.address)
    until(lambda: chromium.current_url.endswith("/sign-in"))
    form = chromium.find_element("id", "key")
    form.send_keys("wrong-key\n")
    until(lambda: text(chromium, "wrong") == "That is not this box's key.")
    assert box.server.access is not None
    form.clear()
    form.send_keys(box.server.access.key.upper() + "\n")
    until(lambda: chromium.current_url == box.server.address)
    until(lambda: text(chromium, "state") == "REC")
    chromium.find_element("id", "leave").click()
    until(lambda: chromium.current_url.endswith("/sign-in"))
    chromium.get(box.server.address)
    assert chromium.current_url.endswith("/sign-in")
    leave(chromium, box, until)


def test_the_plain_image_tag_works_too(phone: Any, box: Box, until: Until) -> None:
    """`<img src="/video_feed">`, the address that others' pages use."""
    phone.execute_script(
        "const i = document.createElement('img'); i.id = 'plain'; i.src = '/video_feed'; document.body.append(i)"
    )
    until(lambda: phone.execute_script("return document.getElementById('plain').naturalWidth") == 320)
    assert box.app.cameras["front"].jpeg.watchers == 2


def test_a_snapshot_is_saved_under_a_name_with_its_time(phone: Any, tmp_path: Path, until: Until) -> None:
    phone.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    phone.find_element("id", "snapshot").click()
    until(lambda: any(path.suffix == ".jpg" for path in tmp_path.iterdir()))
    (saved,) = (path for path in tmp_path.iterdir() if path.suffix == ".jpg")
    assert text(phone, "notice") == f"Saved {saved.name}"
    assert saved.name.startswith("front_2")


def test_a_phone_that_opens_the_page_tells_the_time(
    chromium: Any, box: Box, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "_visitor", lambda _: "10.42.0.7")
    complaints(chromium)  # of earlier visits
    with running(settings(tmp_path)) as own:
        chromium.get(own.server.sign_in_address)
        until(lambda: [one.source for one in own.app.time.mine if one.source == "phone"] == ["phone"])
        assert complaints(chromium) == []
        leave(chromium, own, until)
    box.hang_up()  # Chromium may have kept a connection ready to where it was before
