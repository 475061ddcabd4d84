"""The machine is what the other tests believe it to be. Also the shortest example of a test in the guest."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import av
import pytest

VIRTUAL = {"Virtual0", "Virtual1"}


def test_it_has_a_pis_software() -> None:
    assert platform.machine() == "aarch64"
    assert "trixie" in Path("/etc/os-release").read_text()
    assert tuple(map(int, av.__version__.split(".")[:2])) >= (18, 1)


def test_v4l2_has_two_cameras_that_only_capture() -> None:
    names = [(p / "name").read_text().strip() for p in sorted(Path("/sys/class/video4linux").iterdir())]
    assert len(names) == 2 and all(name.startswith("vivid-") for name in names), names


@pytest.mark.keeps  # Picamera2 leaves a selector to the collector
def test_picamera2_gives_paced_pictures_in_dma_bufs_and_stalls_on_demand() -> None:
    from picamera2 import Picamera2

    assert {info["Id"] for info in Picamera2.global_camera_info()} == VIRTUAL
    camera = Picamera2(0)
    try:
        config = camera.create_video_configuration({"size": (320, 240), "format": "NV12"}, buffer_count=6)
        camera.configure(config)
        camera.start()
        begin, numbers = time.monotonic(), []
        for _ in range(10):
            request = camera.capture_request()
            buffer = next(iter(request.request.buffers.values()))
            numbers.append(buffer.metadata.sequence)
            assert os.readlink(f"/proc/self/fd/{buffer.planes[0].fd}").startswith("/dmabuf")
            request.release()
        took = time.monotonic() - begin
        assert numbers == list(range(numbers[0], numbers[0] + 10)), numbers
        assert took > 0.25, "ten pictures at once: the pacer does not work"
        camera.stop()
    finally:
        camera.close()
