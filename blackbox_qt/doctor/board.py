"""The computer: which one, what runs on it, its memory."""

from __future__ import annotations

import re

from blackbox_qt.doctor.case import Case, is_hardware
from blackbox_qt.doctor.finding import Finding, broken, look, ok

_TESTED = {"trixie": "13", "bookworm": "12"}
_OLDEST_KERNEL = (6, 6)
_LITTLE_MEMORY = 1_800_000_000  # bytes: what Linux leaves of a board with 2 GB
_MB = 1024 * 1024


def model(case: Case) -> Finding:
    """Which computer this is."""
    machine = case.machine
    memory = machine.meminfo().get("MemTotal", 0)
    if machine.is_pi:
        name, text = machine.model, f"{machine.model}, {memory / 1e9:.1f} GB"
        data = {"model": name, "pi": True, "memory_bytes": memory, "cores": machine.cores}
        if "Raspberry Pi 5" in name or "Compute Module 5" in name:
            return ok(text, **data)
        words = "This program is made for the Raspberry Pi 5; on others it may be too slow: see the encoder line below."
        return look(text, words, **data)
    parts = [machine.value(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    name = " ".join(part for part in parts if part) or machine.model or "a computer"
    text = f"{name} ({machine.arch}, {machine.cores} cores), no Raspberry Pi: all but its own cameras can be used"
    return ok(text, model=name, pi=False, memory_bytes=memory, cores=machine.cores)


def system(case: Case) -> Finding:
    """Which operating system, and whether it is one that this program is tested on."""
    text = case.machine.read("/etc/os-release") or ""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    name, code = fields.get("PRETTY_NAME", "unknown system"), fields.get("VERSION_CODENAME", "")
    data = {"system": name, "codename": code, "bits": case.machine.bits}
    if case.machine.bits != 64:
        return broken(f"{name}, 32-bit", "Write Raspberry Pi OS (64-bit) to the card: this is 64-bit only.", **data)
    if code == "bookworm" and case.machine.is_pi:
        words = "It works; Raspberry Pi OS Trixie (13) has newer camera and graphics drivers, so plan to reinstall."
        return look(name, words, **data)
    if code not in _TESTED:
        words = "It may work, but only Raspberry Pi OS and Debian 12 and 13 are tested."
        return look(name, words, **data)
    return ok(name, **data)


def kernel(case: Case) -> Finding:
    """Its version, and for how long it has been up."""
    release = case.machine.read("/proc/sys/kernel/osrelease") or "unknown"
    up_s = float((case.machine.read("/proc/uptime") or "0").split()[0])
    data = {"kernel": release, "arch": case.machine.arch, "up_s": round(up_s)}
    text = f"Linux {release} ({case.machine.arch}), up for {_duration(up_s)}"
    found = re.match(r"(\d+)\.(\d+)", release)
    if case.machine.is_pi and found and (int(found[1]), int(found[2])) < _OLDEST_KERNEL:
        return look(text, "Old for a Raspberry Pi 5: sudo apt update && sudo apt full-upgrade, then restart.", **data)
    return ok(text, **data)


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} days"


def memory(case: Case) -> Finding:
    """Memory for everything, and memory in one piece (CMA) for cameras that need it so."""
    sizes = case.machine.meminfo()
    total, free = sizes.get("MemTotal", 0), sizes.get("MemAvailable", 0)
    cma, cma_free = sizes.get("CmaTotal", 0), sizes.get("CmaFree", 0)
    need = _camera_bytes(case)
    data = {"free_bytes": free, "cma_bytes": cma, "cma_free_bytes": cma_free, "cameras_need_bytes": need}
    text = f"{free / _MB:.0f} of {total / _MB:.0f} MB available"
    text += f"; CMA {cma_free / _MB:.0f} of {cma / _MB:.0f} MB free" if cma else ""
    if free < 150 * _MB:
        return broken(text, "The recorder needs 150 MB: end other programs; `top` shows the large ones.", **data)
    if total < _LITTLE_MEMORY and case.machine.is_pi:
        return look(text, "Little for window, page and two cameras: use a board with 2 GB or more.", **data)
    if need > cma_free and not _heap_without_cma(case):
        words = (f"The cameras' buffers want {need / _MB:.0f} MB of it: append ,cma-256 to the line "
                 "dtoverlay=vc4-kms-v3d in /boot/firmware/config.txt and restart.")  # fmt: skip
        return look(text, words, **data)
    return ok(text, **data)


def _camera_bytes(case: Case) -> int:
    """What the buffers of the Pi's own cameras take: main picture and small one, 1.5 bytes a pixel, and the raw one."""
    small = case.config.stream.width * case.config.stream.height
    cameras = [c for c in case.config.camera if is_hardware(c) and c.source.startswith("picamera")]
    return sum(c.buffers * (c.width * c.height + small) * 3 // 2 + 4 * c.width * c.height * 2 for c in cameras)


def _heap_without_cma(case: Case) -> bool:
    """On a Pi 5 the camera's name for its heap leads to ordinary memory: the hardware has an MMU of its own."""
    heap = case.machine.path("/dev/dma_heap/vidbuf_cached")
    return heap.is_symlink() and heap.readlink().name == "system"


def heaps(case: Case) -> Finding:
    """Where camera buffers come from: /dev/dma_heap, and whether we may use it."""
    names = [name.rpartition("/")[2] for name in case.machine.glob("/dev/dma_heap/*")]
    usable = [name for name in names if case.machine.may_use(f"/dev/dma_heap/{name}")]
    data = {"heaps": names, "usable": usable}
    if not names:
        if case.wants("picamera"):
            words = "The kernel has no DMA heaps, which Picamera2 needs: use the kernel of Raspberry Pi OS."
            return broken("no /dev/dma_heap", words, **data)
        return ok("no DMA heaps; only the Pi's own cameras need them", **data)
    if not usable:
        words = "Let this user in: sudo usermod -aG video $USER, then sign out and in again."
        found = f"{', '.join(names)}: this user may not use them"
        return (broken if case.wants("picamera") else look)(found, words, **data)
    return ok(", ".join(names), **data)
