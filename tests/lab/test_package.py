"""The package on a bare Debian for arm64: installed by apt, booted by systemd, shown, watched, upgraded, purged.

Each test goes on where the one before ended, as a box in a car does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import bare, build, emulator

pytestmark = [
    pytest.mark.lab,
    pytest.mark.keeps,
    pytest.mark.timeout(2400),
    # Configuring a whole Debian in the emulator takes longer than all other tests of the lab together.
    pytest.mark.skipif(not os.environ.get("BLACKBOX_PROVE"), reason="long: BLACKBOX_PROVE=1 ./dev lab -k package"),
]

UNIT = "blackbox-recorder"
CAMERA = """
config=/etc/blackbox-qt/config.toml
sed -i -e 's|^source = .*|source = "v4l2:/dev/video0"|' -e 's|^width = 1920|width = 640|' $config
sed -i -e 's|^height = 1080|height = 360|' $config
echo vivid >/etc/modules-load.d/vivid.conf
echo 'options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0 num_outputs=0' >/etc/modprobe.d/vivid.conf
"""
# A network that takes its time, and a screen that nobody has to plug in.
SURROUNDINGS = """
mkdir -p /etc/systemd/system/blackbox-kiosk.service.d
cat >/etc/systemd/system/late.service <<UNIT
[Unit]
Before=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/bin/sleep 60
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
[Service]
Environment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
UNIT
"""
COLOURS = """d = open("/tmp/shot.ppm", "rb").read()[20:]; print(len({d[i:i + 3] for i in range(0, 300000, 3)}))"""
NETWORK = """
modprobe virtio_net
for path in /sys/class/net/e*; do name=${path##*/}; done
ip link set "$name" up
ip address add 10.0.2.15/24 dev "$name"
ip route add default via 10.0.2.2
echo nameserver 10.0.2.3 >/etc/resolv.conf
"""


class Box(emulator.Machine):
    """A machine with systemd and QEMU's own network, whose disk keeps what is written."""

    def __init__(self, image: build.Image) -> None:
        super().__init__(image, init="/lib/systemd/systemd", keep=True)
        self._command += ["-nic", "user,model=virtio-net-pci"]

    def sh(self, script: str, timeout: float = 120) -> str:
        """What a script of the guest's shell says; AssertionError when it fails."""
        clean = {"PYTHONPATH": "", "PYTHONPYCACHEPREFIX": "", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return self.run(["bash", "-euc", script], timeout=timeout, env=clean, cwd="/").check().strip()

    def until(self, script: str, wanted: str, timeout: float) -> str:
        """Ask until the answer contains `wanted`."""
        end, said = time.monotonic() + timeout, ""
        while time.monotonic() < end:
            said = self.sh(f"{script} || true")
            if wanted in said:
                return said
            time.sleep(1)
        raise AssertionError(f"{script!r} never said {wanted!r} within {timeout:.0f} s but:\n{said}\n{self.journal()}")

    def show(self, what: str, unit: str = UNIT) -> str:
        return self.sh(f"systemctl show -P {what} {unit}")

    def journal(self, *, boot: str = "0") -> str:
        return self.sh(f"journalctl --no-pager -o short-monotonic -b {boot} -u {UNIT} -u blackbox-kiosk | tail -n 400")

    def frames(self) -> int:
        """Bytes in the newest recording: they grow while it records."""
        return int(self.sh("find /srv/blackbox -name '*.mp4*' -printf '%s\\n' | awk '{ n += $1 } END { print n + 0 }'"))

    def records(self) -> bool:
        before, end = self.frames(), time.monotonic() + 60
        while time.monotonic() < end:
            if self.frames() > before:
                return True
            time.sleep(1)
        return False

    def power_off(self) -> None:
        self.sh("systemd-run --quiet --on-active=1 systemctl poweroff")
        assert self._process is not None
        self._process.wait(120)


def built(version: str) -> Path:
    """The package from this checkout, neither compressed nor checked."""
    out = build.cache() / "packages"
    env = {**os.environ, "PACKAGE_QUICK": "1", "PACKAGE_OUT": str(out), "PACKAGE_VERSION": version}
    subprocess.run([build.ROOT / "packaging/deb/build.sh", "arm64"], env=env, check=True)
    return out / f"blackbox-qt_{version}_arm64.deb"


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, object]]:
    """What was measured, kept beside the pictures."""
    seen: dict[str, object] = {}
    yield seen
    folder = build.cache() / "seen"
    folder.mkdir(exist_ok=True)
    (folder / "package.txt").write_text("".join(f"{name}: {value}\n" for name, value in seen.items()))


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, figures: dict[str, object]) -> Iterator[Box]:
    """A box on which the package was installed, and which was then switched off and on again."""
    folder = tmp_path_factory.mktemp("box")
    image = bare.copy_of(bare.image(), folder / "image")
    try:
        with Box(image) as first:
            install(first, figures)
            first.sh(CAMERA + SURROUNDINGS)
            first.power_off()
        with Box(image) as second:
            yield second
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(box: Box, figures: dict[str, object]) -> None:
    """apt finds what the package depends on; nothing but `apt install` is needed for it to record."""
    deb = built("0.1.0")
    shutil.copy(deb, box.out)
    box.sh(NETWORK)
    began = time.monotonic()
    box.sh("apt-get -qq -o Acquire::Retries=3 update", 400)
    said = box.sh(f"apt-get install -y --no-install-recommends /out/{deb.name} 2>&1", 1200)
    figures["apt install, s (emulated)"] = round(time.monotonic() - began)
    figures["apt brought"] = sum(line.startswith("Setting up") for line in said.splitlines())
    assert box.show("UnitFileState") == "enabled" and box.show("UnitFileState", "blackbox-kiosk") == "enabled"
    box.until(f"systemctl is-active {UNIT}", "active", 200)
    assert box.show("ActiveState", "blackbox-kiosk") == "inactive", "it would have taken the installer's terminal"
    assert box.records(), box.journal()
    assert box.sh("stat -c %U:%G:%a /srv/blackbox") == "blackbox:blackbox:750"


