"""The way to the screen: is there a display, who draws on it, can it take camera memory as it is."""

from __future__ import annotations

import json
import sys
from typing import Any

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, look, ok
from blackbox_qt.doctor.machine import Machine

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "SwiftShader")
_PATIENCE_S = 15.0  # the first start of a driver from a cold card


def screen(case: Case) -> Finding:
    """Display, EGL vendor, renderer."""
    machine = case.machine
    platform, why = display(machine)
    data: dict[str, Any] = {"display": platform, "why": why, "renderer": "", "vendor": "", "version": "",
                            "dmabuf_import": False}  # fmt: skip
    answer = _ask(machine, platform or "surfaceless")
    data.update({key: value for key, value in answer.items() if key in data})
    if "error" in answer:
        return _failed(case, platform, why, str(answer["error"]), data)
    drawn = f"{data['renderer']} ({data['version']})"
    imports = "can" if data["dmabuf_import"] else "cannot"
    text = f"{why}; drawn by {drawn}; camera buffers {imports} become textures without a copy"
    if any(name.lower() in data["renderer"].lower() for name in _SOFTWARE):
        return look(text, _no_gpu(machine), **data)
    return ok(text, **data)


def display(machine: Machine) -> tuple[str, str]:
    """("wayland", "x11" or "", why)."""
    for name, platform in (("WAYLAND_DISPLAY", "wayland"), ("DISPLAY", "x11")):
        if machine.env.get(name):
            return platform, f"{platform} display {machine.env[name]}"
    return "", "no display in this session"


def _ask(machine: Machine, platform: str) -> dict[str, Any]:
    done = machine.run([sys.executable, "-m", "blackbox_qt.doctor.gl_probe", platform], _PATIENCE_S)
    if done is None:
        return {"error": "Python cannot be started"}
    if done.code < 0:
        return {"error": f"the graphics driver crashed (signal {-done.code})"}
    if done.code:
        return {"error": done.error.strip().rpartition("\n")[2] or f"the probe ended with {done.code}"}
    try:
        answer = json.loads(done.out)
    except ValueError:
        return {"error": "the probe's answer makes no sense"}
    return answer if isinstance(answer, dict) else {"error": "the probe's answer makes no sense"}


def _failed(case: Case, platform: str, why: str, error: str, data: dict[str, Any]) -> Finding:
    text = f"{why}; OpenGL ES: {error}"
    if not platform and not case.machine.glob("/dev/dri/card*"):
        return ok(f"{text}: the program records and serves its page without a window", **data)
    words = "The window cannot open; recording and page work."
    if platform:
        name = "WAYLAND_DISPLAY" if platform == "wayland" else "DISPLAY"
        return look(text, f"{words} Is the screen that {name} names running, and for this user?", **data)
    return look(text, f"{words} {_no_gpu(case.machine)}", **data)


def _no_gpu(machine: Machine) -> str:
    nodes = machine.glob("/dev/dri/renderD*")
    if nodes and not any(machine.may_use(node) for node in nodes):
        return "The GPU is there but this user may not use it: sudo usermod -aG render,video $USER, then sign in again."
    if machine.is_pi:
        return ("The GPU is not used: check that dtoverlay=vc4-kms-v3d is in /boot/firmware/config.txt and that "
                "libgl1-mesa-dri is installed, then restart.")  # fmt: skip
    return "The processor draws: keep the window small, 960x540 or less."
