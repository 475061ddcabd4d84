"""The hub gives each frame of one camera to everyone interested, and never waits for any of them."""

from __future__ import annotations

import threading
from collections import Counter

from blackbox_qt.core.frame import Frame, Lease, reap
from blackbox_qt.core.mailbox import Mailbox

SPARE_BUFFERS = 3
"""What the camera itself needs: one being filled, one queued behind it, one on its way."""


class BudgetError(ValueError):
    """The camera has too few buffers for everyone who wants frames."""


class Hub:
    """One camera's distribution list, and who holds what.

    The rule that keeps the camera alive: buffers >= max(depth) + sum(holds) + 3. A mailbox drops its oldest frame, so
    all of them together never keep more than max(depth) different ones waiting.

    Threads: `attach`, `detach`, `check`, `holders` any; `publish` on the source's thread.
    """

    def __init__(self, camera: str, buffers: int) -> None:
        self.camera = camera
        self.buffers = buffers
        self._mailboxes: tuple[Mailbox, ...] = ()
        self._lock = threading.Lock()
        self._leases: dict[int, Lease] = {}

    def attach(
        self, name: str, *, depth: int = 1, holds: int = 1, paused: bool = False, keeps: bool = False
    ) -> Mailbox:
        """A mailbox for `name`; `keeps`: what waits in it is wanted even when the source has stopped.

        Raises BudgetError, one sentence, if the camera's buffers do not suffice.
        """
        box = Mailbox(name, depth, holds, paused=paused, keeps=keeps)
        with self._lock:
            boxes = (*self._mailboxes, box)
            self._check(boxes, self.buffers, f" with {name}")
            self._mailboxes = boxes  # replaced, never changed: publish iterates without the lock
        return box

    def check(self, buffers: int) -> None:
        """Whether so many would suffice. Raises BudgetError if not."""
        self._check(self._mailboxes, buffers)

    def _check(self, boxes: tuple[Mailbox, ...], buffers: int, with_whom: str = "") -> None:
        need = buffers_needed(boxes)
        if need > buffers:
            raise BudgetError(
                f"camera {self.camera} has {buffers} buffers, but{with_whom} its consumers need {need}; "
                f"raise its setting buffers to {need} or more"
            )

    def detach(self, box: Mailbox) -> None:
        """Take a mailbox off the list and close it. Twice is harmless."""
        with self._lock:
            self._mailboxes = tuple(b for b in self._mailboxes if b is not box)
        box.close()

    def publish(self, frame: Frame) -> None:
        """Share `frame` with every mailbox and close it. Takes over the handle, never blocks."""
        key = id(frame.lease)
        self._leases[key] = frame.lease
        with frame:
            for box in self._mailboxes:
                box.put(frame)
        self._sweep()
        reap()

    def source_stopped(self) -> None:
        """Nothing comes any more: pictures waiting to be shown go home, those waiting to be recorded stay."""
        for box in self._mailboxes:
            if not box.keeps:
                box.clear()

    def holders(self) -> Counter[str]:
        """How many buffers each holder has now, and under "free" what nobody holds."""
        held: Counter[str] = Counter()
        out = 0
        for lease in list(self._leases.values()):
            names = lease.holders()
            out += bool(names)
            held.update(names)
        held["free"] = self.buffers - out
        return held

    def _sweep(self) -> None:
        """Forget leases that have gone home."""
        for key, lease in list(self._leases.items()):
            if not lease.open:
                self._leases.pop(key, None)


def buffers_needed(boxes: tuple[Mailbox, ...]) -> int:
    """The buffer budget of a set of mailboxes, in frames."""
    return max((b.depth for b in boxes), default=0) + sum(b.holds for b in boxes) + SPARE_BUFFERS
