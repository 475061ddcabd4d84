"""A painted, moving scene of any size and rate: the camera that every machine has."""

from __future__ import annotations

import mmap
import re
from functools import partial

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.pace import Pacer
from blackbox_qt.core.pool import BufferPool
from blackbox_qt.sources import marks
from blackbox_qt.sources.software import SoftwareSource
from blackbox_qt.sources.source import CLOSE_LIMIT_S, Deliver, SourceError

_SPEC = re.compile(r"(?:(\d+)x(\d+))?(?:@(\d+(?:\.\d+)?))?")
_SMALLEST, _LARGEST = 32, 8192  # pixels
_SLOWEST, _FASTEST = 0.1, 1000  # frames per second
_BARS = ((235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34), (106, 202, 222), (81, 90, 240), (41, 240, 110))
"""75 % colour bars, (Y, Cb, Cr), ITU-R BT.471."""


class PatternSource(SoftwareSource):
    """Hills passing by under colour bars, with the frame number and the boot clock painted in (see `marks`).

    Threads: see Source; frames come on `cam-<camera>`.
    """

    origin = "pattern"

    def __init__(
        self,
        camera: str,
        buffers: int,
        width: int = 1280,
        height: int = 720,
        fps: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        for side, name in ((width, "width"), (height, "height")):
            if not _SMALLEST <= side <= _LARGEST or side % 2:
                raise SourceError(
                    f"pattern: {name} {side} is not allowed; use an even number from {_SMALLEST} to {_LARGEST}",
                    permanent=True,
                )
        if not _SLOWEST <= fps <= _FASTEST:
            words = f"pattern: {fps:g} frames per second is not allowed; use {_SLOWEST} to {_FASTEST}"
            raise SourceError(words, permanent=True)
        super().__init__(camera, clock)
        self.device = f"pattern {width}x{height}@{fps:g}"
        self.buffers = buffers
        self.fps = fps
        self.layout: Layout | None = Layout.packed(width, height)
        self._pool: BufferPool | None = None
        self._scene: _Scene | None = None

    @classmethod
    def from_spec(cls, rest: str, camera: str, buffers: int) -> PatternSource:
        """From what follows `pattern:`, e.g. "1920x1080@25" or "". Raises SourceError."""
        match = _SPEC.fullmatch(rest)
        if match is None:
            words = f"source pattern:{rest} is not understood; write pattern:WIDTHxHEIGHT@FPS"
            raise SourceError(words, permanent=True)
        width, height, fps = match.groups()
        return cls(camera, buffers, int(width or 1280), int(height or 720), float(fps or 30))

    def open(self) -> None:
        assert self.layout is not None
        self._pool = BufferPool(self.buffers, self.layout.size)
        self._scene = _Scene(self.layout)

    def close(self) -> None:
        pool, self._pool, self._scene = self._pool, None, None
        if pool is not None and not pool.lending.wait_home(CLOSE_LIMIT_S):
            raise SourceError(f"{self.device}: {pool.lending.out} frames did not come home", process=True)

    def _play(self, deliver: Deliver, pacer: Pacer) -> None:
        assert self._pool is not None
        number = 0
        while (due := pacer.wait(int(number * NS / self.fps))) is not None:
            buffer = self._pool.take()
            if buffer is not None:  # else the frame is lost, like on a camera: a hole in the numbers
                deliver(self._lend(buffer, self._seq, due, self._pool))
            number, self._seq = number + 1, self._seq + 1

    def _lend(self, buffer: tuple[int, mmap.mmap], seq: int, t_ns: int, pool: BufferPool) -> Frame:
        assert self.layout is not None and self._scene is not None
        image = Image(self.layout, [buffer[1]], key=(id(pool), buffer[0]))
        self._scene.paint(image, seq, t_ns)
        return Frame.lend(self.camera, seq, t_ns, {"main": image}, partial(pool.give, buffer))


class _Scene:
    """The picture: a panorama painted once, of which each frame shows the next piece.

    Threads: one.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._panorama = _panorama(layout.width, layout.height)
        self._digits = _digits(max(2, layout.height // 160))

    def paint(self, image: Image, seq: int, t_ns: int) -> None:
        width, height = self._layout.width, self._layout.height
        shift = seq * max(2, width // 240) // 2 * 2 % width
        y, u, v = image.planes()
        for plane, source, divisor in zip((y, u, v), self._panorama, (1, 2, 2), strict=True):
            np.copyto(plane, source[:, shift // divisor : (shift + width) // divisor])
        self._block(y, seq)
        cell = marks.cell_size(width, height)
        u[: marks.ROWS * cell // 2, : marks.COLUMNS * cell // 2] = 128
        v[: marks.ROWS * cell // 2, : marks.COLUMNS * cell // 2] = 128
        marks.paint(y, seq, t_ns)
        self._write(y, f"{t_ns // NS // 3600:02d}:{t_ns // NS // 60 % 60:02d}:{t_ns // NS % 60:02d}", height * 5 // 6)
        self._write(y, f"{seq:08d}", height * 11 // 12)

    def _block(self, y: NDArray[np.uint8], seq: int) -> None:
        """A light block that crosses the picture once in about four seconds at 30 fps: motion in one glance."""
        height, width = y.shape
        side = max(4, height // 10)
        left = seq * max(1, width // 120) % max(1, width - side)
        y[height // 2 : height // 2 + side, left : left + side] = 235

    def _write(self, y: NDArray[np.uint8], text: str, top: int) -> None:
        left = 8
        for letter in text:
            glyph = self._digits[letter]
            rows, columns = glyph.shape
            if left + columns > y.shape[1] or top + rows > y.shape[0]:
                return
            y[top : top + rows, left : left + columns] = glyph
            left += columns


def _panorama(width: int, height: int) -> tuple[NDArray[np.uint8], ...]:
    """Y, U, V of a scene twice as wide as the picture, whose second half repeats the first."""
    x = np.linspace(0, 2 * np.pi, width, endpoint=False)
    rows = np.arange(height)[:, None]
    hill = height * (0.62 + 0.06 * np.sin(3 * x) + 0.04 * np.sin(7 * x + 1))[None, :]
    sky = 190 - 60 * rows / height + 0 * hill
    ground = 60 + 50 * (rows - hill) / height + 12 * np.sin(40 * x)[None, :]
    land = rows > hill
    planes = [np.where(land, ground, sky), np.where(land, 108, 150) + 0 * hill, np.where(land, 120, 108) + 0 * hill]
    bars = slice(height // 6, height // 4)
    for index, shade in enumerate(_BARS):
        columns = slice(width * index // 7, width * (index + 1) // 7)
        for plane, value in zip(planes, shade, strict=True):
            plane[bars, columns] = value
    halves = (planes[0], planes[1][::2, ::2], planes[2][::2, ::2])
    return tuple(np.tile(plane.astype(np.uint8), (1, 2)) for plane in halves)


_SEGMENTS = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc",
             "7": "abc", "8": "abcdefg", "9": "abcdfg", ":": ":"}  # fmt: skip
_STROKES = {"a": (0, 1, 1, 4), "b": (1, 4, 4, 5), "c": (5, 4, 8, 5), "d": (8, 1, 9, 4), "e": (5, 0, 8, 1),
            "f": (1, 0, 4, 1), "g": (4, 1, 5, 4)}  # fmt: skip
"""Seven-segment strokes as (top, left, bottom, right) on a grid of 9 x 5 dots."""


def _digits(dot: int) -> dict[str, NDArray[np.uint8]]:
    """Seven-segment figures on their own dark plate, `dot` pixels a dot."""
    glyphs = {}
    for letter, segments in _SEGMENTS.items():
        grid = np.full((11, 7), 16, np.uint8)
        for segment in segments.strip(":"):
            top, left, bottom, right = _STROKES[segment]
            grid[1 + top : 1 + bottom, 1 + left : 1 + right] = 235
        if letter == ":":
            grid[[4, 7], 3] = 235
        glyphs[letter] = grid.repeat(dot, 0).repeat(dot, 1)
    return glyphs
