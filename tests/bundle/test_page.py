"""report.html: whole, safe, and without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from blackbox_qt.bundle import make_bundle

from .conftest import NOTE, Place


@pytest.fixture(scope="module")
def text(marked_drive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    made = make_bundle(Place(marked_drive, tmp_path_factory.mktemp("out") / "incident").request())
    return (made.path / "report.html").read_text("utf-8")


class _Tags(HTMLParser):
    """Every tag with its attributes, and whether all are closed."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    assert not parser.open
    return parser.found


def test_it_needs_no_network_and_runs_nothing(text: str, tags: list[tuple[str, dict[str, str | None]]]) -> None:
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for _, attributes in tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            if name in ("src", "href"):
                assert re.match(r"data:image/jpeg;base64,|viewing/[a-z0-9-]+\.mp4$", value or ""), value
    assert not re.search(r"url\(|@import|https?://", text)


def test_what_people_wrote_is_text(text: str) -> None:
    assert "<b>" not in text and NOTE not in text
    assert "a &lt;b&gt;lorry&lt;/b&gt; &amp; &#x27;so on&#x27;" in text


def test_it_says_what_it_must(text: str) -> None:
    for words in (
        "What this shows", "What it does not show", "Every file is as it was when it was finished and signed.",
        "2026-11-20 14:07:31 KST · phone ±1 s", "gap of 3.0", "prefers-color-scheme:dark", "@media print",
        "sha256sum -c SHA256SUMS", "openssl pkeyutl -verify", "that the scene was real", "dated later by phone",
        "kept by mark mark-000001", "proven by nothing",
    ):  # fmt: skip
        assert words.lower() in text.lower(), words
    assert text.count("data:image/jpeg;base64,") == 6 and len(text) < 500_000
    for name in ("front", "rear"):
        assert len(re.findall(rf"<span class='time'>{name}-000001-0000\d</span>.*?[0-9a-f]{{64}}", text)) == 4
