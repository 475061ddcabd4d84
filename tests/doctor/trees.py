"""Machines made of files: a healthy Pi 5, a sick one, a PC; and the programs that run on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from blackbox_qt.config import Config
from blackbox_qt.core.holders import Holder
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.found import Found, Search
from blackbox_qt.doctor.machine import Done, Machine
from tests.fakes import HandClock

DATA = "/srv/blackbox"
_MOUNT = "30 1 {number} / {point} {options} - {kind} {source} {more}\n"
_VERSIONS = {
    "av": "18.1.0", "numpy": "2.2.4", "simplejpeg": "1.9.0", "pydantic": "2.10.6", "fastapi": "0.115.11",
    "uvicorn": "0.32.0", "httptools": "0.6.4", "segno": "1.6.1", "opencv-python-headless": "4.12.0",
    "cryptography": "43.0.0", "dbus-fast": "2.45.0", "gpiod": "2.3.0", "PySide6": "6.8.2.1", "shiboken6": "6.8.2.1",
    "qasync": "0.28.0", "picamera2": "0.3.38",
}  # fmt: skip
GPU = {
    "vendor": "Mesa Project",
    "renderer": "V3D 7.1.10.2",
    "version": "OpenGL ES 3.1 Mesa 25.0.7",
    "dmabuf_import": True,
}
LLVMPIPE = {**GPU, "renderer": "llvmpipe (LLVM 19.1.7, 128 bits)", "dmabuf_import": False}
CAM0 = "/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a"

Programs = dict[str, Done | None]


def programs(answers: Mapping[str, Done | None]) -> Callable[[Sequence[str], float], Done | None]:
    """Runs nothing: the answer of the first entry whose words all stand in the command; None: not installed."""

    def run(command: Sequence[str], patience_s: float = 5.0) -> Done | None:
        said = " ".join(command)
        return next((done for words, done in answers.items() if all(word in said for word in words.split())), None)

    return run


class Tree:
    """A machine to be: files below `root`, answers of programs, versions of packages.

    Threads: one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs: Programs = {}
        self.versions = dict(_VERSIONS)
        self.env: dict[str, str] = {}
        self.clock = HandClock()
        self.arch, self.python, self.libc, self.cores, self.bits = "aarch64", "3.13.5", "2.41", 4, 64
        self.modules = {"libcamera", "picamera2", "cv2", "PySide6"}
        self.search = Search()
        self.mounts: list[str] = []
        self.space = 200 * 10**9, 256 * 10**9

    def write(self, name: str, text: str | int) -> None:
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def link(self, name: str, target: str) -> None:
        """A symbolic link that stays inside the tree."""
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(self.root / target.lstrip("/"), path.parent))

    def mount(
        self, point: str, kind: str, source: str, number: str, options: str = "rw,noatime", more: str = "rw"
    ) -> None:
        row = _MOUNT.format(number=number, point=point, options=options, kind=kind, source=source, more=more)
        self.mounts.append(row)
        self.write("/proc/self/mountinfo", "".join(self.mounts).strip())
        (self.root / point.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def disk(self, name: str, part: str, number: str, size_gb: int) -> None:
        """A disk with one partition."""
        folder = f"/sys/devices/{name}/block/{name}"
        self.write(f"{folder}/size", size_gb * 10**9 // 512)
        self.write(f"{folder}/{part}/partition", 1)
        self.link(f"/sys/dev/block/{number}", f"{folder}/{part}")
        self.link(f"/sys/block/{name}", folder)

    def case(self, **settings: object) -> Case:
        """A quick case with one small camera, or with `camera` settings of your own."""
        camera = {"source": "pattern:64x64@100", **settings}
        config = Config.model_validate({"camera": [camera], "storage": {"data": DATA, "fragment_ms": 50}})
        return Case(self.machine(), config, sync_s=0.1, encode_s=0.1, find=lambda _: self.search)

    def machine(self) -> Machine:
        machine = Machine(
            self.root, run=programs(self.programs), env=self.env, clock=self.clock, arch=self.arch,
            version=lambda name: self.versions.get(name, ""), importable=self.modules.__contains__,
        )  # fmt: skip
        machine.python, machine.libc, machine.cores, machine.bits = self.python, self.libc, self.cores, self.bits
        machine.in_venv = False
        machine.space = lambda _: self.space  # type: ignore[method-assign]
        return machine


def _base(tree: Tree) -> None:
    tree.write("/proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    tree.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie')
    tree.write("/proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-2712")
    tree.write("/proc/uptime", "7260.12 20000.00")
    tree.write("/proc/meminfo", "MemTotal: 8256000 kB\nMemAvailable: 7000000 kB\nCmaTotal: 65536 kB\nCmaFree: 60000 kB")
    for heap in ("linux,cma", "system"):
        tree.write(f"/dev/dma_heap/{heap}", "")
    tree.link("/dev/dma_heap/vidbuf_cached", "/dev/dma_heap/system")
    tree.write("/sys/class/thermal/thermal_zone0/temp", 51_300)
    tree.write("/sys/class/hwmon/hwmon0/name", "rpi_volt")
    tree.write("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", 0)
    tree.write("/sys/class/hwmon/hwmon1/fan1_input", 3120)
    tree.write("/sys/class/rtc/rtc0/name", "rpi_rtc soc@107c000000:rpi_rtc")
    tree.write("/sys/class/rtc/rtc0/battery_voltage", 3_010_000)
    tree.write("/sys/class/rtc/rtc0/charging_voltage", 3_000_000)
    tree.write("/run/systemd/system/.keep", "")
    tree.write("/sys/class/net/wlan0/wireless/.keep", "")
    tree.write("/sys/class/rfkill/rfkill0/type", "wlan")
    tree.write("/sys/class/rfkill/rfkill0/soft", 0)
    tree.write(
        "/proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:1F90 00000000:0000 0A 00000000:00000000"
    )
    tree.disk("mmcblk0", "mmcblk0p2", "179:2", 64)
    tree.mount("/", "ext4", "/dev/mmcblk0p2", "179:2")


def healthy_pi(root: Path) -> Tree:
    """A Pi 5 with everything as it should be."""
    tree = Tree(root)
    _base(tree)
    tree.disk("sda", "sda1", "8:1", 256)
    tree.mount(DATA, "ext4", "/dev/sda1", "8:1")
    for name, text in (("model", "Extreme SSD"), ("vendor", "SanDisk")):
        tree.write(f"/sys/devices/sda/block/sda/device/{name}", text)
    tree.env["WAYLAND_DISPLAY"] = "wayland-0"
    tree.programs = {
        "vcgencmd": Done(0, "throttled=0x0\n"),
        "gl_probe wayland": Done(0, json.dumps(GPU)),
        "dpkg-query": Done(0, "0.7.1+rpt20260601-1\n"),
        "ip -json": Done(0, json.dumps([
            {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}]},
            {"ifname": "wlan0", "addr_info": [
                {"family": "inet", "local": "10.42.0.1", "scope": "global"},
                {"family": "inet6", "local": "fe80::1", "scope": "link"}]},
        ])),
        "nmcli device": Done(0, "wifi:connected:Black\\:box:wlan0\nloopback:connected (externally):lo:lo\n"),
        "nmcli show Black:box": Done(0, "ap\nblackbox-7f3a\n"),
        "systemctl is-active": Done(0, "active\n"),
        "systemctl is-enabled": Done(0, "enabled\n"),
    }  # fmt: skip
    tree.search = Search((Found("picamera", "imx708", "cam0", "picamera:imx708@cam0"),))
    return tree


def sick_pi(root: Path) -> Tree:
    """Weak supply, hot, no RTC battery, wrong versions, recordings on a full read-only system card that is worn out."""
    tree = Tree(root)
    _base(tree)
    tree.mounts.clear()
    tree.mount("/", "ext4", "/dev/mmcblk0p2", "179:2", "ro,relatime", "rw,discard")
    for name, text in (("name", "SD64G"), ("manfid", "0x000003"), ("serial", "0x1b2c3d4e"), ("date", "05/2021"),
                       ("life_time", "0x0b 0x01"), ("pre_eol_info", "0x03")):  # fmt: skip
        tree.write(f"/sys/devices/mmcblk0/block/mmcblk0/device/{name}", text)
    tree.write("/sys/class/thermal/thermal_zone0/temp", 83_000)
    tree.write("/sys/class/rtc/rtc0/battery_voltage", 12_000)
    tree.write("/proc/meminfo", "MemTotal: 8256000 kB\nMemAvailable: 90000 kB\nCmaTotal: 65536 kB\nCmaFree: 3000 kB")
    tree.write("/sys/class/rfkill/rfkill0/soft", 1)
    tree.clock = HandClock(source="unsynced")
    tree.space = 10**8, 64 * 10**9
    tree.python, tree.libc = "3.11.2", "2.36"
    tree.versions.update({"av": "14.2.0", "PySide6": "", "PySide6-Essentials": "6.12.0", "shiboken6": "6.12.0"})
    tree.modules -= {"libcamera", "picamera2"}
    tree.versions.pop("picamera2")
    tree.programs = {
        "vcgencmd": Done(0, "throttled=0x50005\n"),
        "gl_probe surfaceless": Done(-11, ""),
        "ip -json": Done(0, "[]"),
        "systemctl is-active": Done(3, "failed\n"),
        "systemctl is-enabled": Done(0, "enabled\n"),
    }
    for node in ("/dev/dri/card0", "/dev/dri/renderD128"):
        tree.write(node, "")
    tree.search = Search((), ("Picamera2 is not installed for this Python",))
    return tree


def pc(root: Path) -> Tree:
    """A PC with a USB camera that another program holds."""
    tree = Tree(root)
    tree.arch, tree.cores = "x86_64", 8
    tree.modules -= {"libcamera", "picamera2"}
    tree.versions.pop("picamera2")
    tree.write("/sys/class/dmi/id/sys_vendor", "LENOVO")
    tree.write("/sys/class/dmi/id/product_name", "20XW")
    tree.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm')
    tree.write("/proc/sys/kernel/osrelease", "6.1.0-40-amd64")
    tree.write("/proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB")
    tree.mount("/", "ext4", "/dev/nvme0n1p2", "259:2", "rw,relatime")
    tree.programs = {"gl_probe surfaceless": Done(0, json.dumps(LLVMPIPE)), "ip -json": Done(0, "[]")}
    holder = Holder(812, "motion")
    tree.search = Search((Found("v4l2", "HD Webcam", "usb-1.2", "v4l2:A1B2", device="/dev/video0", holders=(holder,)),))
    return tree
