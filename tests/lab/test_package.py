"""The package on a bare Debian: installed by apt, booted by systemd, shown, watched, upgraded, purged.

Each test goes on where the one before ended, as a box in a car does. Two boxes: an emulated machine for arm64 with a
camera and a card, on which apt has installed the package before the first start; a container for this PC's machine
type, with a network and a screen, on which it is installed while the system runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import bare, build, foreign
from tests.lab.box import UNIT, Box, ContainerBox, EmulatedBox
from tests.lab.guest.program import lost, numbers, records

pytestmark = [
    pytest.mark.lab,
    pytest.mark.keeps,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.environ.get("BLACKBOX_PROVE"), reason="long: BLACKBOX_PROVE=1 ./dev lab -k package"),
]

MACHINE, CONTAINER = "machine", "container"
in_container = pytest.mark.parametrize("box", [CONTAINER], indirect=True, scope="module")
in_machine = pytest.mark.parametrize("box", [MACHINE], indirect=True, scope="module")

CONFIG = "/etc/blackbox-qt/config.toml"
STATE = "/var/lib/blackbox-qt"
# The emulated machine's pace, on a PC that may have other things to do. Which camera it is the box finds out by itself.
SLOW_CAMERA = f"""
mkdir -p /etc/systemd/system/{UNIT}.service.d
printf '[Service]\\nTimeoutStartSec=600\\nWatchdogSec=120\\n' >/etc/systemd/system/{UNIT}.service.d/lab.conf
sed -i -e 's|^width = 1920|width = 320|' -e 's|^height = 1080|height = 180|' -e 's|^fps = 30|fps = 5|' {CONFIG}
sed -i '/^\\[web\\]/,/^\\[/s|^enabled = true|enabled = false|' {CONFIG}
echo vivid >/etc/modules-load.d/vivid.conf
echo 'options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0 num_outputs=0' >/etc/modprobe.d/vivid.conf
"""
# As docs/INSTALL.md has it, but for the disk's name and the patience.
CARD = """
echo '/dev/disk/by-id/virtio-data /srv/blackbox ext4 noatime,nofail,x-systemd.device-timeout=300s 0 2' >>/etc/fstab
"""
# Else its first start takes it for one after an upgrade of everything, and rebuilds what every package has built.
UP_TO_DATE = """
touch /etc/.updated /var/.updated
"""
PATTERN = f"""
sed -i -e 's|^source = "auto"|source = "pattern:640x360@30"|' -e 's|^segment_s = 60|segment_s = 5|' {CONFIG}
"""
# A network that takes its time, a card that is not there, and a screen that nobody has to plug in: a container has no
# terminals, so what the kiosk does with its own is left out.
SURROUNDINGS = """
echo '/dev/disk/by-label/blackbox /srv/blackbox ext4 noatime,nofail,x-systemd.device-timeout=3s 0 2' >>/etc/fstab
mkdir -p /etc/systemd/system/blackbox-kiosk.service.d
cat >/etc/systemd/system/late.service <<UNIT
[Unit]
Before=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/bin/sleep 20
[Install]
WantedBy=network-online.target
UNIT
cat >/etc/systemd/system/eager.service <<UNIT
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/true
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable late.service eager.service
cat >/etc/systemd/system/blackbox-kiosk.service.d/lab.conf <<UNIT
[Unit]
ConditionPathExists=
[Service]
TTYPath=
TTYReset=no
TTYVHangup=no
TTYVTDisallocate=no
StandardInput=null
ExecStartPre=
Environment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
UNIT
"""
COLOURS = """d = open("/tmp/shot.ppm", "rb").read()[20:]; print(len({d[i:i + 3] for i in range(0, 300000, 3)}))"""
SHOT = "XDG_RUNTIME_DIR=/run/blackbox-kiosk WAYLAND_DISPLAY=wayland-0 grim"

Figures = dict[str, object]


def built(arch: str) -> Path:
    """The package from this checkout, neither compressed nor checked."""
    out = build.cache() / "packages"
    shutil.rmtree(out / arch, ignore_errors=True)
    env = {**os.environ, "PACKAGE_QUICK": "1", "PACKAGE_OUT": str(out / arch)}
    subprocess.run([build.ROOT / "packaging/deb/build.sh", arch], env=env, check=True)
    (deb,) = (out / arch).glob("*.deb")
    return deb


def newer(deb: Path, version: str, folder: Path) -> Path:
    """The same package as another version."""
    tree = folder / "newer"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = [
        f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()
    ]
    control.write_text("\n".join(lines) + "\n")
    subprocess.run(["dpkg-deb", "--build", "-Znone", tree, folder], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    (made,) = folder.glob(f"*_{version}_*.deb")
    return made


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    """What was measured, kept beside the pictures."""
    seen: Figures = {}
    yield seen
    folder = build.cache() / "seen"
    folder.mkdir(exist_ok=True)
    (folder / "package.txt").write_text("".join(f"{name}: {value}\n" for name, value in seen.items()))


@pytest.fixture(scope="module", params=[MACHINE, CONTAINER])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Iterator[Box]:
    """A box on which the package was installed, after its next start."""
    folder = tmp_path_factory.mktemp("box")
    start = started_machine if request.param == MACHINE else started_container
    try:
        with start(folder, figures) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started_machine(folder: Path, figures: Figures) -> Iterator[Box]:
    """apt installs the package on the system's disk before that is booted, as a maker of a card's image does."""
    image = bare.bootable(installed(folder / "root", figures), folder / "image")
    shutil.rmtree(folder / "root")
    began = time.monotonic()
    with EmulatedBox(image) as running:
        figures["power on to the lab's agent, s (emulated)"] = round(time.monotonic() - began)
        yield running


def installed(root: Path, figures: Figures) -> Path:
    deb, root, began = built("arm64"), bare.copy_of("arm64", root), time.monotonic()
    shutil.copy(deb, root / "tmp")
    with foreign.arm64(), foreign.compiled_by(bare.root(own_arch()), root):
        said = foreign.run_in(root, f"apt-get install -y --no-install-recommends /tmp/{deb.name}", 1500)
        foreign.run_in(root, f"rm /tmp/*.deb; apt-get clean; {SLOW_CAMERA}{CARD}{UP_TO_DATE}", 120)
    figures["apt brought (arm64)"] = sum(line.startswith("Setting up") for line in said.splitlines())
    figures["apt install, s (user emulation)"] = round(time.monotonic() - began)
    return root


@contextmanager
def started_container(folder: Path, figures: Figures) -> Iterator[Box]:
    """Nothing but `apt install` is needed for a box that runs to record from then on; with a screen and all."""
    deb, root = built(own_arch()), bare.copy_of(own_arch(), folder / "root")
    (folder / "out").mkdir()
    shutil.copy(deb, folder / "out/first.deb")
    newer(deb, "0.1.1", folder / "out").rename(folder / "out/second.deb")
    with ContainerBox(root, folder / "out") as first:
        began = time.monotonic()
        first.sh("apt-get -qq update", 120)
        first.sh("apt-get install -y --install-recommends /out/first.deb grim 2>&1", 900)
        figures["apt install, s (container)"] = round(time.monotonic() - began)
        look_at_new_box(first)
        first.sh(PATTERN + SURROUNDINGS)
        first.power_off()
    with ContainerBox(root, folder / "out") as second:
        yield second


def own_arch() -> Any:
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def look_at_new_box(box: Box) -> None:
    """No camera is plugged in: it must not record a test picture instead, and must say so."""
    box.until_active()
    assert box.show("UnitFileState") == "enabled" and box.show("UnitFileState", "blackbox-kiosk") == "enabled"
    assert box.show("ActiveState", "blackbox-kiosk") == "inactive", "it would have taken the installer's terminal"
    box.until(f"systemctl show -P StatusText {UNIT}", "no camera", 20)
    assert box.recorded() == 0
    assert box.show("NRestarts") == "0"


def test_it_records_from_power_on(box: Box, figures: Figures) -> None:
    box.until(f"journalctl --no-pager -b -u {UNIT}", box.first_words, 30)
    box.until_active()
    began = int(box.show("InactiveExitTimestampMonotonic")) / 1e6
    where = "emulated" if isinstance(box, EmulatedBox) else "container"
    systemd = int(box.sh("systemctl show -P UserspaceTimestampMonotonic")) / 1e6
    figures[f"systemd's start to unit start, s ({where})"] = round(began - systemd, 1)
    safe = box.moments(box.first_words)[0]
    figures[f"unit start to first durable fragment, s ({where})"] = round(safe - began, 1)
    assert box.records(), box.journal()
    assert box.sh("stat -c %U:%G:%a /srv/blackbox") == "blackbox:blackbox:750"


@in_machine
def test_the_camera_and_the_card_are_the_machines_own(box: Box) -> None:
    assert "source auto is v4l2:platform:vivid-000" in box.journal()
    assert "no camera" not in box.journal()
    assert box.sh("findmnt -no SOURCE,FSTYPE /srv/blackbox").split() == ["/dev/vdb", "ext4"]
    assert box.records("/srv/blackbox/recordings"), "a V4L2 camera's footage is no demonstration"
    assert box.sh("ip -brief link | grep -v ^lo || true") == "", "there was no network"


@in_container
def test_neither_network_nor_screen_nor_a_missing_card_is_waited_for(box: Box) -> None:
    assert box.sh("systemctl show -P ActiveState srv-blackbox.mount") != "active"
    ready = int(box.show("ActiveEnterTimestampMonotonic"))
    online = box.show("ActiveEnterTimestampMonotonic", "network-online.target")
    assert online == "0" or int(online) > ready, "the recorder has waited for the network"
    assert "network" not in box.show("After") and "kiosk" not in box.show("After")


def test_the_wifi_has_a_password_of_its_own(box: Box) -> None:
    assert box.sh(f"stat -c %U:%a {STATE} {STATE}/hotspot.json").split() == ["blackbox:750", "blackbox:600"]
    assert '"password": "' in box.sh(f"cat {STATE}/hotspot.json")


def test_systemd_finds_nothing_wrong_with_it(box: Box, figures: Figures) -> None:
    said = box.sh("systemd-analyze --man=no verify blackbox-recorder.service blackbox-kiosk.service 2>&1")
    assert "blackbox" not in said
    said = box.sh("systemd-analyze security --no-pager blackbox-recorder.service | tail -n 1")
    figures["systemd-analyze security"] = said
    assert float(said.split(":")[1].split()[0]) <= 3.0
    assert "blackbox" not in box.sh("systemctl --failed --plain --no-legend | grep -v srv-blackbox.mount || true")


def test_it_runs_as_its_own_user_without_any_privilege(box: Box) -> None:
    pid = box.show("MainPID")
    status = box.sh(f"cat /proc/{pid}/status")
    assert f"Uid:\t{box.sh('id -u blackbox')}\t" in status and "CapEff:\t0000000000000000" in status
    if isinstance(box, EmulatedBox):
        assert "/dev/video0" in box.sh(f"ls -l /proc/{pid}/fd"), "by its groups"


@in_container
def test_the_screen_shows_it(box: Box, figures: Figures) -> None:
    box.until_active("blackbox-kiosk")
    assert box.show("User", "blackbox-kiosk") == "blackbox"
    assert "blackbox" in box.sh("loginctl list-sessions --no-legend"), "the screen has a session of its own"
    # Black is the compositor alone; our strip and picture have many colours.
    end, found = time.monotonic() + 60, 0
    while found < 8 and time.monotonic() < end:
        found = int(box.sh(f"{SHOT} -t ppm /tmp/shot.ppm && python3 -c '{COLOURS}' || echo 0").splitlines()[-1])
        time.sleep(0.5)
    box.sh(f"{SHOT} /out/kiosk.png")
    (build.cache() / "seen").mkdir(exist_ok=True)
    shutil.copy(box.out / "kiosk.png", build.cache() / "seen")
    figures["colours on the screen"] = found
    assert found >= 8, box.journal()


@in_container
def test_a_dead_screen_comes_back_and_so_does_the_window(box: Box) -> None:
    box.sh("systemctl kill --signal=KILL blackbox-kiosk")
    box.until_active("blackbox-kiosk")
    box.until_active()
    assert box.records(), box.journal()


@in_container
def test_a_card_comes_and_goes_and_the_recorder_stays(box: Box) -> None:
    """What is mounted later is seen in the sandbox; the mount is wanted, not required; the ring can be written."""
    pid = box.show("MainPID")
    box.sh("mount -t tmpfs -o size=2g,mode=750,uid=blackbox,gid=blackbox card /srv/blackbox")
    box.until("ls /srv/blackbox", "demo", 20)
    assert box.records("/srv/blackbox"), box.journal()
    box.sh("umount --lazy /srv/blackbox")
    box.until(f"systemctl show -P StatusText {UNIT} | tr A-Z a-z", "card missing", 20)
    assert box.records(f"{STATE}/emergency"), box.journal()
    assert box.show("MainPID") == pid, "a pulled card must not end recording"
    box.sh("mount -t tmpfs -o size=2g,mode=750,uid=blackbox,gid=blackbox card /srv/blackbox")
    box.until(f"journalctl --no-pager -b -u {UNIT}", "card is", 20)
    assert box.records("/srv/blackbox"), box.journal()


def test_a_recorder_that_hangs_is_ended_and_records_again(box: Box, figures: Figures) -> None:
    pid, before = box.show("MainPID"), len(box.moments(box.first_words))
    hung = float(box.sh(f"kill -STOP {pid}; cut -d' ' -f1 /proc/uptime"))
    box.until(f"journalctl --no-pager -b -u {UNIT}", "Watchdog timeout", 30)  # WatchdogSec= is 15
    box.until(f"[ $(systemctl show -P MainPID {UNIT}) != {pid} ] && echo another", "another", 20)
    count = f"journalctl --no-pager -b -u {UNIT} | grep -c '{box.first_words}'"
    box.until(f"[ $({count}) -gt {before} ] && echo again", "again", 60)
    box.until_active()
    assert box.records(), box.journal()
    where = "emulated" if isinstance(box, EmulatedBox) else "container"
    figures[f"hang to recording again, s ({where})"] = round(box.moments(box.first_words)[before] - hung, 1)


@in_container
def test_an_upgrade_keeps_settings_and_password(box: Box, figures: Figures) -> None:
    before, kept = box.show("MainPID"), box.sh(f"cat {CONFIG} {STATE}/hotspot.json {STATE}/access-key")
    box.sh("apt-get install -y /out/second.deb 2>&1", 300)
    box.until_active()
    assert box.sh("dpkg-query -W -f '${Version}' blackbox-qt") == "0.1.1"
    assert box.show("MainPID") != before
    assert box.sh(f"cat {CONFIG} {STATE}/hotspot.json {STATE}/access-key") == kept
    assert box.records(), box.journal()
    pause = box.moments("first fragment safe")[-1] - box.moments("Stopping ")[-1]
    figures["an upgrade's interruption, s (container)"] = round(pause, 1)
    assert pause < 5


@in_machine
def test_every_number_of_the_driver_is_recorded_or_counted_as_lost(box: Box, figures: Figures) -> None:
    box.sh(f"systemctl stop {UNIT}")
    # Both runs; what began while the card was busy may still be in the ring.
    find = f"find /srv/blackbox/recordings {STATE} -name 'front-*.mp4'"
    box.sh(f"{find} | tar -cf /out/recordings.tar --transform 's|.*/||' -T - 2>/dev/null", 120)
    here = box.out / "recordings"
    here.mkdir()
    subprocess.run(["tar", "-xf", box.out / "recordings.tar", "-C", here], check=True)
    bodies = records(here, "front")
    counted = [(numbers([body]), lost([body])) for body in bodies if body["type"] == "fragment"]
    figures["frames recorded + lost (emulated)"] = f"{len(numbers(bodies))} + {lost(bodies)}"
    assert len(counted) > 20
    assert not list(wrongly_counted(counted))
    said = box.sh("blackbox-qt check /srv/blackbox 2>&1", 120)
    assert "from a camera" in said and "TEST PATTERN" not in said


def wrongly_counted(fragments: list[tuple[list[int], int]]) -> Iterator[str]:
    """Fragments, each with its numbers and what it says was lost before, that disagree with the driver."""
    last = -1
    for kept, said in fragments:
        missing = kept[-1] - last - len(kept)
        if kept[0] > last and said != missing:
            yield f"{kept[0]} to {kept[-1]} after {last}: {missing} missing, {said} said to be lost"
        if kept[0] <= last and said < kept[0]:  # the camera was started again; what it had given last may be in it too
            yield f"{kept[0]} to {kept[-1]} after a start: {said} said to be lost"
        last = kept[-1]


def test_remove_keeps_settings_and_purge_keeps_recordings(box: Box) -> None:
    box.sh(f"systemctl stop {UNIT}")
    recordings = box.sh("find /srv/blackbox -type f | sort | xargs sha256sum")
    assert ".mp4" in recordings
    box.sh("apt-get remove -y blackbox-qt 2>&1", 120)
    assert box.sh(f"ls {CONFIG} {STATE}/hotspot.json")
    assert box.show("ActiveState", "blackbox-kiosk") in ("inactive", "failed"), "it runs on without its package"
    box.sh("apt-get purge -y blackbox-qt 2>&1", 120)
    left = box.sh(f"ls -d {CONFIG} /etc/pam.d/blackbox-kiosk {STATE} /var/cache/blackbox-qt /usr/lib/blackbox-qt "
                  "/etc/systemd/system/*.wants/blackbox-* 2>/dev/null || true")  # fmt: skip
    assert left == ""
    assert box.sh("find /srv/blackbox -type f | sort | xargs sha256sum") == recordings
    assert box.sh("stat -c %U /srv/blackbox") == "blackbox", "the user stays: recordings are his"
