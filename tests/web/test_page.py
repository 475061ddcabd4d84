"""The page's files: whole, from here only, readable, and in the token file's colours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from blackbox_qt.core import resources
from blackbox_qt.web import pages
from blackbox_qt.web.gate import SECURITY_HEADERS

from .conftest import Box

FOLDER = resources.path("web")
SOURCES = sorted(path for path in FOLDER.iterdir())


def test_every_file_is_served_and_none_else_lies_there(box: Box) -> None:
    assert {path.name for path in SOURCES} == set(pages.FILES.values())
    for address, name in pages.FILES.items():
        answer = box.owner().ask(address)
        assert (answer.status, answer.body) == (200, (FOLDER / name).read_bytes())


def test_every_address_in_the_files_exists() -> None:
    known = {*pages.FILES, pages.TOKENS}
    for path in SOURCES:
        for address in re.findall(r'(?:src|href)="([^"]+)"|from "([^"]+)"', path.read_text()):
            assert "".join(address) in known, path.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert "//" not in re.sub(r"(?m)(^|\s)//\s.*$|/\*.*?\*/", "", text)
    assert not re.search(
        r"\son\w+=|<style|style=|javascript:|<script(?![^>]*\ssrc=)|@import|url\(|eval\(|innerHTML", text
    )


def test_the_policy_allows_no_inline_scripts() -> None:
    policy = dict(SECURITY_HEADERS)[b"content-security-policy"]
    assert b"unsafe" not in policy


def tokens() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(resources.path("tokens.json").read_text())
    return found


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["day", "night"])
def test_colours_can_be_read(theme: str) -> None:
    colours = tokens()[theme]
    assert set(colours) == {"background", "surface", "ink", "muted", "accent", "recording", "warning", "ok"}
    for ground in ("background", "surface"):
        for ink in ("ink", "muted", "accent", "recording"):
            assert contrast(colours[ink], colours[ground]) >= 4.4 + 0.1 * (ground == "surface"), (ink, ground)


def test_the_strip_can_be_read_over_any_picture() -> None:
    night = tokens()["night"]
    assert contrast(night["ink"], night["surface"]) >= 7
    for alarm in ("recording", "warning"):
        assert contrast("#000000", night[alarm]) >= 7


def test_the_tokens_become_variables(box: Box) -> None:
    css = box.visitor().ask("/public/tokens.css").body.decode()
    for name, value in tokens()["day"].items():
        assert f"--{name}: {value};" in css
    assert css.count("--night-ink: #D5DCE3;") == 1
    used = {
        name for path in SOURCES if path.suffix == ".css" for name in re.findall(r"var\((--[\w-]+)\)", path.read_text())
    }
    assert used <= set(re.findall(r"(--[\w-]+):", css))
