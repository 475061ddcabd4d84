"""From a camera's YUV to the YUV that a JPEG file means: BT.601, full range (JFIF 1.02)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.core.layout import LUMA_WEIGHTS, Layout
from blackbox_qt.core.opencv import opencv

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@lru_cache(maxsize=8)
def yuv_to_rgb(matrix: str, full_range: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M, offset): rgb = M @ (yuv - offset), all in 0..1. Source: ITU-R BT.601-7, BT.709-6, BT.2020-2."""
    kr, kb = LUMA_WEIGHTS[matrix]
    kg = 1 - kr - kb
    m = np.array(
        [
            [1, 0, 2 * (1 - kr)],
            [1, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1, 2 * (1 - kb), 0],
        ]
    )
    offset = np.array([0, 128 / 255, 128 / 255])
    if not full_range:
        m = m * np.array([255 / 219, 255 / 224, 255 / 224])
        offset = np.array([16 / 255, 128 / 255, 128 / 255])
    return m, offset


@lru_cache(maxsize=8)
def _to_jfif_matrix(matrix: str, full_range: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(A, b): jfif = A @ yuv + b, in 8-bit levels."""
    m, offset = yuv_to_rgb(matrix, full_range)
    back, back_offset = yuv_to_rgb("bt601", True)
    a = np.linalg.inv(back) @ m
    return a, (back_offset - a @ offset) * 255


def to_jfif(planes: list[NDArray[np.uint8]], layout: Layout) -> Planes:
    """Y, U, V planes as JPEG means them, 4:2:0; the originals where they already are that. NV12 is taken apart.

    Luma takes the two chroma terms of the matrix at half resolution, which is what they have. OpenCV is imported with
    the first call. Raises ValueError for a format that is not YUV 4:2:0.
    """
    cv2 = opencv()
    if layout.fourcc == "NV12":
        u, v = cv2.split(planes[1].reshape(len(planes[1]), -1, 2))
        planes = [planes[0], u, v]
    elif layout.fourcc != "YU12":
        raise ValueError(f"{layout.fourcc} cannot be made into JPEG; YU12 and NV12 can")
    if layout.full_range and layout.matrix == "bt601":
        return planes[0], planes[1], planes[2]
    a, b = _to_jfif_matrix(layout.matrix, layout.full_range)
    y, u, v = planes
    # Chroma first: the luma column of A is zero there, so two quarter-size sums give each.
    cb = cv2.addWeighted(u, a[1, 1], v, a[1, 2], b[1])
    cr = cv2.addWeighted(u, a[2, 1], v, a[2, 2], b[2])
    if layout.matrix == "bt601":
        return cv2.convertScaleAbs(y, alpha=a[0, 0], beta=b[0]), cb, cr
    return _luma(y, u, v, a[0], b[0]), cb, cr


def _luma(
    y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8], row: NDArray[np.float64], constant: float
) -> NDArray[np.uint8]:
    """row @ (y, u, v) + constant, in 8-bit levels."""
    cv2 = opencv()
    shift = 128 - (row[1] + row[2]) * 128
    term = cv2.addWeighted(u, row[1], v, row[2], shift)
    # Each chroma sample stands for 2 x 2 of luma: doubled sideways by interleaving it with itself, and up and down by
    # using the same row for every other one. A quarter of the time that cv2.resize takes.
    twice = cv2.merge((term, term)).reshape(len(term), -1)
    out = np.empty(y.shape, np.uint8)
    for first in (0, 1):
        rows = y[first::2]
        cv2.addWeighted(rows, row[0], twice[: len(rows), : y.shape[1]], 1.0, constant - shift, dst=out[first::2])
    return out
