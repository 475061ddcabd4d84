"""The card or disk that holds the recordings: is it the right place, which one is it, how full is it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, broken, look, ok, worst
from blackbox_qt.doctor.mounts import Mount, disk_of, existing, mount_of
from blackbox_qt.storage.holdings import policy
from blackbox_qt.storage.shelf import Space

_IN_MEMORY = ("tmpfs", "ramfs", "overlay", "squashfs")
_NO_JOURNAL = ("exfat", "vfat", "msdos", "fuseblk", "ntfs3", "ntfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs")
_OWN_CARD = "Give recordings a card or USB disk of their own, formatted as ext4, and name it in storage.data"
_WORN = "0x0A"  # life_time counts tenths: from 0x01 (new) to 0x0A (90 to 100 % used); 0x0B: beyond
_GB = 1e9


def place(case: Case) -> Finding:
    """Whether the data folder is on a good place: mounted, durable, with a journal."""
    mount = mount_of(case.machine, case.data)
    data = {"folder": str(case.data), "mount": mount.point, "kind": mount.kind, "device": mount.source,
            "options": sorted(mount.options), "system_disk": _is_system(case, mount)}  # fmt: skip
    there = "is" if case.machine.exists(case.data) else "does not exist yet; it would be"
    text = f"{case.data} {there} on {mount.source} ({mount.kind}, mounted at {mount.point})"
    return worst([ok(text, **data), _kind(case, mount), _options(mount)])


def _kind(case: Case, mount: Mount) -> Finding:
    if mount.kind in _IN_MEMORY and not (mount.kind == "overlay" and _in_container(case)):
        return broken("what is written there is gone when the power is", f"{_OWN_CARD}.")
    if mount.kind in _NO_JOURNAL:
        words = "A power cut can tear its table of files: save what is on it, then format it as ext4."
        return look(f"{mount.kind} has no journal", words)
    if mount.kind in _NETWORK:
        return look("a disk in the network", f"In a car there is none when the ignition comes on. {_OWN_CARD}.")
    if _is_system(case, mount):
        words = f"It works, but a card that wears out or fills up takes the system with it. {_OWN_CARD}."
        return look("the system is on the same disk", words)
    return ok("")


def _options(mount: Mount) -> Finding:
    findings = [ok("")]
    if "ro" in mount.options:
        words = "Look in `dmesg` for card errors; then `sudo fsck` it unmounted, or take another card."
        findings.append(broken("it is mounted read-only", words))
    if {"nobarrier", "barrier=0"} & mount.options:
        words = "Remove nobarrier from /etc/fstab: with it a power cut takes what was promised to be safe."
        findings.append(broken("write barriers are off", words))
    if "discard" in mount.options:
        words = "Many cards stall then: remove discard from /etc/fstab; sudo systemctl enable --now fstrim.timer"
        findings.append(look("deleting discards at once (mount option discard)", f"{words} does it weekly."))
    if "noatime" not in mount.options and "ro" not in mount.options:
        findings.append(ok("noatime in /etc/fstab would save some writes"))
    return worst(findings)


def _is_system(case: Case, mount: Mount) -> bool:
    """On the same disk as the root, maybe on another partition."""
    root = mount_of(case.machine, Path("/"))
    disk = disk_of(case.machine, mount)
    return mount.number == root.number or (disk != "" and disk == disk_of(case.machine, root))


def _in_container(case: Case) -> bool:
    return case.machine.exists("/.dockerenv") or case.machine.exists("/run/.containerenv")


def identity(case: Case) -> Finding:
    """Maker, name, serial and wear of the card or disk, as far as it tells."""
    disk = disk_of(case.machine, mount_of(case.machine, case.data))
    if not disk:
        return ok("not on a disk of its own", disk="")

    def said(*names: str) -> str:
        texts = (case.machine.value(f"/sys/block/{disk}/device/{name}") for name in names)
        return next((text for text in texts if text), "")

    sectors = case.machine.number(f"/sys/block/{disk}/size") or 0
    data = {"disk": disk, "name": said("name", "model"), "maker": said("manfid", "vendor"), "serial": said("serial"),
            "made": said("date"), "kind": said("type"), "bytes": sectors * 512,
            "life_time": said("life_time"), "pre_eol": said("pre_eol_info")}  # fmt: skip
    parts = [("", "name"), ("maker ", "maker"), ("serial ", "serial"), ("made ", "made")]
    known = [f"{word}{data[key]}" for word, key in parts if data[key]]
    text = f"{disk}: " + ", ".join([f"{sectors * 512 / _GB:.0f} GB", *known])
    return _wear(text, data)


def _wear(text: str, data: dict[str, object]) -> Finding:
    """Life time and pre-EOL information of eMMC and some cards, JEDEC JESD84-B51, 7.4.47 and following."""
    tenths = max((int(part, 16) for part in str(data["life_time"]).split()), default=0)
    end = int(str(data["pre_eol"] or "0"), 16)
    used = f", {max(0, tenths - 1) * 10} to {tenths * 10} % of its life used" if tenths else ""
    if end >= 3 or tenths > int(_WORN, 16):
        return broken(f"{text}{used}", "It is at its end: replace it now, before it refuses to write.", **data)
    if end == 2 or tenths >= 9:
        return look(f"{text}{used}", "It is nearly worn out: have another one ready.", **data)
    return ok(f"{text}{used}", **data)


def space(case: Case) -> Finding:
    """Free space, and how many hours of recording it holds."""
    return judge_space(case, *case.machine.space(existing(case.machine, case.data)))


def judge_space(case: Case, free: int, total: int) -> Finding:
    """What so many free bytes of so many mean.

    Threads: any.
    """
    rate = sum(case.config.record.bitrate_kbit for _ in case.config.camera) * 125  # bytes/s
    hours = free / rate / 3600
    data = {"free_bytes": free, "total_bytes": total, "hours": round(hours, 2)}
    part = f" ({100 * free / total:.0f} %)" if total else ""
    text = f"{free / _GB:.1f} GB of {total / _GB:.1f} GB free{part}: {_hours(hours)} of recording as configured"
    if case.config.retention.enabled:
        return _ring(case, free, total, text, data)
    clear = f"Move recordings in {case.data} elsewhere or delete them, or take a larger card."
    if hours < 1 / 12:
        return broken(text, f"There is no room to record. {clear}", **data)
    if hours < 2 or free < total * 0.05:
        return look(text, f"A file system that is nearly full also becomes slow. {clear}", **data)
    return ok(text, **data)


def _ring(case: Case, free: int, total: int, text: str, data: dict[str, Any]) -> Finding:
    """The oldest makes room: a card that is nearly full is as it should be, one that is fuller than that is not."""
    low = policy(case.config.retention, 0).low(Space(free, total))
    if free < low // 2:
        words = f"Nothing on it may be deleted? `blackbox-qt retention` says; take other files in {case.data} off it."
        return broken(f"{text}; less than the recorder keeps free", words, **data)
    return ok(f"{text}; then the oldest makes room", **data)


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"
