"""The program with two cameras through Picamera2 and one through V4L2: recorded, watched, disturbed and ended once.

The tests look at different sides of that one drive: starting the program takes long under emulation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import simplejpeg

from tests.lab.guest.program import Program, check, driver_numbers, lost, numbers, openings, records, small

pytestmark = [pytest.mark.keeps, pytest.mark.timeout(800)]  # one drive for all tests of this file

CAMERAS = {"front": "picamera:Virtual0", "rear": "picamera:Virtual1", "cabin": "v4l2:/dev/video0"}
IDS = {"front": "Virtual0", "rear": "Virtual1"}
STALL = Path("/run/lab/stall-Virtual1")
IN_FLIGHT = 12  # pictures that a camera's end may overtake: its buffers


class Drive:
    """What was seen during the drive."""

    def __init__(self, folder: Path) -> None:
        sources = [word for name, spec in CAMERAS.items() for word in ("--source", f"{name}={spec}")]
        for left in Path("/run/lab").glob("frames-*"):
            left.unlink()
        self.program = Program(folder, "--headless", *sources, *small(*CAMERAS), "--set", "storage.segment_s=10")
        self.pictures: dict[str, list[bytes]] = {}
        self.stalled: dict[str, Any] = {}
        self.mended: dict[str, Any] = {}
        self.front_frames: list[int] = []
        self.ending: tuple[int, float] = (-1, 0.0)

    def go(self) -> None:
        self._wait_for(CAMERAS)
        for path in ("/video_feed", *(f"/stream/{name}.mjpg" for name in CAMERAS)):
            self.pictures[path] = self.program.pictures(path, 3)
        self._disturb()
        time.sleep(5)
        self.ending = self.program.end()

    def _wait_for(self, names: Any) -> None:
        def live() -> bool:
            found = [self.program.camera(name) for name in names]
            return all(c["state"] == "live" and c["recording"]["state"] == "recording" for c in found)

        self.program.until(live, 240, f"{', '.join(names)} live and recorded")

    def _disturb(self) -> None:
        """The rear camera stops for as long as it takes to be noticed, then goes on."""
        self.front_frames.append(self.program.camera("front")["frames"])
        STALL.touch()
        try:
            self.stalled = self.program.until(lambda: self._rear("fault"), 60, "the stalled camera is noticed")
            self.front_frames.append(self.program.camera("front")["frames"])
        finally:
            STALL.unlink()
        self._wait_for(["rear"])
        self.mended = self.program.camera("rear")
        self.front_frames.append(self.program.camera("front")["frames"])

    def _rear(self, state: str) -> dict[str, Any] | None:
        found = self.program.camera("rear")
        return found if found["state"] == state else None


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    made = Drive(tmp_path_factory.mktemp("drive"))
    try:
        made.go()
        yield made
    finally:
        made.program.stop()


def test_every_stream_gives_jpegs_of_its_camera(drive: Drive) -> None:
    assert len(drive.pictures) == 1 + len(CAMERAS)
    for path, pictures in drive.pictures.items():
        for picture in pictures:
            pixels = simplejpeg.decode_jpeg(picture)
            assert pixels.shape[:2] in {(240, 320), (180, 320)}, (path, pixels.shape)
            assert pixels.std() > 10, f"{path} is one colour"


def test_a_stalled_camera_is_said_and_heals_and_the_other_does_not_notice(drive: Drive) -> None:
    assert "gives no pictures" in drive.stalled["words"], drive.stalled
    assert drive.mended["words"] == "" and drive.mended["frames"] > drive.stalled["frames"]
    before, during, after = drive.front_frames
    assert before < during < after


def test_it_ends_politely(drive: Drive) -> None:
    code, _ = drive.ending
    assert code == 0, drive.program.log
    assert "Traceback" not in drive.program.log, drive.program.log


def test_the_recordings_are_as_they_were_recorded(drive: Drive) -> None:
    code, said = check(drive.program.data)
    assert code == 0, said
    assert not list(drive.program.data.rglob("*.part")), "all files are finished"
    assert "from a camera" in said and "TEST PATTERN" not in said


@pytest.mark.parametrize("camera", IDS)
def test_every_number_of_the_driver_is_recorded_or_counted_as_lost(drive: Drive, camera: str) -> None:
    bodies = records(drive.program.data, camera)
    given, kept = openings(driver_numbers(IDS[camera])), openings(numbers(bodies))
    assert len(kept) == len(given) > (camera == "rear"), (kept, given)
    missing = 0
    for driver, recorded in zip(given, kept, strict=True):
        assert set(recorded) <= set(driver)
        between = [number for number in driver if recorded[0] <= number <= recorded[-1]]
        missing += len(between) - len(recorded)
        assert len(driver) - len(between) <= IN_FLIGHT, (driver, recorded)
    assert missing == lost(bodies), f"{missing} missing"


def test_every_number_of_vivid_is_recorded_or_counted_as_lost(drive: Drive) -> None:
    bodies = records(drive.program.data, "cabin")
    (kept,) = openings(numbers(bodies))
    assert len(kept) > 50
    assert kept[-1] - kept[0] + 1 == len(kept) + lost(bodies)