def test_it_records_from_power_on_before_network_and_screen(box: Box, figures: dict[str, object]) -> None:
    box.until(f"journalctl -b -u {UNIT}", "first fragment safe", 240)
    box.until(f"systemctl is-active {UNIT}", "active", 60)
    ready = int(box.show("ActiveEnterTimestampMonotonic"))
    began = int(box.show("InactiveExitTimestampMonotonic"))
    journal = box.journal()
    safe = float(next(line for line in journal.splitlines() if "first fragment safe" in line).split("]")[0].strip("[ "))
    figures["boot to unit start, s (emulated)"] = round(began / 1e6, 1)
    figures["unit start to first durable fragment, s (emulated)"] = round(safe - began / 1e6, 1)
    online = box.until("systemctl show -P ActiveEnterTimestampMonotonic network-online.target", "", 1)
    assert online == "0" or int(online) > ready, "the recorder has waited for the network"
    assert "network" not in box.show("After") and "kiosk" not in box.show("After")
    assert box.records(), box.journal()
    assert box.sh("ls /srv/blackbox/recordings"), "a V4L2 camera's footage is no demonstration"


def test_systemd_finds_nothing_wrong_with_it(box: Box, figures: dict[str, object]) -> None:
    assert box.sh("systemd-analyze --man=no verify blackbox-recorder.service blackbox-kiosk.service 2>&1") == ""
    said = box.sh("systemd-analyze security --no-pager blackbox-recorder.service | tail -n 1")
    figures["systemd-analyze security"] = said
    assert float(said.split(":")[1].split()[0]) <= 3.0
    assert "blackbox" not in box.sh("systemctl --failed --plain --no-legend")


def test_it_runs_as_its_own_user_and_opens_the_camera_by_group(box: Box) -> None:
    pid = box.show("MainPID")
    status = box.sh(f"cat /proc/{pid}/status")
    assert f"Uid:\t{box.sh('id -u blackbox')}\t" in status and "CapEff:\t0000000000000000" in status
    assert "/dev/video0" in box.sh(f"ls -l /proc/{pid}/fd")


