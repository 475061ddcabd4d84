"""The doctor's line about cameras: are those of the configuration there, and does anybody else hold them."""

from __future__ import annotations

from blackbox_qt.core.holders import Holder, in_words
from blackbox_qt.doctor.case import Case, is_hardware, kind_of
from blackbox_qt.doctor.finding import Finding, broken, look, ok
from blackbox_qt.doctor.found import Found, Search, is_recorder
from blackbox_qt.doctor.machine import Machine

CABLE = (
    "With the power off, press the ribbon cable home at both ends, contacts the right way round, latch closed; "
    "then `rpicam-hello --list-cameras`. A USB camera: another port or cable, then `lsusb`."
)


def cameras(case: Case) -> Finding:
    """What is plugged in, against what is configured."""
    search = case.find(case.machine)
    data = {"found": [camera.as_dict() for camera in search.cameras], "trouble": list(search.trouble),
            "configured": [{"name": c.name, "source": c.source} for c in case.config.camera]}  # fmt: skip
    text = "; ".join([*map(short, search.cameras), *search.trouble]) or "none found"
    wanted = [camera for camera in case.config.camera if is_hardware(camera)]
    missing = [c for c in wanted if not any(kind_of(c) in (f.kind, "auto") for f in search.cameras)]
    if missing:
        names = ", ".join(f"{camera.name} ({camera.source})" for camera in missing)
        return broken(f"{text}; configured but not there: {names}", CABLE, **data)
    if not search.cameras:
        return look(text, f"{CABLE} Until then the program can show a test picture or a video file.", **data)
    return _unused(case, search, text, bool(wanted), data)


def _unused(case: Case, search: Search, text: str, wanted: bool, data: dict[str, object]) -> Finding:
    strangers = [f"{c.spec} is held by {in_words(s)}" for c in search.cameras if (s := _strangers(c, case.machine))]
    if strangers:
        words = "Only one program can have a camera: end that one."
        return look(f"{text}; {', '.join(strangers)}", words, **data)
    if not wanted:
        first = search.cameras[0].spec
        words = f'No camera is configured: write source = "{first}" under [[camera]] in the configuration file.'
        return look(text, words, **data)
    if search.trouble:
        return look(text, "The camera that could be looked at is well; see the line about the camera stack.", **data)
    return ok(text, **data)


def _strangers(camera: Found, machine: Machine) -> list[Holder]:
    return [holder for holder in camera.holders if not is_recorder(machine, holder)]


def short(camera: Found) -> str:
    """One camera in a few words.

    Threads: any.
    """
    where = f" at {camera.where}" if camera.where else ""
    return f"{camera.model}{where} ({camera.spec})"
