"""What the notes of a box about itself tell: what happened when, and what explains video that is not there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

NS = 1_000_000_000
_SILENT = 3  # so many notes missing in a row, and the program did not run
_HOT_C = 80.0
_NEAR_NS = 3 * NS  # a note so far from a hole may still tell of it
_CAUSES = {
    "camera": "the camera lost them",
    "mailbox": "the encoder was late",
    "encoder": "the encoder failed",
    "disk": "the card was late",
    "stopped": "stopped by the user",
    "shed": "given up to keep recording",
}

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that lasted from one moment to another, on the boot clock of one start of the machine.

    Threads: immutable, any.
    """

    machine_boot: str
    from_ns: int
    to_ns: int
    camera: str  # "" for the whole box
    words: str

    @property
    def seconds(self) -> float:
        return (self.to_ns - self.from_ns) / NS


@dataclass(frozen=True, slots=True)
class Hole:
    """Time of a camera for which there is no video, between two segments of one start of the machine.

    Threads: immutable, any.
    """

    machine_boot: str
    camera: str
    from_ns: int
    to_ns: int


def happenings(notes: Sequence[Note], every_s: float) -> list[Happening]:
    """All that was not as it should be, in order; the same thing in notes that follow each other is one."""
    found: list[Happening] = []
    for before, note in pairwise(notes):
        if before["machine_boot"] == note["machine_boot"]:
            found += _between(before, note, every_s)
    return _merged(found)


def _between(before: Note, note: Note, every_s: float) -> list[Happening]:
    boot, start, end = note["machine_boot"], before["boot_ns"], note["boot_ns"]
    found: list[tuple[str, str]] = []
    if before["program"] != note["program"]:
        how = "the program was ended" if before["last"] else "the program ended without a word (a crash, or killed)"
        return [Happening(boot, start, end, "", f"{how} and began again")]
    if (end - start) / NS > _SILENT * every_s + 2:
        found.append(("", "the recorder noted nothing: it hung, or the system's disk did"))
    if note["words"]:
        found.append(("", note["words"]))
    found += [("", words) for words in _box(note)]
    for name, camera in note["cameras"].items():
        found += [(name, words) for words in _camera(before["cameras"].get(name, {}), camera)]
    return [Happening(boot, start, end, camera, words) for camera, words in found]


def _box(note: Note) -> Iterable[str]:
    if note["undervoltage"]:
        yield "the supply's voltage was too low"
    if note["throttled"]:
        yield "the processor was slowed down"
    if note["celsius"] is not None and note["celsius"] >= _HOT_C:
        yield f"the board was hot ({_HOT_C:.0f} °C or more)"
    if note["shed"]:
        yield "something was given up to keep recording"


def _camera(before: Note, now: Note) -> Iterable[str]:
    if now["state"] == "fault":
        yield "no pictures from the camera"
    if now["rec"] != "recording":
        yield {"paused": "recording was paused"}.get(now["rec"], "not recording")
    for cause, count in now["lost"].items():
        if more := count - before.get("lost", {}).get(cause, 0):
            yield f"frames lost: {_CAUSES.get(cause, cause)}" if more > 0 else "counted anew"


def _merged(found: list[Happening]) -> list[Happening]:
    merged: list[Happening] = []
    open_: dict[tuple[str, str, str], int] = {}
    for one in found:
        key = one.machine_boot, one.camera, one.words
        at = open_.get(key)
        if at is not None and one.from_ns <= merged[at].to_ns:
            merged[at] = Happening(*key[:1], merged[at].from_ns, one.to_ns, one.camera, one.words)
        else:
            open_[key] = len(merged)
            merged.append(one)
    return merged


def holes(segments: Iterable[tuple[str, str, int, int]], least_s: float = 1.0) -> list[Hole]:
    """Where video is missing. segments: (machine boot, camera, first and last picture's time), in any order."""
    by_camera: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for boot, camera, first, last in segments:
        if boot:
            by_camera.setdefault((boot, camera), []).append((first, last))
    found = []
    for (boot, camera), spans in by_camera.items():
        end = None
        for first, last in sorted(spans):
            if end is not None and first - end > least_s * NS:
                found.append(Hole(boot, camera, end, first))
            end = last if end is None else max(end, last)
    return sorted(found, key=lambda hole: (hole.machine_boot, hole.from_ns))


def why(hole: Hole, found: Iterable[Happening]) -> list[str]:
    """What the notes tell of that time; nothing when they do not explain it."""
    near = [
        one for one in found
        if one.machine_boot == hole.machine_boot and one.camera in ("", hole.camera)
        and one.from_ns <= hole.to_ns + _NEAR_NS and one.to_ns >= hole.from_ns - _NEAR_NS
    ]  # fmt: skip
    return list(dict.fromkeys(one.words for one in near))


def moment(machine_boot: str, boot_ns: int, notes: Sequence[Note]) -> int | None:
    """UTC of a boot time, ns, by the nearest note of that start whose clock somebody vouched for; None: unknown."""
    trusted = [note for note in notes if note["machine_boot"] == machine_boot and note["source"] != "unsynced"]
    if not trusted:
        return None
    near = min(trusted, key=lambda note: abs(note["boot_ns"] - boot_ns))
    return int(near["utc_ns"] + boot_ns - near["boot_ns"])
