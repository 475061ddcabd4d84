"""Words instead of a picture, so that a fault has a face on every screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.core.opencv import opencv

Picture = NDArray[np.uint8]
_INK, _PLATE, _WARNING = (213, 220, 227), (17, 22, 27), (255, 178, 36)  # RGB, the night tokens


def blank(width: int, height: int) -> Picture:
    """A dark RGB picture of shape (height, width, 3)."""
    return np.full((height, width, 3), _PLATE, np.uint8)


def say(picture: Picture, title: str, words: str = "") -> Picture:
    """`picture` dimmed to a third, with a title and a line of words on a dark plate across its middle; a new array.

    OpenCV is imported with the first call; it can draw ASCII only, anything else becomes "?".
    """
    cv2 = opencv()
    height, width = picture.shape[:2]
    out = picture // 3
    size = max(0.4, min(width / 640, height / 360)) * 1.1
    lines = [(title, size, _WARNING, 2), *((text, size * 0.6, _INK, 1) for text in _wrapped(words, 44))]
    gap = int(size * 34)
    top = height // 2 - gap * len(lines) // 2 - gap // 2
    cv2.rectangle(out, (0, top), (width, top + gap * (len(lines) + 1)), _PLATE, -1)
    for row, (text, scale, colour, weight) in enumerate(lines):
        plain = text.encode("ascii", "replace").decode()
        weight = max(1, round(weight * size))
        (wide, tall), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
        scale *= min(1.0, 0.94 * width / max(1, wide))
        (wide, tall), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
        at = ((width - wide) // 2, top + gap * (row + 1) + tall // 3)
        cv2.putText(out, plain, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, weight, cv2.LINE_AA)
    return out


def _wrapped(words: str, columns: int) -> list[str]:
    import textwrap

    return textwrap.wrap(words, columns)[:4]
