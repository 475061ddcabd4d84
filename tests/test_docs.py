"""What the documents name must exist: commands and options, settings, files, links, and the sentences they explain."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from blackbox_qt.__main__ import _COMMANDS, _parser
from blackbox_qt.commands.settings import configuration
from blackbox_qt.config import CameraConfig, Config, ConfigError, load
from blackbox_qt.config_words import section_model
from blackbox_qt.storage.status import LOSS_BOUND

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "packaging" / "README.md"])
LANGUAGES = ("", "sh", "console")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_OTHERS_OPTIONS = {"--no-install-recommends", "--system-site-packages", "--edit", "--tuning-file"}
"""Of apt, venv, rpi-eeprom-config and rpicam-hello."""


@cache
def text(page: Path) -> str:
    return page.read_text()


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Code blocks of these languages; indented ones count as having none."""
    whole = text(page)
    yield from (found[2] for found in _FENCE.finditer(whole) if found[1] in languages)
    if "" in languages:
        yield from (found[0] for found in _INDENTED.finditer(_FENCE.sub("", whole)))


def inline(page: Path) -> list[str]:
    return _CODE.findall(_FENCE.sub("", text(page)))


# ---- commands


def commands(page: Path) -> Iterator[list[str]]:
    """Arguments of every `blackbox-qt ...` and `./dev run ...` that could be typed."""
    for block in blocks(page, *LANGUAGES):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _typed(line)
    for code in inline(page):
        yield from _typed(code)


def _typed(line: str) -> Iterator[list[str]]:
    found = re.match(r"\s*(?:sudo )?(?:/usr/bin/)?(blackbox-qt|\./dev run)(?: (.*))?$", line)
    if found is None or (found[1] == "blackbox-qt" and not found[2]):
        return
    rest = re.split(r"\s#|\s>>?\s|\s\||\s&&", " " + (found[2] or ""))[0]
    if "…" in rest or "COMMAND" in rest:
        return
    for alternative in _alternatives(shlex.split(rest)):
        yield [word for word in alternative if not word.startswith("[") and not word.endswith("]")]


def _alternatives(words: list[str]) -> Iterator[list[str]]:
    """hotspot on|off -> hotspot on, hotspot off."""
    several = next((word for word in words if "|" in word and not word.startswith("[")), None)
    for choice in several.split("|") if several else [""]:
        yield [choice if word is several else word for word in words]


def test_commands_can_be_typed_as_they_stand() -> None:
    refused = [(names(page), " ".join(words)) for page in PAGES for words in commands(page) if not accepted(words)]
    assert not refused


def accepted(words: list[str]) -> bool:
    """Whether the program's own parser takes them, and its configuration their --set."""
    try:
        args = _parser().parse_args(words if words and words[0] in _COMMANDS else ["run", *words])
        args.config = None
        if getattr(args, "settings", None):
            configuration(args)
    except (SystemExit, ConfigError):
        return False
    return True


def test_a_command_that_is_not_there_would_be_found() -> None:
    assert list(_typed("sudo blackbox-qt hotspot on|off  # its Wi-Fi")) == [["hotspot", "on"], ["hotspot", "off"]]
    assert list(_typed("blackbox-qt doctor --report > report.md")) == [["doctor", "--report"]]
    assert accepted(["doctor", "--report"]) and not accepted(["doctor", "--nonsense"])
    assert accepted(["bench", "--set", "record.threads=2"]) and not accepted(["bench", "--set", "record.nonsense=2"])


def test_the_documents_do_name_commands() -> None:
    found = {words[0] for page in PAGES for words in commands(page) if words}
    assert {"doctor", "bench", "cameras", "camera-test", "check", "hotspot", "power", "snapshot"} <= found


def test_options_named_alone_exist() -> None:
    ours = {option for parser in parsers() for option in parser._option_string_actions}
    named = {(names(page), code) for page in PAGES for code in inline(page) if re.fullmatch(r"--[a-z-]+", code)}
    assert len(named) > 3
    assert not {(page, code) for page, code in named if code not in ours | _OTHERS_OPTIONS}


def parsers() -> list[argparse.ArgumentParser]:
    top = _parser()
    below = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return [top, *below.choices.values()]


# ---- settings

_SECTIONS = {name: section_model(field) for name, field in Config.model_fields.items()}


def settings() -> Iterator[tuple[str, str, str]]:
    """(page, section, key) of everything written like a setting."""
    for page in PAGES:
        for code in inline(page):
            found = re.match(r"([a-z]+)\.([a-z_]+)(?:$| ?=)", code)
            if found and found[1] in _SECTIONS and found[2] not in ("py", "toml", "md"):
                yield names(page), found[1], found[2]


def test_settings_exist() -> None:
    assert len(set(settings())) > 10
    wrong = []
    for page, section, key in settings():
        model = _SECTIONS[section]
        if model is None or key not in model.model_fields:
            wrong.append((page, f"{section}.{key}"))
    assert not wrong


def test_pieces_of_the_configuration_file_are_accepted(tmp_path: Path) -> None:
    pieces = [block for page in PAGES for block in blocks(page, "toml")]
    assert len(pieces) > 2
    for number, block in enumerate(pieces):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load(file)


