"""Counts the pages that each frame touches for the first time on its way into the encoder. Prints JSON.

Every allocation above 1 MB is made to come fresh from the kernel, in pages of 4 KiB, so that a copy of a frame shows as
one page fault for each of its pages. Run by test_encoder.py, with a copying encoder as positive control.
"""

from __future__ import annotations

import ctypes
import json
import resource
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np

from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.picture import wrap

M_MMAP_THRESHOLD = -3  # malloc.h
PR_SET_THP_DISABLE = 41  # linux/prctl.h
LAYOUT = Layout.packed(1280, 720)
MEMORY = bytearray(LAYOUT.size)


def faults_per_frame(encode: Callable[[int], object], frames: int = 20) -> float:
    """Minor page faults per call, after a few calls to warm up."""
    for number in range(5):
        encode(number)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for number in range(5, 5 + frames):
        encode(number)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / frames


def main() -> None:
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 20)
    libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    codec = av.VideoCodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 1280, 720, "yuv420p", Fraction(1, 30)
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1"}

    def ours(number: int) -> None:
        with Frame.lend("f", number, 0, {"main": Image(LAYOUT, [MEMORY])}, lambda: None) as frame:
            picture = wrap(frame.images["main"])
            picture.pts = number
            codec.encode(picture)
            del picture

    def copying(number: int) -> None:
        array = np.frombuffer(MEMORY, np.uint8).reshape(1080, 1280)
        picture = av.VideoFrame.from_ndarray(array, "yuv420p")
        picture.pts = 100 + number
        codec.encode(picture)

    pages = LAYOUT.size / resource.getpagesize()
    print(json.dumps({"pages": pages, "ours": faults_per_frame(ours), "copying": faults_per_frame(copying)}))


if __name__ == "__main__":
    main()
