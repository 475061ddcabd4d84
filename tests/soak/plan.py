"""What happens during the soak: every half hour of recorded time something else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from .stage import Stage

Event = Callable[[Stage], None]


def stall(stage: Stage) -> None:
    """The card does not answer for 5 s: no frame may be lost."""
    stage.disk.stall()
    stage.run(5)
    stage.disk.heal()


def long_stall(stage: Stage) -> None:
    """Longer than the memory holds."""
    stage.disk.stall()
    stage.run(15)
    stage.disk.heal()


def card_error(stage: Stage) -> None:
    stage.disk.fail()
    stage.run(3)
    stage.disk.heal()


def lost_frames(stage: Stage) -> None:
    """The camera's driver loses some."""
    for source in stage.sources.values():
        source.skip(3)


def haste(stage: Stage) -> None:
    """More frames than the encoder can take: the mailbox drops."""
    stage.hasty = True
    stage.run(2)
    stage.hasty = False


def unplugged(stage: Stage) -> None:
    """A camera dies and comes back."""
    name = random.Random(stage.clock.boot_ns()).choice(sorted(stage.sources))
    failed = stage.sources[name].failed
    if failed is not None and stage.sources[name].running.is_set():
        failed(OSError("unplugged"))
    stage.run(20)


def silence(stage: Stage) -> None:
    """A camera gives nothing any more, and is started again."""
    name = sorted(stage.sources)[-1]
    stage.silent.add(name)
    stage.run(6)
    stage.silent.discard(name)


def paused(stage: Stage) -> None:
    """The user stops recording."""
    stage.app.pause(30)
    stage.run(40)


def watched(stage: Stage) -> None:
    """Viewers come, look for some minutes, and go."""
    stage.watch(3)
    stage.run(180)
    stage.watch(0)


def marked(stage: Stage) -> None:
    """MARK, and twice that: one event."""
    stage.app.marking.ask("soak", "a bang")
    stage.run(40)
    stage.app.marking.ask("soak", "and again")
    stage.run(100)


def unmarked(stage: Stage) -> None:
    """The oldest mark is taken back."""
    marks = [mark for mark in stage.app.marking.marks() if not mark.undone and mark.state != "waiting"]
    if marks:
        stage.app.marking.undo(marks[0].id)


def clock_jumps(stage: Stage) -> None:
    """The wall clock was wrong by a day."""
    stage.clock.utc_offset_ns += random.Random(stage.clock.boot_ns()).choice([-1, 1]) * 86_400 * 10**9


EVENTS: tuple[Event, ...] = (
    lost_frames, marked, watched, stall, haste, marked, card_error, unplugged, paused, silence, long_stall, unmarked,
    clock_jumps,
)  # fmt: skip
EVERY_S = 900.0


def events() -> Iterator[Event]:
    """For ever, in this order: a shorter soak has the first of them."""
    while True:
        yield from EVENTS
