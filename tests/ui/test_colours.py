"""What the screen shows against what the standards say, pixel by pixel, computed in floating point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blackbox_qt.core.layout import LUMA_WEIGHTS, Layout
from blackbox_qt.ui.viewport import Viewport
from tests.fakes import HandClock
from tests.ui.helpers import HandCamera, Pixels, framebuffer, spin

WIDTH, HEIGHT = 318, 182  # odd halves


@pytest.fixture
def camera() -> HandCamera:
    return HandCamera()


@pytest.fixture
def viewport(qt: Any, camera: HandCamera) -> Iterator[Viewport]:
    viewport = Viewport(HandClock())
    viewport.resize(WIDTH, HEIGHT)
    viewport.watch("front", camera.hub)
    viewport.show()
    spin(lambda: viewport.isValid() and not camera.hub._mailboxes[0].paused)
    yield viewport
    viewport.shut()
    viewport.deleteLater()


@pytest.mark.parametrize("fourcc", ["YU12", "NV12"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("stride", [0, 384])
def test_colours(
    viewport: Viewport, camera: HandCamera, fourcc: str, matrix: str, full_range: bool, stride: int
) -> None:
    layout = Layout.packed(WIDTH, HEIGHT, fourcc, stride=stride, matrix=matrix, full_range=full_range)
    y, u, v = random_planes()
    planes = [y, u, v] if fourcc == "YU12" else [y, np.dstack([u, v]).reshape(len(u), -1)]
    camera.show(layout, planes, HandClock().now_ns)
    spin(lambda: viewport.report()["front"].shown == 1)
    assert camera.lending.out == 0, "upload copies: the frame goes home at once"
    error = np.abs(framebuffer(viewport).astype(float) - reference(y, u, v, matrix, full_range))
    # llvmpipe interpolates in 8 bits, off by up to one level of chroma; BT.709 makes 2.1 levels of blue of it.
    assert (error > 2).mean() < 1e-4
    assert error.max() <= 3
    assert error.mean() < 0.5


def random_planes() -> tuple[Pixels, Pixels, Pixels]:
    """Luma of every shade in any order; chroma of every legal one, at most 28 levels from one sample to the next."""
    random = np.random.default_rng(7)
    chroma = []
    for _ in range(2):
        coarse = random.choice([16.0, 128.0, 240.0], (HEIGHT // 16 + 2, WIDTH // 16 + 2))
        fine = at(at(coarse, np.arange(HEIGHT // 2) / 8).T, np.arange(WIDTH // 2) / 8).T
        chroma.append(np.rint(fine).astype(np.uint8))
    return random.integers(0, 256, (HEIGHT, WIDTH), np.uint8), chroma[0], chroma[1]


def reference(y: Pixels, u: Pixels, v: Pixels, matrix: str, full_range: bool) -> NDArray[np.float64]:
    """RGB 0..255, whole levels, after ITU-R BT.601/709; chroma interpolated from its MPEG-2 places: (2i, 2j + 1/2)."""
    cb, cr = (up(plane.astype(float)) for plane in (u, v))
    luma = y.astype(float)
    if not full_range:
        luma, cb, cr = (luma - 16) * 255 / 219, (cb - 128) * 255 / 224, (cr - 128) * 255 / 224
    else:
        cb, cr = cb - 128, cr - 128
    kr, kb = LUMA_WEIGHTS[matrix]
    kg = 1 - kr - kb
    red = luma + 2 * (1 - kr) * cr
    blue = luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / kg
    return np.clip(np.rint(np.dstack([red, green, blue])), 0, 255)


def up(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = at(plane, (np.arange(HEIGHT) - 0.5) / 2)
    return at(rows.T, np.arange(WIDTH) / 2).T


def at(rows: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows between rows, the outermost ones repeated."""
    places = np.clip(places, 0, len(rows) - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, len(rows) - 1)
    part = (places - low)[:, None]
    return rows[low] * (1 - part) + rows[high] * part
