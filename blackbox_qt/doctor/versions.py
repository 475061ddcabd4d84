"""Which versions are installed, and whether they fit together. What bites is listed in docs/FACTS.md."""

from __future__ import annotations

import re
from pathlib import Path

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, broken, look, ok
from blackbox_qt.doctor.machine import Machine

OLDEST = {
    "av": "18.1",
    "numpy": "1.24",
    "simplejpeg": "1.9",
    "pydantic": "2",
    "fastapi": "0.115",
    "uvicorn": "0.30",
    "httptools": "0.6",
    "segno": "1.6",
    "opencv-python-headless": "4.10",
    "cryptography": "38",
    "dbus-fast": "2.45",
    "gpiod": "2.1",
}
"""Distribution -> oldest version, as pyproject.toml has it (a test compares)."""
_OTHER_NAMES = {"opencv-python-headless": ("opencv-python", "opencv", "opencv-contrib-python-headless")}
_MODULES = {"opencv-python-headless": "cv2", "PySide6": "PySide6", "picamera2": "picamera2"}
"""Debian's packages of these may come without saying their version to Python."""
_PRESENT = "present"
_ASIDE = {
    "cryptography": "the signature under each recording",
    "dbus-fast": "the box's own Wi-Fi and switching it off",
    "gpiod": "the ignition's line",
}
"""What is missing without them; recording is not."""
_AFTER_BOOKWORM = "2.39"  # C library that PySide6's wheels for arm64 need from 6.8.1 on
_LIBCAMERA = (0, 5)  # Picamera2 0.3.38 does not work with Debian 13's own 0.4.0
_INSTALL = "In a checkout: ./dev setup headless window; the package: sudo apt install --reinstall blackbox-qt"


def number(version: str) -> tuple[int, ...]:
    """E.g. "6.8.2.1" -> (6, 8, 2, 1); what follows the digits is left out.

    Threads: any.
    """
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0]))


def libraries(case: Case) -> Finding:
    """Python, and what the recorder and the page are built on."""
    machine = case.machine
    have = {name: _installed(machine, name) for name in OLDEST}
    data = {"python": machine.python, "ffmpeg": _ffmpeg(have["av"]), "versions": have}
    shown = ", ".join(f"{name} {version or '-'}" for name, version in have.items())
    shown += f" ({data['ffmpeg']})" if data["ffmpeg"] else ""
    text = f"Python {machine.python}, {shown}"
    if number(machine.python) < (3, 11):
        return broken(text, "Python 3.11 or later is needed: Debian 12 has it.", **data)
    wrong = {name: _wrong(name, version) for name, version in have.items()}
    bad = [words for name, words in wrong.items() if words and name not in _ASIDE]
    if bad:
        pyav = "An old PyAV copies every frame or cannot take it at all. " if wrong["av"] else ""
        return broken(f"{text}; {', '.join(bad)}", f"{pyav}{_INSTALL}", **data)
    aside = [f"{words}: without it {_ASIDE[name]} cannot work" for name, words in wrong.items() if words]
    return look(f"{text}; {', '.join(aside)}", _INSTALL, **data) if aside else ok(text, **data)


def _wrong(name: str, version: str) -> str:
    """ "" for a version that will do."""
    if not version:
        return f"{name} is missing"
    old = version != _PRESENT and number(version) < number(OLDEST[name])
    return f"{name} {version} is too old (needs {OLDEST[name]})" if old else ""


def _installed(machine: Machine, name: str) -> str:
    """Its version; "present" where it does not say; "" when it is not there."""
    found = next((v for n in (name, *_OTHER_NAMES.get(name, ())) if (v := machine.version(n))), "")
    module = _MODULES.get(name, "")
    return found or (_PRESENT if module and machine.importable(module) else "")


def _ffmpeg(av: str) -> str:
    """libavcodec's version as PyAV has it; "" where PyAV cannot be imported."""
    if not av:
        return ""
    try:
        import av as pyav
    except ImportError:
        return ""
    return "libavcodec " + ".".join(map(str, pyav.library_versions.get("libavcodec", ())))


