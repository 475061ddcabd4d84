"""What was recorded, over the network: found by camera, trip, mark and time; files whole or in parts; nothing leaks."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock
from blackbox_qt.web.segment_file import span
from tests.storage.fakes import SECOND, START_NS, UTC_OFFSET_NS, Bench, FakeClock, clip, record, steady
from tests.storage.test_healing import torn

from .conftest import Box, running, settings

Until = Callable[..., None]
TRIPS, SEGMENTS = "/api/v1/recordings?library=recordings", "/api/v1/segments?library=recordings"


@pytest.fixture
def own(tmp_path: Path, until: Until) -> Iterator[Box]:
    """A box that has recorded two trips before: two cameras, one segment ended by power loss, one kept by a mark."""
    data = tmp_path / "data"
    for camera in ("front", "rear"):
        record(data, clip(steady(70), camera=camera), segment_s=1)
    later = Bench(data)
    later.clock.machine_boot = "later"
    later.feed(clip(steady(30, start_ns=START_NS + 3600 * SECOND)))
    later.recording.abandon()
    Library(Disk(), data / "recordings", FakeClock()).lock(SegmentName("rear", 2, 1), Lock("m-7", "manual", "me"))
    with running(settings(tmp_path)) as made:
        until(lambda: made.app.libraries["recordings"].loaded.is_set())
        yield made


def test_trips_the_newest_first(own: Box) -> None:
    answer = own.owner().ask(TRIPS).json
    assert (answer["library"], answer["complete"]) == ("recordings", True)
    newest, oldest = answer["trips"]
    assert (newest["number"], newest["power_losses"], newest["segments"]) == (3, 1, 1)
    assert (oldest["number"], oldest["starts"], oldest["cameras"]) == (1, [1, 2], ["front", "rear"])
    assert oldest["marks"] == ["m-7"] and oldest["utc_ns"] == START_NS + UTC_OFFSET_NS


def test_segments_by_camera_trip_mark_and_time(own: Box) -> None:
    owner = own.owner()

    def names(more: str) -> list[str]:
        return [one["name"] for one in owner.ask(SEGMENTS + more).json["segments"]]

    assert len(names("")) == 7
    assert names("&camera=rear&trip=1") == [f"rear-000002-{n:05d}" for n in (1, 2, 3)]
    assert names("&mark=m-7") == ["rear-000002-00001"]
    assert names("&trip=3") == ["front-000003-00001"]
    hour = (START_NS + UTC_OFFSET_NS) // 10**6 + 3_600_000
    assert names(f"&since_ms={hour}") == ["front-000003-00001"]
    assert len(names(f"&until_ms={hour - 1000}")) == 6
    page = owner.ask(SEGMENTS + "&limit=2&offset=4").json
    assert page["total"] == 7 and [one["name"][:5] for one in page["segments"]] == ["rear-", "rear-"]
    (cut,) = owner.ask(SEGMENTS + "&trip=3").json["segments"]
    assert cut["words"].startswith("ended by power loss, ")


def test_without_a_name_it_is_the_library_in_use(own: Box) -> None:
    assert own.owner().ask("/api/v1/recordings").json["library"] == "demo"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("library=x", "library = x is not allowed; allowed: recordings or demo."),
        ("trip=0", "trip = 0 is not allowed; allowed: a trip's number, from 1."),
        ("limit=1001", "limit = 1001 is not allowed; allowed: a whole number from 1 to 1000."),
        ("since_ms=yesterday", "since_ms = yesterday is not allowed; allowed: a whole number of ms since 1970."),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_words(box: Box, more: str, words: str) -> None:
    answer = box.owner().ask(f"/api/v1/segments?{more}")
    assert (answer.status, answer.error) == (422, words)


def test_a_file_whole_and_in_parts(own: Box, tmp_path: Path) -> None:
    owner = own.owner()
    path = tmp_path / "data" / "recordings" / "000001" / "front-000001-00001.mp4"
    data, address = path.read_bytes(), "/recordings/recordings/front-000001-00001.mp4"
    whole = owner.ask(address)
    assert (whole.status, whole.header("content-type"), whole.header("accept-ranges")) == (200, "video/mp4", "bytes")
    assert whole.body == data
    size = len(data)
    for asked, part in {
        "bytes=0-0": data[:1],
        "bytes=100-299": data[100:300],
        f"bytes={size - 5}-": data[-5:],
        "bytes=-7": data[-7:],
        f"bytes=5-{size + 99}": data[5:],
    }.items():
        got = owner.ask(address, Range=asked)
        assert (got.status, got.body) == (206, part), asked
        assert got.header("content-length") == str(len(part))
        begin = data.find(part) if len(part) > 7 else int(got.header("content-range")[6:].partition("-")[0])
        assert got.header("content-range") == f"bytes {begin}-{begin + len(part) - 1}/{size}"
    head = owner.ask(address, "HEAD")
    assert (head.status, head.header("content-length"), head.body) == (200, str(size), b"")


def test_parts_that_make_no_sense(own: Box) -> None:
    owner, address = own.owner(), "/recordings/recordings/front-000001-00001.mp4"
    beyond = owner.ask(address, Range="bytes=99999999-")
    assert (beyond.status, beyond.error) == (416, "The recording has no such bytes.")
    assert beyond.header("content-range").startswith("bytes */")
    for ignored in ("bytes=9-3", "pictures=1-2", "bytes=0-1,5-6", "bytes=-", "bytes=a-b"):
        assert owner.ask(address, Range=ignored).status == 200, ignored
    etag = owner.ask(address).header("etag")
    assert owner.ask(address, Range="bytes=0-9", **{"If-Range": etag}).status == 206
    assert owner.ask(address, Range="bytes=0-9", **{"If-Range": '"another"'}).status == 200


def test_spans() -> None:
    assert span("", 10) == span("bytes=0-", 10) == span("bytes = 0 - 99", 10) == (0, 10)
    assert span("bytes=-3", 10) == (7, 10) and span("bytes=-99", 10) == (0, 10)
    assert span("bytes=10-", 10) is None and span("bytes=-0", 10) is None and span("bytes=0-", 0) is None


@pytest.mark.parametrize(
    "name",
    [
        "front-000001-00099", "front-1-1", "..%2f..%2fboots", "%2e%2e", "front-000001-00001.mp4",
        "front-000001-00001.json", "boots", "front-000003-00001%00", "front-0000001-00001",
    ],
)  # fmt: skip
def test_only_finished_recordings_are_files(own: Box, name: str) -> None:
    answer = own.owner().ask(f"/recordings/recordings/{name}.mp4")
    assert answer.status == 404 and answer.error
    assert own.owner().ask(f"/recordings/elsewhere/{name}.mp4").status in (404, 422)


def test_one_that_is_being_written_is_not_sent(own: Box) -> None:
    writing = own.app.cameras["front"].status().recording.segment
    assert own.owner().ask(f"/recordings/demo/{writing}.mp4").status == 404


def test_one_that_was_removed_behind_the_librarys_back(own: Box, tmp_path: Path) -> None:
    (tmp_path / "data" / "recordings" / "000001" / "front-000001-00001.mp4").unlink()
    answer = own.owner().ask("/recordings/recordings/front-000001-00001.mp4")
    assert (answer.status, answer.error) == (404, "There is no finished recording 'front-000001-00001' here.")


def test_a_disk_that_cannot_be_read_is_said(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = own.app.libraries["recordings"].disk
    real = disk.open_read

    def refuse(path: Path) -> int:
        if path.suffix != ".mp4":  # the janitor's own reading goes on
            return real(path)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "open_read", refuse)
    answer = own.owner().ask("/recordings/recordings/front-000001-00001.mp4")
    assert (answer.status, answer.error) == (503, "front-000001-00001 cannot be read: Input/output error.")


def test_a_card_that_stalls_holds_up_nobody_else(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    disk = own.app.libraries["recordings"].disk
    real = disk.open_read

    def stall(path: Path) -> int:
        inside.set()
        assert go_on.wait(20)
        return int(real(path))

    monkeypatch.setattr(disk, "open_read", stall)
    asked = socket.create_connection(own.server._listener.socket.getsockname())
    key = own.server.access.key  # type: ignore[union-attr]
    with asked:
        line = "GET /recordings/recordings/front-000001-00001.mp4 HTTP/1.1\r\nHost: x\r\n"
        asked.sendall(f"{line}Authorization: Bearer {key}\r\nConnection: close\r\n\r\n".encode())
        assert inside.wait(10)
        assert own.owner().ask("/api/v1/status").status == 200
        go_on.set()
        answer = b""
        while more := asked.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200")


def test_visitors_that_go_away_leave_no_file_open(own: Box, tmp_path: Path, until: Until) -> None:
    path = tmp_path / "data" / "recordings" / "000001" / "front-000001-00002.mp4"
    big = path.with_name("front-000001-00009.mp4")
    big.write_bytes(path.read_bytes() + bytes(64 << 20))
    own.app.libraries["recordings"].look(path.parent, SegmentName("front", 1, 9))
    key = own.server.access.key  # type: ignore[union-attr]
    for _ in range(4):
        with socket.create_connection(own.server._listener.socket.getsockname()) as visitor:
            line = "GET /recordings/recordings/front-000001-00009.mp4 HTTP/1.1\r\nHost: x\r\n"
            visitor.sendall(f"{line}Authorization: Bearer {key}\r\n\r\n".encode())
            assert visitor.recv(1000).startswith(b"HTTP/1.1 200")
    until(lambda: not _is_open(big))
    whole = own.owner().ask("/recordings/recordings/front-000001-00009.mp4").body
    assert hashlib.sha256(whole).digest() == hashlib.sha256(big.read_bytes()).digest()


def _is_open(path: Path) -> bool:
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return str(path) in links


def test_too_many_at_once_are_refused(own: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackbox_qt.web.recordings.MOST_FILES", 0)
    answer = own.owner().ask("/recordings/recordings/front-000001-00001.mp4")
    assert answer.status == 503 and answer.error.startswith("Too many recordings")


def test_healing_is_not_needed_to_look(tmp_path: Path, until: Until) -> None:
    """What an earlier start left open is healed by then, and can be fetched."""
    part = torn(tmp_path / "data")
    with running(settings(tmp_path)) as made:
        until(lambda: made.app.libraries["recordings"].loaded.is_set())
        got = made.owner().ask("/recordings/recordings/front-000001-00001.mp4")
        assert got.status == 200 and got.body == part.with_name("front-000001-00001.mp4").read_bytes()
