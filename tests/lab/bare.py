"""A bare Debian for arm64 that knows its own packages, so that apt and maintainer scripts can be tried in the machine.

mmdebstrap unpacks packages here without running anything of theirs; dpkg's database is written as dpkg itself leaves it
between unpacking and configuring; `dpkg --configure -a` then runs every maintainer script inside the emulator.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab import build, emulator
from tests.lab.build import INGREDIENTS, Image, LabError

ESSENTIAL = """
base-files base-passwd bash bsdutils coreutils dash debianutils diffutils dpkg findutils grep gzip hostname
init-system-helpers libc-bin login ncurses-base ncurses-bin perl-base sed sysvinit-utils tar util-linux
"""
SYSTEM = """
apt debconf debian-archive-keyring mawk mount passwd kmod procps iproute2 netbase udev systemd systemd-sysv
libpam-systemd dbus polkitd python3 busybox-static linux-image-arm64 e2fsprogs v4l-utils
"""
# What the package recommends for a screen: unpacking it in the emulator would take longer than all the rest.
SCREEN = """
cage kbd qt6-wayland libgl1-mesa-dri fonts-dejavu-core python3-pyside6.qtcore python3-pyside6.qtgui
python3-pyside6.qtopengl python3-pyside6.qtopenglwidgets python3-pyside6.qtwidgets grim
"""
NOT_DPKGS = ("linux-image", "initramfs-tools", "linux-base", "dracut")  # the machine's own kernel, booted from outside
FREE_MB = 1500
CONFIGURE_S = 900.0


def image() -> Image:
    """The configured machine, made now if it is not there. Raises LabError."""
    folder = build.cache() / f"bare-{_key()}"
    with build._alone():
        if not (folder / "whole").exists():
            _build(folder)
        os.utime(folder)
    return Image(folder)


def copy_of(image: Image, folder: Path) -> Image:
    """One that may be written to: what is installed in it stays."""
    folder.mkdir(parents=True)
    for name in ("kernel", "initrd.gz", "root.img"):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image.folder / name, folder / name], check=True)
    return Image(folder)


def _key() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in ("init.sh", "project.sh", "initrd.sh", "image.sh", "lab-agent.service"):
        digest.update((INGREDIENTS / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    if os.geteuid() != 0:
        raise LabError("lab: building the machine needs root (its files belong to root); run it as root once")
    print("lab: building the bare machine, once", file=sys.stderr, flush=True)
    work = folder.with_suffix(".work")
    for old in (work, folder):
        shutil.rmtree(old, ignore_errors=True)
    (work / "image").mkdir(parents=True)
    try:
        _unpack(work / "root", work / "debs")
        _settle(work / "root")
        write_database(work / "root", sorted((work / "debs").glob("*.deb")))
        build._step("image.sh", work / "root", work / "image", FREE_MB)
        _configure(Image(work / "image"))
        (work / "image/whole").touch()
        (work / "image").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(root: Path, debs: Path) -> None:
    debs.mkdir()
    names = ",".join((ESSENTIAL + SYSTEM + SCREEN).split())
    done = subprocess.run(
        [
            "mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--architectures=arm64",
            "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
            "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f"--extract-hook=cp \"$1\"/var/cache/apt/archives/*.deb '{debs}'", f"--include={names}",
            "trixie", str(root), f"deb {build.mirror()} trixie main",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"lab: mmdebstrap failed with exit code {done.returncode}:\n{done.stdout[-3000:]}")
    if not any(debs.iterdir()):  # its other hooks are not run for packages that are only unpacked
        raise LabError("lab: mmdebstrap has not left the packages that it unpacked, and dpkg must be told of them")


def _settle(root: Path) -> None:
    """What must be there before the first maintainer script: accounts, the list of modules, the lab's agent."""
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    if not (root / "usr/bin/awk").exists():
        (root / "usr/bin/awk").symlink_to("mawk")
    for kernel in (root / "usr/lib/modules").iterdir():
        subprocess.run(["depmod", "-b", root, kernel.name], check=True)
    (root / "etc/hostname").write_text("lab\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost lab\n")
    for name, place in (("init.sh", "sbin/lab-init"), ("project.sh", "sbin/lab-project")):
        shutil.copy(INGREDIENTS / name, root / place)
        (root / place).chmod(0o755)
    units = root / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
    shutil.copy(INGREDIENTS / "lab-agent.service", units)
    (units / "multi-user.target.wants/lab-agent.service").symlink_to("../lab-agent.service")
    for name in ("project", "out"):
        (root / name).mkdir()


def write_database(root: Path, debs: list[Path]) -> None:
    """dpkg's database of packages that are unpacked and not configured; see dpkg(1), deb-control(5)."""
    info = root / "var/lib/dpkg/info"
    shutil.rmtree(info, ignore_errors=True)
    info.mkdir(parents=True)
    (info / "format").write_text("1\n")
    status = []
    for deb in debs:
        if not deb.name.startswith(NOT_DPKGS):
            status.append(_enter(info, deb))
    (root / "var/lib/dpkg/status").write_text("\n".join(status))
    (root / "var/lib/dpkg/available").touch()


def _enter(info: Path, deb: Path) -> str:
    """Write a package's files into `info`; its paragraph of `status`."""
    control = _said("dpkg-deb", "--field", deb)
    fields = dict(line.split(": ", 1) for line in control.splitlines() if ": " in line and line[0] != " ")
    name = fields["Package"]
    if fields.get("Multi-Arch") == "same":
        name += f":{fields['Architecture']}"
    scripts = info / "tmp"
    subprocess.run(["dpkg-deb", "--control", deb, scripts], check=True)
    for file in scripts.iterdir():
        if file.name != "control":
            file.rename(info / f"{name}.{file.name}")
    shutil.rmtree(scripts)
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True).stdout
    listed = subprocess.run(["tar", "--list"], input=tar, capture_output=True, check=True).stdout.decode()
    paths = [line.rstrip("/").removeprefix(".") or "/." for line in listed.splitlines()]
    (info / f"{name}.list").write_text("\n".join(paths) + "\n")
    first, _, rest = control.partition("\n")
    return f"{first}\nStatus: install ok unpacked\n{rest.rstrip()}\n"


def _said(*command: object) -> str:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout


def _configure(made: Image) -> None:
    with emulator.Machine(made, keep=True) as machine:
        env = {"DEBIAN_FRONTEND": "noninteractive", "PYTHONPYCACHEPREFIX": ""}
        done = machine.run(["dpkg", "--configure", "-a"], timeout=CONFIGURE_S, env=env, cwd="/")
        if done.code == 0:
            # With an identity of its own it is no new installation, which would wait for somebody to press a key.
            check = "systemd-machine-id-setup >/dev/null 2>&1 && test -s /etc/machine-id && dpkg --audit && sync"
            done = machine.run(["sh", "-c", check], timeout=60, cwd="/")
    if done.code != 0 or "not" in done.output:
        raise LabError(f"lab: the bare machine's packages do not configure:\n{done.output[-3000:]}")
