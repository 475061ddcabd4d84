"""What stands in the package's sources. ./dev package builds it, tests/lab/test_package.py boots it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import blackbox_qt
from blackbox_qt.config import Config, load

ROOT = Path(__file__).parents[2]
DEB = ROOT / "packaging/deb"

# Which apt package brings a requirement of pyproject.toml; the others come as wheels (build.sh).
FROM_APT = {
    "numpy": "python3-numpy",
    "pydantic": "python3-pydantic",
    "fastapi": "python3-fastapi",
    "uvicorn": "python3-uvicorn",
    "segno": "python3-segno",
    "gpiod": "python3-libgpiod",
    "cryptography": "python3-cryptography",
    "pyside6-essentials": "python3-pyside6.qtwidgets",
}


def paragraphs(path: Path) -> list[dict[str, str]]:
    """Debian's control format: "Field: value", continued by indented lines."""
    found = []
    for block in re.split(r"\n\s*\n", path.read_text().strip()):
        fields = re.split(r"^(?=\S[^:\n]*:)", block, flags=re.M)
        found.append({k: v.strip() for k, _, v in (field.partition(":") for field in fields if field)})
    return found


def relations(field: str) -> dict[str, str]:
    """{package: version relation} of Depends and its like; a package named twice keeps both."""
    found: dict[str, str] = {}
    for word in (w.strip() for w in field.split(",")):
        name, _, version = word.partition(" ")
        if name and not name.startswith("$"):
            found[name] = (found.get(name, "") + version).strip()
    return found


@pytest.fixture(scope="module")
def package() -> dict[str, str]:
    return paragraphs(DEB / "control")[1]


@pytest.fixture(scope="module")
def wheels() -> list[str]:
    found = re.search(r"^wheels=\((.*)\)$", (DEB / "build.sh").read_text(), re.M)
    assert found
    return found[1].split()


def requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["window"]]


def test_the_package_is_for_the_pi_and_for_a_pc(package: dict[str, str]) -> None:
    assert package["Package"] == "blackbox-qt"
    assert package["Architecture"].split() == ["amd64", "arm64"]


def test_every_requirement_comes_from_apt_or_as_a_wheel(package: dict[str, str], wheels: list[str]) -> None:
    apt = relations(package["Depends"]) | relations(package["Recommends"])
    for line in requirements():
        name = re.match(r"[\w.-]+", line)[0].lower()  # type: ignore[index]
        assert (name in wheels) != (FROM_APT.get(name) in apt), line


def test_apt_is_asked_for_what_pyproject_asks_for(package: dict[str, str]) -> None:
    apt = relations(package["Depends"]) | relations(package["Recommends"])
    for line in requirements():
        found = re.match(r"([\w.-]+)>=([\d.]+)", line)
        assert found, line
        if (
            name := FROM_APT.get(found[1].lower())
        ) and name != "python3-numpy":  # trixie's is 2, whatever we could bear
            assert apt[name] == f"(>= {found[2]})", line


def test_wheels_are_of_versions_that_are_pinned(wheels: list[str]) -> None:
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "packaging/constraints.txt").read_text().splitlines()}
    assert set(wheels) <= pinned


def test_the_wheels_are_for_the_python_that_is_depended_on(package: dict[str, str]) -> None:
    abi = re.search(r"^python_abi=(\S+)", (DEB / "build.sh").read_text(), re.M)
    assert abi and abi[1] == "3.13"
    assert relations(package["Depends"])["python3"] == "(>= 3.13)(<< 3.14)"


def test_a_box_without_a_screen_needs_no_qt(package: dict[str, str]) -> None:
    assert not [name for name in relations(package["Depends"]) if "pyside" in name or "cage" in name]


def test_versions_agree() -> None:
    first = (DEB / "changelog").read_text().splitlines()[0]
    assert f"({blackbox_qt.__version__})" in first


