"""What the pictures of a USB camera cost before they are anybody's: 1080p from YUYV and Motion JPEG to 4:2:0."""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import numpy as np
import simplejpeg
from av.video.reformatter import VideoReformatter

from benchmarks.measure import Figure
from benchmarks.setup import Setup
from blackbox_qt.core.layout import FORMATS, Layout
from blackbox_qt.sources.v4l2_convert import Jpeg, Yuyv

WIDTH, HEIGHT = 1920, 1080
_PLANAR = FORMATS["YU12"].av


def measure(setup: Setup) -> list[Figure]:
    """Milliseconds of this thread's CPU for a picture, ours beside other ways to the same."""
    packed = _scene(HEIGHT, WIDTH * 2)
    whole = memoryview(packed).cast("B")
    chroma = _scene(HEIGHT, WIDTH // 2)
    jpeg = simplejpeg.encode_jpeg_yuv_planes(_scene(HEIGHT, WIDTH), chroma, chroma.copy(), quality=85)
    yuyv = Yuyv(Layout.packed(WIDTH, HEIGHT, "YUYV"))
    mjpg = Jpeg(Layout.packed(WIDTH, HEIGHT, "MJPG"))
    ways: dict[str, Callable[[], object]] = {
        "YUYV to 4:2:0": lambda: yuyv(whole),
        "YUYV to 4:2:0 by numpy": lambda: _by_numpy(packed),
        f"JPEG of {len(jpeg) >> 10} KB to 4:2:0": lambda: mjpg(memoryview(jpeg)),
        "the same by libav and swscale": lambda: _by_swscale(jpeg),
    }
    rounds = {name: [] for name in ways}
    for _ in range(setup.runs):
        for name, way in ways.items():
            rounds[name].append(_cost_ms(way, 10 if setup.quick else 60))
    return [Figure(name, tuple(samples), "ms") for name, samples in rounds.items()]


def _scene(rows: int, columns: int) -> np.ndarray:
    """Slopes with the noise of a sensor."""
    slope = np.add.outer(np.arange(rows) * 100 // rows, np.arange(columns) * 80 // columns) + 30
    return np.clip(slope + np.random.default_rng(1).normal(0, 4, slope.shape), 0, 255).astype(np.uint8)


def _cost_ms(way: Callable[[], object], times: int) -> float:
    way()
    begin = time.thread_time_ns()
    for _ in range(times):
        way()
    return (time.thread_time_ns() - begin) / times / 1e6


def _by_numpy(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luma, and interleaved colour of which two rows are averaged: NV12."""
    words = packed.view(np.uint16)
    luma = words.astype(np.uint8)
    colour = (words[0::2] >> 8) + (words[1::2] >> 8)
    return luma, (colour >> 1).astype(np.uint8)


def _by_swscale(jpeg: bytes) -> object:
    picture = _decoder.decode(av.Packet(jpeg))[0]
    return _scaler.reformat(picture, format=_PLANAR, dst_color_range="JPEG", threads=1)


_decoder = av.CodecContext.create("mjpeg", "r")
_decoder.thread_count = 1
_scaler = VideoReformatter()
