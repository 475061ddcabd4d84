"""Which connections have room for another picture: one question to the kernel for all of them."""

from __future__ import annotations

import select


class Room:
    """Descriptors of sockets with a low-water mark (TCP_NOTSENT_LOWAT), which makes "writable" mean "nearly drained".

    A socket closed while it is in here never counts as having room; its number may be given to another one, so
    whoever writes asks its own connection first whether it is still open.

    Threads: one, the web loop's.
    """

    def __init__(self) -> None:
        self._poll = select.poll()

    def add(self, fd: int) -> None:
        self._poll.register(fd, select.POLLOUT)

    def discard(self, fd: int) -> None:
        """Twice is harmless, and so is after its socket was closed."""
        try:
            self._poll.unregister(fd)
        except KeyError:
            return

    def now(self) -> list[int]:
        """Those that the kernel takes another picture for."""
        return [fd for fd, events in self._poll.poll(0) if events & select.POLLOUT]