def test_the_conffile_is_the_default_but_for_two_folders_and_a_real_camera(tmp_path: Path) -> None:
    text = subprocess.run([DEB / "conffile.sh"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "config.toml").write_text(text)
    shipped, default = load(tmp_path / "config.toml").model_dump(), Config().model_dump()
    assert shipped["storage"].pop("data") == Path("/srv/blackbox")
    assert shipped["storage"].pop("state") == Path("/var/lib/blackbox-qt")
    del default["storage"]["data"], default["storage"]["state"]
    assert [camera.pop("source") for camera in shipped["camera"]] == ["auto"], "a box must not record a test picture"
    del default["camera"][0]["source"]
    assert shipped == default


@pytest.mark.parametrize("script", ["blackbox-qt.postinst", "blackbox-qt.prerm", "blackbox-qt.postrm", "conffile.sh"])
def test_scripts_can_be_read_by_the_shell(script: str) -> None:
    subprocess.run(["sh", "-n", DEB / script], check=True)


def test_the_wifis_password_is_made_at_install_and_goes_at_purge() -> None:
    """tests/hotspot runs the command itself, the guest test looks at the file."""
    postinst = (DEB / "blackbox-qt.postinst").read_text()
    folder = "/var/lib/blackbox-qt"
    user_is_there = postinst.partition("#DEBHELPER#")[2]
    assert f"-m blackbox_qt.hotspot {folder})" in user_is_there
    assert re.search(
        rf"^d {folder} 0750 blackbox blackbox -$", (ROOT / "packaging/tmpfiles/blackbox-qt.conf").read_text(), re.M
    )
    assert f"state={folder}\n" in (DEB / "blackbox-qt.postrm").read_text()


def purged(root: Path) -> str:
    """What postrm says, with its folders below `root`."""
    text = (DEB / "blackbox-qt.postrm").read_text()
    script = re.sub(r"(?<=[ =])/(var|etc|srv)/", rf"{root}/\1/", text.replace("#DEBHELPER#", ""))
    done = subprocess.run(["sh", "-s", "purge"], input=script, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_purge_keeps_recordings_also_those_that_never_reached_the_card(tmp_path: Path) -> None:
    state, card = tmp_path / "var/lib/blackbox-qt", tmp_path / "srv/blackbox/recordings/000001"
    ring = state / "emergency/recordings/000002"
    for folder in (card, ring, tmp_path / "var/cache/blackbox-qt/mesa", tmp_path / "etc/blackbox-qt"):
        folder.mkdir(parents=True)
    for file in (state / "access-key", card / "front-000001-00001.mp4", ring / "front-000002-00001.mp4.part"):
        file.write_text("something")
    assert "stay in" in purged(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [
        "srv/blackbox/recordings/000001/front-000001-00001.mp4",
        "var/lib/blackbox-qt/emergency/recordings/000002/front-000002-00001.mp4.part",
    ]
    (ring / "front-000002-00001.mp4.part").unlink()
    assert purged(tmp_path) == ""
    assert not state.exists() and card.exists()


def test_purge_does_not_name_the_recordings_folder() -> None:
    """What is not named is not removed; the guest test looks at the files."""
    commands = [
        line for line in (DEB / "blackbox-qt.postrm").read_text().splitlines() if not line.strip().startswith("#")
    ]
    assert any("rm -rf" in line for line in commands)
    assert not any("/srv" in line or "storage" in line or "userdel" in line or "deluser" in line for line in commands)


def test_the_launcher_takes_nothing_of_the_users_python() -> None:
    assert (DEB / "blackbox-qt").read_text().splitlines()[0] == "#!/usr/bin/python3 -I"


def test_menu_entry_names_files_that_are_shipped() -> None:
    entry = configparser.ConfigParser(interpolation=None, strict=True)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(ROOT / "packaging/desktop/blackbox-qt.desktop", encoding="utf-8")
    fields = entry["Desktop Entry"]
    assert (ROOT / "packaging/desktop" / Path(fields["Exec"]).name).stat().st_mode & 0o111
    assert fields["Exec"] == "/usr/lib/blackbox-qt/open"
    assert (ROOT / "packaging/desktop" / f"{fields['Icon']}.svg").is_file()
    if shutil.which("desktop-file-validate"):
        subprocess.run(["desktop-file-validate", ROOT / "packaging/desktop/blackbox-qt.desktop"], check=True)


def test_the_icon_is_a_picture_that_simple_renderers_know() -> None:
    root = ET.parse(ROOT / "packaging/desktop/blackbox-qt.svg").getroot()
    assert root.get("viewBox") == "0 0 128 128"
    used = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not used & {"clipPath", "mask", "filter", "image", "style", "foreignObject"}


def test_an_unknown_architecture_is_one_sentence() -> None:
    done = subprocess.run([DEB / "build.sh", "riscv64"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "package: there is no package for 'riscv64'; arm64 and amd64 can be built\n"


def test_dev_offers_it() -> None:
    said = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert "\n  package " in said
