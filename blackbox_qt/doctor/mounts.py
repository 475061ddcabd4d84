"""Which file system a folder is on, and which device holds it: /proc/self/mountinfo and /sys/dev/block."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from blackbox_qt.doctor.machine import Machine


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo, see proc_pid_mountinfo(5).

    Threads: immutable, any.
    """

    point: str  # where it is mounted
    kind: str  # file system, e.g. ext4
    source: str  # e.g. /dev/mmcblk0p2
    number: str  # of the device, "179:2"
    options: frozenset[str]  # of the mount and of the file system together


def mount_of(machine: Machine, path: Path) -> Mount:
    """The mount that `path` is on, or would be once it is made. Raises LookupError without mountinfo."""
    mounts = _mounts(machine.read("/proc/self/mountinfo") or "")
    if not mounts:
        raise LookupError("the kernel tells of no mounts")
    real = _resolved(machine, path)
    fitting = [mount for mount in mounts if real.is_relative_to(mount.point)]
    if not fitting:  # in a chroot, whose own root is a folder of a mount that is not listed
        device = machine.path("/").stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        return Mount("/", "unnamed in this chroot", "a disk", number, frozenset())
    longest = max(len(mount.point) for mount in fitting)
    return [mount for mount in fitting if len(mount.point) == longest][-1]  # the last one lies on top


def existing(machine: Machine, path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    while not machine.exists(path) and path != path.parent:
        path = path.parent
    return path


def _resolved(machine: Machine, path: Path) -> Path:
    """Without symbolic links, as the machine sees it."""
    root = machine.root.resolve()
    real = machine.path(path.absolute()).resolve()
    return Path("/") / real.relative_to(root) if real.is_relative_to(root) else path


def _mounts(text: str) -> list[Mount]:
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, rest = left.split(), right.split()
        if len(fields) >= 6 and len(rest) >= 2:
            options = frozenset(",".join([fields[5], *rest[2:3]]).split(","))
            found.append(Mount(_plain(fields[4]), rest[0], _plain(rest[1]), fields[2], options))
    return found


def _plain(text: str) -> str:
    r"""Spaces and the like are octal there: \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def disk_of(machine: Machine, mount: Mount) -> str:
    """The whole disk's name in /sys/block, e.g. mmcblk0 for /dev/mmcblk0p2; "" when there is none (tmpfs, network)."""
    number = mount.number
    if number.startswith("0:"):  # btrfs and others have a number of their own
        number = (machine.value(f"/sys/class/block/{Path(mount.source).name}/dev")) or number
    link = machine.path(f"/sys/dev/block/{number}")
    if not link.exists():
        return ""
    folder = link.resolve()
    return folder.parent.name if (folder / "partition").exists() else folder.name