def test_the_screen_shows_it(box: Box, figures: dict[str, object]) -> None:
    box.until("systemctl is-active blackbox-kiosk", "active", 60)
    assert box.show("User", "blackbox-kiosk") == "blackbox"
    assert "blackbox" in box.sh("loginctl list-sessions --no-legend"), "the screen has a session of its own"
    shot = "XDG_RUNTIME_DIR=/run/blackbox-kiosk WAYLAND_DISPLAY=wayland-0 grim -t ppm /tmp/shot.ppm"
    # Black is the compositor alone; our strip and picture have many colours.
    colours = f"python3 -c '{COLOURS}'"
    end, found = time.monotonic() + 400, 0
    while found < 8 and time.monotonic() < end:
        found = int(box.sh(f"{shot} && {colours} || echo 0").splitlines()[-1])
        time.sleep(2)
    seen = build.cache() / "seen"
    seen.mkdir(exist_ok=True)
    box.sh("XDG_RUNTIME_DIR=/run/blackbox-kiosk WAYLAND_DISPLAY=wayland-0 grim /out/kiosk.png")
    shutil.copy(box.out / "kiosk.png", seen)
    figures["colours on the screen"] = found
    assert found >= 8, box.journal()


def test_a_dead_screen_comes_back_and_so_does_the_window(box: Box) -> None:
    box.sh("systemctl kill --signal=KILL blackbox-kiosk")
    box.until("systemctl is-active blackbox-kiosk", "active", 60)
    box.until(f"systemctl is-active {UNIT}", "active", 120)
    assert box.records(), box.journal()


def test_a_recorder_that_hangs_is_ended_and_records_again(box: Box, figures: dict[str, object]) -> None:
    pid = box.show("MainPID")
    began = time.monotonic()
    box.sh(f"kill -STOP {pid}")
    box.until(f"journalctl --no-pager -b -u {UNIT}", "Watchdog timeout", 90)
    box.until(f"[ $(systemctl show -P MainPID {UNIT}) != {pid} ] && systemctl is-active {UNIT}", "active", 200)
    assert box.records(), box.journal()
    figures["hang to recording again, s (emulated)"] = round(time.monotonic() - began)


def test_an_upgrade_keeps_the_settings(box: Box, figures: dict[str, object]) -> None:
    deb = built("0.1.1")
    shutil.copy(deb, box.out)
    before, config = box.show("MainPID"), box.sh("cat /etc/blackbox-qt/config.toml")
    box.sh(f"apt-get install -y --no-install-recommends /out/{deb.name} 2>&1", 900)
    box.until(f"systemctl is-active {UNIT}", "active", 200)
    assert box.sh("dpkg-query -W -f '${Version}' blackbox-qt") == "0.1.1"
    assert box.show("MainPID") != before
    assert box.sh("cat /etc/blackbox-qt/config.toml") == config
    assert box.records(), box.journal()
    lines = [line for line in box.journal().splitlines() if "Stopping" in line or "first fragment safe" in line]
    stop, safe = (float(line.split("]")[0].strip("[ ")) for line in lines[-2:])
    figures["an upgrade's interruption, s (emulated)"] = round(safe - stop, 1)


def test_remove_keeps_settings_and_purge_keeps_recordings(box: Box) -> None:
    box.sh(f"systemctl stop {UNIT}")
    recordings = box.sh("find /srv/blackbox -type f | sort | xargs sha256sum")
    assert ".mp4" in recordings
    box.sh("apt-get remove -y blackbox-qt 2>&1", 300)
    assert box.sh("ls /etc/blackbox-qt/config.toml") and box.sh("ls /var/lib/blackbox-qt/access-key")
    assert "inactive" in box.sh("systemctl is-active blackbox-kiosk || true")
    box.sh("apt-get purge -y blackbox-qt 2>&1", 300)
    left = box.sh("ls -d /etc/blackbox-qt /etc/pam.d/blackbox-kiosk /var/lib/blackbox-qt /var/cache/blackbox-qt "
                  "/usr/lib/blackbox-qt /etc/systemd/system/*/blackbox-* 2>/dev/null || true")  # fmt: skip
    assert left == ""
    assert box.sh("find /srv/blackbox -type f | sort | xargs sha256sum") == recordings
    assert box.sh("stat -c %U /srv/blackbox") == "blackbox", "the user stays: recordings are his"