def window(case: Case) -> Finding:
    """Qt's Python binding, which only the window needs."""
    machine = case.machine
    have = {name: machine.version(name) for name in ("PySide6", "PySide6-Essentials", "shiboken6", "qasync")}
    qt = have["PySide6-Essentials"] or _installed(machine, "PySide6")
    data = {"pyside6": qt, "shiboken6": have["shiboken6"], "qasync": have["qasync"]}
    text = f"PySide6 {qt or '-'}, shiboken6 {have['shiboken6'] or '-'}, qasync {have['qasync'] or '-'}"
    words = _wrong_qt(machine, qt, have["shiboken6"])
    if not qt or not have["qasync"]:
        return look(
            f"{text}: no window", f"Only recording and page work, which may be what you want. {_INSTALL}", **data
        )
    if words:
        return broken(text, words, **data)
    return ok(text, **data)


def _wrong_qt(machine: Machine, qt: str, shiboken: str) -> str:
    """What does not fit, and what to do; "" when all does."""
    python = number(machine.python)
    if qt == _PRESENT:
        return ""
    if number(qt)[:3] == (6, 12, 0) and python < (3, 12):
        return "PySide6 6.12.0 aborts on Python 3.11: pip install 'PySide6-Essentials!=6.12.0' 'shiboken6!=6.12.0'"
    if shiboken and number(shiboken)[:3] != number(qt)[:3]:
        return f"PySide6 and shiboken6 must be one version, from one place (apt or pip, not both). {_INSTALL}"
    arm = machine.arch == "aarch64" and not _from_apt(machine)
    if arm and number(qt) > (6, 8, 0, 2) and machine.libc and number(machine.libc) < number(_AFTER_BOOKWORM):
        return "This PySide6 needs Debian 13: pip install 'PySide6-Essentials==6.8.0.2', or take a newer system."
    return ""


def _from_apt(machine: Machine) -> bool:
    return machine.exists("/usr/lib/python3/dist-packages/PySide6")


def camera_stack(case: Case) -> Finding:
    """libcamera and Picamera2, which only the Pi's own cameras need."""
    machine = case.machine
    picamera2 = _installed(machine, "picamera2")
    binding = machine.importable("libcamera")
    libcamera = _libcamera(machine)
    data = {"picamera2": picamera2, "libcamera": libcamera, "libcamera_python": binding}
    text = f"Picamera2 {picamera2 or '-'}, libcamera {libcamera or ('present' if binding else '-')}"
    if picamera2 and binding:
        if libcamera and number(libcamera) < _LIBCAMERA:
            words = "Picamera2 does not work with it: take python3-libcamera from Raspberry Pi's archive or backports."
            return (broken if case.wants("picamera") else look)(text, words, **data)
        return ok(text, **data)
    if not machine.is_pi and not case.wants("picamera"):
        return ok(f"{text}; only the Pi's own cameras need them", **data)
    words = _get_camera_stack(machine)
    return (broken if case.wants("picamera") else look)(text, words, **data)


def _get_camera_stack(machine: Machine) -> str:
    there = machine.exists("/usr/lib/python3/dist-packages/picamera2")
    if there and machine.in_venv and not _sees_system(machine.prefix):
        return "They are installed, but this Python does not see them: make its venv with --system-site-packages."
    return "For the Pi's own cameras: sudo apt install --no-install-recommends python3-picamera2"


def _sees_system(prefix: Path) -> bool:
    try:
        return "include-system-site-packages = true" in (prefix / "pyvenv.cfg").read_text()
    except OSError:
        return True


def _libcamera(machine: Machine) -> str:
    """Version of the Debian package, "" without one."""
    done = machine.run(["dpkg-query", "-W", "-f", "${Version}\\n", "python3-libcamera"], 5)
    return done.out.strip() if done is not None and done.code == 0 else ""
