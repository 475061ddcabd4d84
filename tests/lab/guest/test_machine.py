"""The machine is what the other tests believe it to be. Also the shortest example of a test in the guest."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

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
@pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")
def test_picamera2_gives_paced_pictures_in_dma_bufs_and_stalls_on_demand() -> None:
    from picamera2 import Picamera2

    assert {info["Id"] for info in Picamera2.global_camera_info()} == VIRTUAL
    camera = Picamera2(0)
    camera.configure(camera.create_video_configuration({"size": (320, 240), "format": "NV12"}, buffer_count=6))
    try:
        camera.start()
        numbers, stamps = zip(*(look(camera) for _ in range(10)), strict=True)
        assert list(numbers) == sorted(set(numbers)), numbers
        assert stamps[-1] - stamps[0] > 0.25e9, "ten pictures at once: the pacer does not work"
        camera_id = camera.camera.id
        stall, counted = Path(f"/run/lab/stall-{camera_id}"), Path(f"/run/lab/frames-{camera_id}")
        stall.touch()
        time.sleep(1)
        before = counted.stat().st_size
        time.sleep(1)
        assert counted.stat().st_size == before > 0
        stall.unlink()
        assert look(camera)[0] > numbers[-1]
    finally:
        camera.stop()
        camera.close()


def look(camera: Any) -> tuple[int, int]:
    """Number and sensor time (ns) of the next picture, which lies in a dma-buf."""
    request = camera.capture_request()
    buffer = next(iter(request.request.buffers.values()))
    assert os.readlink(f"/proc/self/fd/{buffer.planes[0].fd}").startswith("/dmabuf")
    found = buffer.metadata.sequence, request.get_metadata()["SensorTimestamp"]
    request.release()
    return found
