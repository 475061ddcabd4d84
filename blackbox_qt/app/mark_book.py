"""What a press of MARK makes of the marks there are. Pure: no clock, no lock, no disk."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.core.local_time import UNSYNCED
from blackbox_qt.storage.marks import Kind, Mark

_SEPARATOR = " · "
_LONGEST = 2000  # letters of a reason or a note, however often somebody adds to it


def new_id() -> str:
    """A name that no mark ever had, on any card: an undo must never touch another mark's locks."""
    return "m" + secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody wants this moment kept.

    Threads: immutable, any.
    """

    id: str  # of the mark, if it becomes a new one
    by: str
    reason: str
    note: str
    kind: Kind
    whole_trip: bool
    machine_boot: str
    anchor: Anchor  # when


def pressed(marks: Mapping[str, Mark], press: Press, config: MarksConfig) -> Mark:
    """The mark of this press: the event that is under way goes on longer, or a new one begins.

    Threads: any.
    """
    event = _under_way(marks, press)
    return _begun(press, config) if event is None else _extended(event, press, config)


def _under_way(marks: Mapping[str, Mark], press: Press) -> Mark | None:
    """An automatic event never swallows a person's, nor a whole trip one moment of it: each can be undone alone."""
    alike = [m for m in marks.values() if m.kind == press.kind and m.whole_trip == press.whole_trip]
    running = [m for m in alike if m.is_running(press.machine_boot, press.anchor.boot_ns)]
    return max(running, key=lambda mark: mark.asked_ns, default=None)


def _begun(press: Press, config: MarksConfig) -> Mark:
    now = press.anchor.boot_ns
    return Mark(
        id=press.id,
        state="asked",
        kind=press.kind,
        by=press.by,
        reason=press.reason[:_LONGEST],
        note=press.note[:_LONGEST],
        machine_boot=press.machine_boot,
        asked_ns=now,
        from_ns=0 if press.whole_trip else max(0, now - round(config.before_s * NS)),
        until_ns=None if press.whole_trip else now + round(config.after_s * NS),
        utc_ns=None if press.anchor.source == UNSYNCED else press.anchor.utc_ns,
    )


def _extended(event: Mark, press: Press, config: MarksConfig) -> Mark:
    until = press.anchor.boot_ns + round(config.after_s * NS)
    return replace(
        event,
        state="extended",
        reason=_joined(event.reason, press.reason),
        note=_joined(event.note, press.note),
        until_ns=None if event.until_ns is None else max(event.until_ns, until),
    )


def _joined(old: str, new: str) -> str:
    """What was said first stays; the same said again adds nothing."""
    if not new or new in old.split(_SEPARATOR):
        return old
    return f"{old}{_SEPARATOR}{new}"[:_LONGEST] if old else new[:_LONGEST]


def undone(mark: Mark) -> Mark:
    """Its locks are to go; those of other marks stay.

    Threads: any.
    """
    return mark if mark.undone else replace(mark, state="undone", undone=True)


def merged(one: Mark, other: Mark) -> Mark:
    """Of two journals' versions of a mark, the one in which more has happened.

    Threads: any.
    """

    def progress(mark: Mark) -> tuple[bool, float, bool]:
        return mark.undone, float("inf") if mark.until_ns is None else mark.until_ns, mark.settled

    return max(one, other, key=progress)
