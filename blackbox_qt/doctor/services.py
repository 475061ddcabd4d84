"""What systemd says about the recorder and the screen."""

from __future__ import annotations

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, broken, look, ok, worst
from blackbox_qt.doctor.machine import Machine

RECORDER, KIOSK = "blackbox-recorder.service", "blackbox-kiosk.service"


def services(case: Case) -> Finding:
    """Whether the recorder starts with the machine, and runs."""
    machine = case.machine
    if not machine.exists("/run/systemd/system"):
        return ok("systemd does not run here: the recorder is started by hand", systemd=False)
    findings = [_judged(machine, RECORDER, "recorder", needed=True), _judged(machine, KIOSK, "screen", needed=False)]
    whole = worst(findings)
    return Finding(whole.state, whole.found, whole.do, {"systemd": True, **whole.data})


def _judged(machine: Machine, unit: str, name: str, *, needed: bool) -> Finding:
    active, enabled = _said(machine, "is-active", unit), _said(machine, "is-enabled", unit)
    data = {f"{name}_active": active, f"{name}_enabled": enabled}
    text = f"{unit} is {active or 'unknown'}, {enabled or 'not installed'}"
    if enabled in ("", "not-found"):
        return ok(f"{unit} is not installed: the {name} is started by hand", **data)
    if active == "failed" or (active == "activating" and needed):
        words = f"See why: journalctl -u {unit} -b -n 50; then: sudo systemctl restart {unit}"
        return broken(text, words, **data)
    if needed and active != "active":
        return look(text, f"Nothing is being recorded: sudo systemctl start {unit}", **data)
    if needed and enabled not in ("enabled", "static", "alias"):
        return look(text, f"It does not start with the machine: sudo systemctl enable {unit}", **data)
    beside = "; encoder and card above were measured beside it" if needed else ""
    return ok(f"{text}{beside}", **data)


def _said(machine: Machine, verb: str, unit: str) -> str:
    """One word, also when systemctl's exit code says no."""
    done = machine.run(["systemctl", verb, unit], 5)
    return done.out.strip().splitlines()[0] if done is not None and done.out.strip() else ""
