"""Where the pictures go in a window. Plain numbers, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Size = tuple[int, int]
"""Width, height."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, y downwards, in whatever pixels its user counts.

    Threads: immutable, any.
    """

    x: int
    y: int
    width: int
    height: int

    def holds(self, x: float, y: float) -> bool:
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def grown(self, by: int) -> Box:
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def scaled(self, by: float) -> Box:
        return Box(round(self.x * by), round(self.y * by), round(self.width * by), round(self.height * by))


@dataclass(frozen=True, slots=True)
class Margins:
    """What lies over the pictures: the strip's height on top, and the gap between things.

    Threads: immutable, any.
    """

    top: int = 0
    gap: int = 0


def letterbox(picture: Size, room: Box) -> Box:
    """The largest box of a picture's proportions in the middle of `room`."""
    scale = min(room.width / picture[0], room.height / picture[1])
    width, height = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
    return Box(room.x + (room.width - width) // 2, room.y + (room.height - height) // 2, width, height)


def arrange(pictures: Sequence[Size], window: Size, margins: Margins = Margins()) -> list[Box]:
    """A box for each picture: the first large, the others small in the top right corner, or below it when upright."""
    if not pictures:
        return []
    if window[1] > window[0] and len(pictures) > 1:
        return _stacked(pictures, window, margins)
    return [_large(pictures[0], window, margins), *_insets(pictures[1:], window, margins)]


def _large(picture: Size, window: Size, margins: Margins) -> Box:
    """Edge to edge. The strip takes free room where there is some, else the top of the picture, which is sky."""
    box = letterbox(picture, Box(0, 0, *window))
    free = window[1] - margins.top
    y = margins.top + (free - box.height) // 2 if box.height <= free else window[1] - box.height
    return Box(box.x, y, box.width, box.height)


def _insets(pictures: Sequence[Size], window: Size, margins: Margins) -> list[Box]:
    width = round(window[0] * 0.3)
    most = (window[1] - margins.top) // max(2, len(pictures)) - 2 * margins.gap
    boxes, y = [], margins.top + margins.gap
    for picture in pictures:
        scale = min(width / picture[0], most / picture[1])
        w, h = max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale))
        boxes.append(Box(window[0] - margins.gap - w, y, w, h))
        y += h + margins.gap
    return boxes


def _stacked(pictures: Sequence[Size], window: Size, margins: Margins) -> list[Box]:
    """One below the other under the strip, the first at full width, all sharing what height there is."""
    room = window[1] - margins.top - margins.gap * (len(pictures) - 1)
    scales = [window[0] / w for w, _ in pictures]
    wanted = sum(h * s for (_, h), s in zip(pictures, scales, strict=True))
    shrink = max(0.0, min(1.0, room / wanted))
    boxes, y = [], margins.top
    for (w, h), scale in zip(pictures, scales, strict=True):
        width, height = max(1, round(w * scale * shrink)), max(1, round(h * scale * shrink))
        boxes.append(Box((window[0] - width) // 2, y, width, height))
        y += height + margins.gap
    return boxes
