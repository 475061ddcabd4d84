"""The parts of the status that tell of the worst day: card, alarm, what was given up, board."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardStatus:
    """The card that recordings go to, and what stands in for it.

    Threads: immutable, any.
    """

    state: str = "none"  # none | fine | missing | broken | removed; none: no card is expected
    words: str = ""  # what is wrong with it, or how its removal went; empty when well
    doing: str = ""  # a removal under way
    id: str = ""  # from its identity file
    ring_bytes: int = 0  # recorded on the system's disk, when last looked
    ring_limit: int = 0  # bytes; 0: there is no emergency recording
    ring_s: float = 0.0  # how long the ring reaches back at most
    moving_bytes: int = 0  # on the system's disk, waiting for the card
    moved: int = 0  # segments that came home since the start


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Whether the alarm sounds: recording has stopped being true.

    Threads: immutable, any.
    """

    on: bool = False
    words: str = ""  # why
    alarms: int = 0  # since the start
    chimes: int = 0  # times recording began
    sound: str = ""  # why none is heard; empty while sounds are played


@dataclass(frozen=True, slots=True)
class SheddingStatus:
    """What was given up so that recording goes on.

    Threads: immutable, any.
    """

    level: int = 0  # steps down the ladder; 0: nothing
    words: str = ""  # what is given up and why; empty for nothing
    taken: int = 0  # steps down since the start
    undone: int = 0  # steps up
    screen_fps: float | None = None  # pictures a second that a window may show; None: all


@dataclass(frozen=True, slots=True)
class BoardStatus:
    """Threads: immutable, any."""

    celsius: float | None = None  # the warmest place; None: not told
    undervoltage: bool = False  # the supply's voltage is too low now
    throttled: bool = False  # the processor is being slowed down now
