"""Words on a picture: light letters on a dark plate, drawn by OpenCV on the planes of a YUV 4:2:0 picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.core.opencv import opencv

Plane = NDArray[np.uint8]
_INK, _PLATE, _NEUTRAL = 235, 24, 128
_SIGNS = {"·": 0.5, "±": 0.9}  # width in heights of a letter: OpenCV's own letters are ASCII only
_LEAST = 10  # pixels: smaller letters cannot be read


def caption(picture: Plane, width: int, height: int, left: str, right: str = "") -> None:
    """Write along the lower edge: `left` large, `right` in the other corner, smaller, where there is room, else above.

    picture: (height * 3 / 2, width), the three planes one behind the other, changed in place. What the plates cover
    is gone; the untouched picture is in the original.
    """
    size = max(_LEAST, height // 32)
    main = plate(left, _fitting(left, size, width))
    _put(picture, main, height, 0, height - main.shape[0])
    if not right:
        return
    small = plate(right, _fitting(right, max(_LEAST, size * 2 // 3), width))
    beside = main.shape[1] + small.shape[1] <= width
    top = height - small.shape[0] - (0 if beside else main.shape[0])
    _put(picture, small, height, width - small.shape[1], top)


def card(width: int, height: int, lines: list[str]) -> Plane:
    """A dark YUV 4:2:0 picture with these lines in its middle, the first one larger."""
    picture = np.full((height * 3 // 2, width), _NEUTRAL, np.uint8)
    picture[:height] = _PLATE
    sizes = [max(_LEAST, height // (20 if number == 0 else 30)) for number in range(len(lines))]
    plates = [plate(line, _fitting(line, size, width)) for line, size in zip(lines, sizes, strict=True)]
    top = max(0, (height - sum(one.shape[0] for one in plates)) // 2)
    for one in plates:
        if top + one.shape[0] <= height:
            _put(picture, one, height, (width - one.shape[1]) // 2, top)
        top += one.shape[0]
    return picture


@lru_cache(maxsize=64)
def plate(text: str, size: int) -> Plane:
    """A dark plate with these words, as luma; size: of a capital letter, pixels. Its sides are even."""
    cv2 = opencv()
    pieces = _pieces(text)
    widths = [_width(piece, size) for piece in pieces]
    pad = max(4, size // 2)
    high, wide = size + 2 * pad, sum(widths) + 2 * pad
    out = np.full((high + high % 2, wide + wide % 2), _PLATE, np.uint8)
    x, base = pad, pad + size
    for piece, width in zip(pieces, widths, strict=True):
        if piece in _SIGNS:
            _sign(out, piece, x, base, size)
        else:
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(out, piece, (x, base), font, _scale(size), _INK, _weight(size), cv2.LINE_AA)
        x += width
    return out


def _pieces(text: str) -> list[str]:
    """Runs of ASCII, and the signs that are drawn here; any other sign becomes "?"."""
    pieces = [""]
    for char in text:
        if char in _SIGNS:
            pieces += [char, ""]
        else:
            pieces[-1] += char if char.isascii() and char.isprintable() else "?"
    return [piece for piece in pieces if piece]


def _scale(size: int) -> float:
    return size / 21.0  # FONT_HERSHEY_SIMPLEX: a capital letter is 21 pixels high at scale 1


def _weight(size: int) -> int:
    return max(1, size // 11)


def _width(piece: str, size: int) -> int:
    if piece in _SIGNS:
        return round(_SIGNS[piece] * size)
    cv2 = opencv()
    (width, _), _ = cv2.getTextSize(piece, cv2.FONT_HERSHEY_SIMPLEX, _scale(size), _weight(size))
    return int(width)


def _sign(out: Plane, sign: str, x: int, base: int, size: int) -> None:
    cv2 = opencv()
    weight, middle = _weight(size), x + round(_SIGNS[sign] * size / 2)
    if sign == "·":
        cv2.circle(out, (middle, base - size // 2), max(1, size // 8), _INK, -1, cv2.LINE_AA)
        return
    arm, centre = round(size * 0.32), base - round(size * 0.55)
    for start, end in (
        ((middle - arm, centre), (middle + arm, centre)),
        ((middle, centre - arm), (middle, centre + arm)),
        ((middle - arm, base), (middle + arm, base)),
    ):
        cv2.line(out, start, end, _INK, weight, cv2.LINE_AA)


def _fitting(text: str, size: int, width: int) -> int:
    """The size at which the plate is no wider than the picture."""
    wide = sum(_width(piece, size) for piece in _pieces(text)) + 2 * max(4, size // 2) + 2
    return size if wide <= width else max(4, size * width // (wide + size))


def _put(picture: Plane, one: Plane, height: int, left: int, top: int) -> None:
    """Copy a plate onto the luma and make the chroma under it neutral; its place is moved to even numbers."""
    width = picture.shape[1]
    left, top = max(0, left & ~1), max(0, top & ~1)
    one = one[: height - top, : width - left]
    rows, columns = one.shape
    picture[top : top + rows, left : left + columns] = one
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    chroma[:, top // 2 : (top + rows) // 2, left // 2 : (left + columns) // 2] = _NEUTRAL
