"""systemd's own opinion of the units, on a root made of nothing but them; it is asked where it is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from blackbox_qt.app.app import STOP_LIMIT_S

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "packaging/systemd").glob("*.service"))
RECORDER = ROOT / "packaging/systemd/blackbox-recorder.service"
KIOSK = ROOT / "packaging/systemd/blackbox-kiosk.service"
KNOWS_ALL_WORDS = 256  # RestartSteps= is of 254, WantsMountsFor= of 256
NEWER = "Restart(Steps|MaxDelaySec)|WantsMountsFor"


def settings(unit: Path) -> dict[str, list[str]]:
    """All values of each key, whatever its section."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def systemd_version() -> int:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1])


def seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(ms|s|)", text)
    assert found, text
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root with the units, and stand-ins for what they name: their programs and the system's units."""
    there = tmp_path / "usr/lib/systemd/system"
    there.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, there)
        commands = [v for key, values in settings(unit).items() if key.startswith("Exec") for v in values]
        for path in re.findall(r"(?:^|\s)[+-]*(/usr/\S+)", "\n".join(commands), re.M):
            program = tmp_path / path.lstrip("/")
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
    for name in ("sysinit.target", "basic.target", "multi-user.target", "shutdown.target", "dbus.socket",
                 "systemd-logind.service", "system.slice", "-.slice"):  # fmt: skip
        body = "[Service]\nExecStart=/usr/bin/sleep 1\n" if name.endswith("service") else "[Unit]\n"
        (there / name).write_text(body + ("[Socket]\nListenStream=/run/x\n" if name.endswith("socket") else ""))
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_has_nothing_to_say(unit: Path, installed: Path) -> None:
    version = systemd_version()
    done = subprocess.run(
        ["systemd-analyze", f"--root={installed}", "--man=no", "verify", unit.name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    if version < KNOWS_ALL_WORDS:
        said = [line for line in said if not re.search(f"Unknown key( name)? '({NEWER})'", line)]
    assert not said


def test_a_wrong_word_would_be_found(installed: Path) -> None:
    systemd_version()
    there = installed / "usr/lib/systemd/system" / RECORDER.name
    there.write_text(there.read_text().replace("WatchdogSec=", "WatchDogSec="))
    done = subprocess.run(
        ["systemd-analyze", f"--root={installed}", "--man=no", "verify", RECORDER.name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "WatchDogSec" in done.stderr


def test_the_recorder_is_locked_up_well_enough() -> None:
    systemd_version()
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", RECORDER],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hole_in_the_sandbox_says_why() -> None:
    """Each group of lines under "the holes" has a comment above it."""
    holes = RECORDER.read_text().partition("# --- the holes")[2].partition("[Install]")[0].splitlines()[1:]
    explained = False
    for line in holes:
        if line.startswith("#"):
            explained = True
        elif line:
            assert explained, line
    opened = settings(RECORDER)
    for key in ("DeviceAllow", "ReadWritePaths", "RestrictAddressFamilies", "IPAddressAllow"):
        assert all(f"{key}={value}" in holes for value in opened[key])


def test_the_recorder_waits_for_its_card_and_for_nothing_that_a_car_may_not_have() -> None:
    unit = settings(RECORDER)
    assert "/srv/blackbox" in unit["WantsMountsFor"][0].split()
    assert "/srv/blackbox" not in unit["RequiresMountsFor"][0].split()  # a pulled card would end recording for good
    waits = " ".join(unit.get("After", []) + unit.get("Requires", []) + unit.get("Wants", []))
    assert not re.search(r"network|time-sync|graphical|display|kiosk|logind|getty|user-sessions", waits)


def test_it_is_given_the_time_it_needs_to_end_and_no_more() -> None:
    unit = settings(RECORDER)
    assert STOP_LIMIT_S < seconds(unit["TimeoutStopSec"][0]) < 10


def test_it_comes_back_for_ever_and_soon() -> None:
    for unit in (settings(RECORDER), settings(KIOSK)):
        assert unit["Restart"] == ["always"]
        assert unit["StartLimitIntervalSec"] == ["0"]
    assert seconds(settings(RECORDER)["RestartSec"][0]) <= 1


def test_both_mean_the_same_socket() -> None:
    recorder, kiosk = settings(RECORDER), settings(KIOSK)
    socket = next(v for v in recorder["Environment"] if v.startswith("WAYLAND_DISPLAY=")).partition("=")[2]
    assert socket == f"/run/{kiosk['RuntimeDirectory'][0]}/wayland-0"
    assert f"XDG_RUNTIME_DIR={Path(socket).parent}" in kiosk["ExecStart"][0]
    assert recorder["User"] == kiosk["User"]


def test_neither_waits_for_the_other() -> None:
    for unit, other in ((RECORDER, KIOSK), (KIOSK, RECORDER)):
        found = settings(unit)
        for key in ("After", "Before", "Requires", "Wants", "BindsTo", "PartOf", "Conflicts"):
            assert other.name not in " ".join(found.get(key, []))


def test_the_groups_that_open_devices_are_the_users() -> None:
    users = (ROOT / "packaging/sysusers/blackbox-qt.conf").read_text()
    rules = (ROOT / "packaging/udev/60-blackbox-qt.rules").read_text()
    mine = set(re.findall(r"^m blackbox (\w+)$", users, re.M))
    assert {"video", "render", "input"} <= mine
    assert set(re.findall(r'GROUP="(\w+)"', rules)) <= mine


def test_the_recordings_folder_is_one_everywhere() -> None:
    made = (ROOT / "packaging/tmpfiles/blackbox-qt.conf").read_text()
    assert re.search(r"^d /srv/blackbox 0750 blackbox blackbox -$", made, re.M)
    assert settings(RECORDER)["ReadWritePaths"] == ["/srv"]
