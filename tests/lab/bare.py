"""A bare Debian trixie, as small as one that boots with systemd can be: what the package is installed on by apt.

mmdebstrap makes it, every maintainer script having run. For arm64 they run by QEMU's user emulation (foreign.py).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from tests.lab import build, foreign
from tests.lab.build import INGREDIENTS, Image, LabError

Arch = Literal["arm64", "amd64"]

# udev and what follows it: a Pi has them all; the agent is Python, as is the program.
SYSTEM = """
systemd-sysv libpam-systemd dbus polkitd udev kmod procps iproute2 netbase python3 e2fsprogs
"""
MACHINE = ("busybox-static",)  # for the initial disk of the emulated machine
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FREE_MB = 700
_INGREDIENTS = ("init.sh", "project.sh", "initrd.sh", "image.sh", "lab-agent.service")
_KERNEL = """
cd /boot
name=$(apt-cache depends linux-image-arm64 | sed -n 's/.*Depends: \\(linux-image-.*\\)/\\1/p' | head -n 1)
apt-get -qq download "$name"
"""


def root(arch: Arch) -> Path:
    """The unpacked and configured Debian, made now if it is not there: for reading and copying. Raises LabError."""
    folder = build.cache() / f"bare-{arch}-{_key(arch)}"
    if not (folder / "whole").exists():
        with build._alone():
            if not (folder / "whole").exists():
                _build(arch, folder)
    return folder / "root"


def copy_of(arch: Arch, folder: Path) -> Path:
    """One that may be changed."""
    subprocess.run(["cp", "--archive", "--reflink=auto", root(arch), folder], check=True)
    return folder


def bootable(made: Path, folder: Path) -> Image:
    """A machine's disk from an arm64 root, and the kernel that it was given."""
    folder.mkdir()
    build._step("image.sh", made, folder, FREE_MB)
    return Image(folder)


def _key(arch: Arch) -> str:
    digest = hashlib.sha256(f"{arch}\n".encode() + Path(__file__).read_bytes())
    for name in _INGREDIENTS:
        digest.update((INGREDIENTS / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(arch: Arch, folder: Path) -> None:
    if os.geteuid() != 0:
        raise LabError("lab: building the bare Debian needs root (its files belong to root); run it as root once")
    print(f"lab: building the bare Debian for {arch}, once", file=sys.stderr, flush=True)
    for old in folder.parent.glob(f"bare-{arch}-*"):
        shutil.rmtree(old)
    work = folder.with_suffix(".work")
    work.mkdir()
    try:
        _unpack(arch, work / "root")
        _settle(work / "root")
        if arch == "arm64":
            _give_kernel(work / "root")
            _give_agent(work / "root")
        (work / "whole").touch()
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(arch: Arch, made: Path) -> None:
    names = [*SYSTEM.split(), *(MACHINE if arch == "arm64" else ())]
    with foreign.arm64() if arch == "arm64" else nullcontext():
        done = subprocess.run(
            [
                "mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--architectures={arch}",
                "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
                # Questions are not asked here, and looking for them takes a minute of emulation.
                "--aptopt=#clear DPkg::Pre-Install-Pkgs", "--aptopt=Acquire::Retries \"3\"",
                "--dpkgopt=force-unsafe-io", "--skip=check/qemu,cleanup/apt/lists",
                "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*", f"--keyring={KEYRING}",
                f"--include={','.join(names)}", "trixie", str(made), f"deb {build.mirror()} trixie main",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise LabError(f"lab: mmdebstrap failed with exit code {done.returncode}:\n{done.stdout[-3000:]}")


def _settle(made: Path) -> None:
    """What whoever sets up a Debian decides. With an identity of its own its first start asks nobody anything."""
    (made / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
    (made / "etc/hostname").write_text("lab\n")
    (made / "etc/hosts").write_text("127.0.0.1 localhost lab\n")


def _give_kernel(made: Path) -> None:
    """Unpacked only: it is booted from outside, and building an initial disk here would take minutes for nothing."""
    with foreign.arm64():
        foreign.run_in(made, _KERNEL, 300)
    (deb,) = (made / "boot").glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", deb, made], check=True)
    deb.unlink()
    for kernel in (made / "usr/lib/modules").iterdir():
        subprocess.run(["depmod", "-b", made, kernel.name], check=True)


def _give_agent(made: Path) -> None:
    for name, place in (("init.sh", "sbin/lab-init"), ("project.sh", "sbin/lab-project")):
        shutil.copy(INGREDIENTS / name, made / place)
        (made / place).chmod(0o755)
    units = made / "etc/systemd/system"
    shutil.copy(INGREDIENTS / "lab-agent.service", units)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/lab-agent.service").symlink_to("../lab-agent.service")
    for name in ("project", "out"):
        (made / name).mkdir()
