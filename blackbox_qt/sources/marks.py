"""A frame counter and a clock painted into a picture so that a program can read them back, even after H.264.

A grid of 16 x 6 cells in the top left corner, light for 1 and dark for 0, row by row: 32 bits of frame number, 48 bits
of time in microseconds, 16 bits of CRC-32 over those ten bytes. Only luma is used.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 16, 6
_DARK, _LIGHT = 32, 220


def cell_size(width: int, height: int) -> int:
    """Pixels along one cell's side in a picture of that size."""
    return max(2, min(width // 64, height // 36) & ~1)


def paint(luma: NDArray[np.uint8], seq: int, t_ns: int) -> None:
    """Paint frame number and time into a luma plane of shape (height, width)."""
    cell = cell_size(luma.shape[1], luma.shape[0])
    body = (seq & 0xFFFFFFFF).to_bytes(4, "big") + (t_ns // 1000 & 0xFFFFFFFFFFFF).to_bytes(6, "big")
    bits = np.unpackbits(np.frombuffer(body + _check(body), np.uint8)).reshape(ROWS, COLUMNS)
    shades = np.where(bits, np.uint8(_LIGHT), np.uint8(_DARK))
    luma[: ROWS * cell, : COLUMNS * cell] = shades.repeat(cell, 0).repeat(cell, 1)


def read(luma: NDArray[np.uint8]) -> tuple[int, int] | None:
    """(frame number, time in microseconds) painted into a luma plane; None where there is no valid mark."""
    cell = cell_size(luma.shape[1], luma.shape[0])
    if luma.shape[0] < ROWS * cell or luma.shape[1] < COLUMNS * cell:
        return None
    grid = luma[: ROWS * cell, : COLUMNS * cell].reshape(ROWS, cell, COLUMNS, cell)
    edge = cell // 4  # the middle of a cell: its borders ring after compression
    middle = grid[:, edge : cell - edge, :, edge : cell - edge].mean(axis=(1, 3))
    data = np.packbits(middle > (_DARK + _LIGHT) / 2).tobytes()
    if data[10:] != _check(data[:10]):
        return None
    return int.from_bytes(data[:4], "big"), int.from_bytes(data[4:10], "big")


def _check(body: bytes) -> bytes:
    return (zlib.crc32(body) & 0xFFFF).to_bytes(2, "big")