def test_the_years_of_a_card_are_those_of_the_default_bitrate() -> None:
    install = text(ROOT / "docs" / "INSTALL.md")
    mbit = Config().record.bitrate_kbit / 1000
    assert f"{mbit:g} Mbit/s ÷ 8" in install and Config().storage.fragment_ms == 250
    measured = re.search(r"([\d.]+) MB reached the disk for a file of ([\d.]+) MB", install)
    assert measured and round(float(measured[1]) / float(measured[2]), 2) == 1.13
    a_year = mbit / 8 * 3.6 * 1.13 * 365 / 1000  # TB, for a camera and an hour a day
    assert round(a_year, 1) == 1.5
    for row in re.findall(r"^\| (\d+) TB .*?\|(.*)\|$", install, re.MULTILINE):
        hours = (1, 2, 4, 16, 48)  # cameras times hours a day
        for told, each in zip(row[1].split("|"), hours, strict=True):
            assert float(told) == pytest.approx(int(row[0]) / 2 / (1.5 * each), rel=0.1, abs=0.5), row
    assert f"{2 * mbit / 8 * 3.6:g} GB an hour" in install


# ---- files and links

_OURS = re.compile(r"^(?:/etc/blackbox|/srv/blackbox|/var/lib/blackbox|/run/blackbox|/usr/(?:bin|lib)/blackbox)")
_NOT_INSTALLED = ("/srv/blackbox/", "/var/lib/blackbox-qt/access-key")  # made by the program
_FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|md|sh|toml|service|rules|js|txt)")


@cache
def installed() -> str:
    """What the package's sources say about places on the system."""
    folder = ROOT / "packaging"
    sources = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".svg" and p.name != "README.md"]
    return "\n".join(p.read_text() for p in sources)


def test_places_on_the_system_are_the_packages() -> None:
    words = {(names(page), word.strip(",;:")) for page in PAGES
             for word in [*inline(page), *" ".join(blocks(page, *LANGUAGES)).split()]}  # fmt: skip
    ours = {(page, word) for page, word in words if _OURS.match(word) and not word.startswith(_NOT_INSTALLED)}
    assert len(ours) > 5
    assert not {(page, word) for page, word in ours if word not in installed()}


def test_files_and_units_exist() -> None:
    near = [ROOT, ROOT / "blackbox_qt", ROOT / "tests", ROOT / "tests" / "lab", ROOT / "packaging"]
    units = ROOT / "packaging" / "systemd"
    wrong = []
    for page in PAGES:
        for code in inline(page):
            is_file = _FILE.fullmatch(code) and not any((folder / code).exists() for folder in (*near, page.parent))
            is_unit = re.fullmatch(r"blackbox-\w+\.service", code) and not (units / code).exists()
            if is_file or is_unit:
                wrong.append((names(page), code))
    assert not wrong


def test_links_lead_somewhere() -> None:
    links = [(page, target) for page in PAGES for target in _LINK.findall(text(page)) if "://" not in target]
    assert len(links) > 20
    assert not [(names(page), target) for page, target in links if not leads(page, target)]


def leads(page: Path, target: str) -> bool:
    """Whether there is such a file, and such a heading in it."""
    file, _, heading = target.partition("#")
    to = (page.parent / file).resolve() if file else page
    return to.exists() and (not heading or heading in anchors(to))


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---- sentences

_SAYS = "| it says |"
_LEAST = 4  # letters: shorter pieces are found anywhere


@cache
def sentences() -> str:
    """All text in the program: literals, and the pieces of f-strings; and the page's own words."""
    found = [(ROOT / "resources" / "web" / "words.js").read_text()]
    for path in sorted((ROOT / "blackbox_qt").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def quoted() -> Iterator[tuple[str, str]]:
    """(piece, row) of what stands in the first column of tables that explain what the program says; … is anything."""
    whole = text(ROOT / "docs" / "TROUBLESHOOTING.md")
    for table in re.findall(rf"^{re.escape(_SAYS)}.*\n\|[-|]+\|\n((?:\|.*\n)+)", whole, re.MULTILINE):
        for row in table.splitlines():
            for code in _CODE.findall(row.split(" | ")[0]):
                yield from ((piece.strip(), row) for piece in code.split("…") if len(piece.strip()) >= _LEAST)


def test_what_the_program_is_said_to_say_it_says() -> None:
    pieces = list(quoted())
    assert len(pieces) > 60
    wrong = [piece for piece, _ in pieces if piece not in sentences()]
    assert not wrong


def test_the_default_camera_is_a_test_picture_but_not_on_an_installed_box() -> None:
    assert CameraConfig().source == "pattern" and "(a test picture, until you name a source)" in text(
        ROOT / "README.md"
    )
    assert 'source = "auto"' in text(ROOT / "packaging/deb/conffile.sh") and '`source = "auto"`' in text(
        ROOT / "docs" / "INSTALL.md"
    )


# ---- proofs

_PROOF = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def test_the_proofs_that_are_named_exist() -> None:
    """RELIABILITY.md says of every fault which test proves it."""
    named = [(names(page), file, test) for page in PAGES for file, test in _PROOF.findall(text(page))]
    assert len(named) > 50
    assert not [(page, file, test) for page, file, test in named if test not in known_tests(file)]


@cache
def known_tests(file: str) -> frozenset[str]:
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_the_loss_bound_is_said_in_the_same_words() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "RELIABILITY.md"):
        assert LOSS_BOUND in " ".join(text(page).split()), names(page)
