"""`cameras`, `camera-test`, `doctor` and `bench` on real libcamera, Picamera2 and V4L2, as somebody types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.guest.program import small

PI = ("--source", "front=picamera:Virtual0", *small("front"))
USB = ("--source", "front=v4l2:/dev/video0", *small("front"), "--set", "camera.front.format=YUYV")


def typed(*words: str) -> tuple[int, Any]:
    """(exit code, what was printed as JSON)."""
    done = subprocess.run(
        [sys.executable, "-m", "blackbox_qt", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.startswith("{"), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    return typed("cameras")[1]["cameras"]


def test_all_cameras_are_listed_with_what_to_write(listed: list[dict[str, Any]]) -> None:
    assert [camera["kind"] for camera in listed] == ["picamera", "picamera", "v4l2", "v4l2"]
    specs = [camera["spec"] for camera in listed]
    assert len(set(specs)) == 4 and all("Virtual" in spec for spec in specs[:2]), specs
    assert all(any(form.startswith("YUYV") for form in camera["formats"]) for camera in listed[2:])


@pytest.fixture
def held() -> Iterator[str]:
    """A V4L2 camera that this process has open."""
    fd = os.open("/dev/video1", os.O_RDWR)
    yield "/dev/video1"
    os.close(fd)


def test_who_holds_a_camera_is_named(held: str) -> None:
    camera = next(camera for camera in typed("cameras")[1]["cameras"] if camera["device"] == held)
    assert os.getpid() in [holder["pid"] for holder in camera["holders"]]


@pytest.mark.parametrize("number", [0, 2])
def test_a_listed_camera_can_be_tested_by_its_number(number: int, listed: list[dict[str, Any]], tmp_path: Path) -> None:
    still = tmp_path / "still.jpg"
    code, answer = typed("camera-test", "--camera", str(number), "--output", str(still))
    assert code in (0, 1), "the emulated machine may be too slow for the rate"
    assert answer["source"] == listed[number]["spec"] and still.read_bytes()[:2] == b"\xff\xd8"
    checks = {check["name"]: check for check in answer["checks"]}
    assert checks["light"]["state"] == "ok" and checks["pictures"]["data"]["frames"] > 2


@pytest.mark.parametrize(("camera", "copies"), [(PI, 0), (USB, 1)])
def test_the_bench_counts_copies(camera: tuple[str, ...], copies: float, tmp_path: Path) -> None:
    code, answer = typed("bench", *camera, "--seconds", "4", "--set", f"storage.data={tmp_path / 'data'}")
    assert code == 0
    unwatched, watched = answer["parts"]
    assert unwatched["copies_per_frame"] == copies and unwatched["frames"] > 10
    assert watched["to_viewer_ms"]["samples"] > 3 and unwatched["to_disk_ms"]["samples"] > 10
    assert not list(tmp_path.iterdir())


def test_the_doctor_knows_a_pis_software(tmp_path: Path) -> None:
    code, answer = typed("doctor", "--quick", *PI, "--set", f"storage.data={tmp_path / 'data'}")
    checks = {check["name"]: check for check in answer["checks"]}
    unseen = {name: check["found"] for name, check in checks.items() if "could not be looked at" in check["found"]}
    assert not unseen
    assert checks["camera stack"]["state"] == "ok" and "Picamera2 0.3" in checks["camera stack"]["found"]
    assert checks["cameras"]["state"] == "ok", checks["cameras"]
    assert checks["libraries"]["state"] == "ok", checks["libraries"]
    assert checks["window"]["state"] == "ok", checks["window"]
    assert "llvmpipe" in checks["screen"]["found"] and checks["screen"]["state"] == "look here"
    assert code == (1 if answer["verdict"] == "broken" else 0)
