"""Input lines of the GPIO header, through libgpiod. The library is imported when a line is wanted."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import gpiod

_BOUNCE = timedelta(milliseconds=30)  # a contact's own; filtered by the kernel
_DEV = Path("/dev")


class LineError(Exception):
    """A line cannot be used; one sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which line, and how it is wired.

    Threads: immutable, any.
    """

    name: str  # as the kernel calls it: "GPIO17"; or CHIP:NUMBER, as "gpiochip0:17"
    active_low: bool = False
    bias: str = "as-is"  # pull-up | pull-down | none | as-is


class Line(Protocol):
    """An input; active means what `Wish.active_low` says.

    Threads: one.
    """

    def fileno(self) -> int:
        """Readable when the level has changed."""
        ...

    def active(self) -> bool:
        """The level now. Raises LineError."""
        ...

    def changes(self) -> list[bool]:
        """The levels it has changed to since the last call; only when readable. Raises LineError."""
        ...

    def close(self) -> None: ...


def open_line(wish: Wish, dev: Path = _DEV) -> Line:
    """Raises LineError.

    Threads: any; milliseconds, and once the import of a small library.
    """
    try:
        import gpiod
    except ImportError as error:
        raise LineError(f"{wish.name}: the Python package gpiod cannot be loaded ({error}); install it") from error
    chip, offset = _find(gpiod.Chip, wish.name, dev)
    with chip, _in_words(wish.name):
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.INPUT,
            edge_detection=gpiod.line.Edge.BOTH,
            bias=getattr(gpiod.line.Bias, _BIAS[wish.bias]),
            active_low=wish.active_low,
            debounce_period=_BOUNCE,
        )
        request = chip.request_lines({offset: settings}, consumer="blackbox-qt")
    return _Gpio(wish.name, request, offset)


_BIAS = {"pull-up": "PULL_UP", "pull-down": "PULL_DOWN", "none": "DISABLED", "as-is": "AS_IS"}


class _Gpio:
    """A Line of the kernel."""

    def __init__(self, name: str, request: gpiod.LineRequest, offset: int) -> None:
        self._name, self._request, self._offset = name, request, offset

    def fileno(self) -> int:
        return self._request.fd

    def active(self) -> bool:
        with _in_words(self._name):
            return bool(self._request.get_value(self._offset).value)

    def changes(self) -> list[bool]:
        with _in_words(self._name):
            events = self._request.read_edge_events()
        return [event.event_type is event.Type.RISING_EDGE for event in events]

    def close(self) -> None:
        self._request.release()


def _find(open_chip: type[gpiod.Chip], name: str, dev: Path) -> tuple[gpiod.Chip, int]:
    """The chip that has the line, open, and the line's number there: chips change their numbers between kernels."""
    chip_name, colon, number = name.rpartition(":")
    paths = [dev / chip_name] if colon else sorted(dev.glob("gpiochip*"))
    if not paths:
        raise LineError(f"{name}: this machine has no GPIO lines (no {dev}/gpiochip*)")
    closed: OSError | None = None
    for path in paths:
        try:
            chip = open_chip(str(path))
        except OSError as error:  # the line may be on another one
            closed = OSError(error.errno, error.strerror, str(path))
            continue
        try:
            return chip, chip.line_offset_from_id(number)
        except (OSError, ValueError):
            chip.close()
    if closed is not None:
        raise LineError(f"{name}: {_why(closed, Path(closed.filename))}") from closed
    raise LineError(f"{name}: no GPIO line is called so; `gpioinfo` lists them")


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LineError(f"{name}: {_why(error)}") from error


def _why(error: OSError, path: Path | None = None) -> str:
    if error.errno == errno.EBUSY:
        return "another program uses this line; `gpioinfo` says which"
    if error.errno in (errno.EACCES, errno.EPERM) and path is not None:
        return f"{path} may not be opened by this user; add it to the group gpio"
    if error.errno == errno.ENOENT and path is not None:
        return f"there is no {path}; `gpioinfo` lists chips and lines"
    return f"the GPIO line cannot be used ({error.strerror or error})"
