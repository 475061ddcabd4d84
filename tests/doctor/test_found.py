"""Lists of cameras."""

from __future__ import annotations

import json
from pathlib import Path

from blackbox_qt.core.holders import Holder
from blackbox_qt.doctor.found import Found, Search, find_cameras, pi_cameras, usb_cameras
from blackbox_qt.doctor.machine import Done
from tests.doctor.trees import CAM0, healthy_pi, pc
from tests.sources.fake_v4l2 import FakeCamera, FakeKernel

WEBCAM = "\\\\_SB_.PCI0.RP07.PXSX-1.2:1.0-046d:0825"


def test_the_pis_own_cameras_are_asked_for_in_a_process_of_their_own(tmp_path: Path) -> None:
    tree = healthy_pi(tmp_path)
    listed = [{"Model": "imx708", "Id": CAM0, "Num": 0}, {"Model": "HD Webcam", "Id": WEBCAM, "Num": 1}]
    tree.programs["pi_probe"] = Done(0, json.dumps(listed))
    search = pi_cameras(tree.machine())
    assert search == Search((Found("picamera", "imx708", "cam0", "picamera:imx708@cam0"),)), "USB ones are V4L2's"


def test_a_camera_stack_that_fails_is_a_sentence(tmp_path: Path) -> None:
    tree = healthy_pi(tmp_path)
    tree.programs["pi_probe"] = Done(
        1, "", "Traceback...\nImportError: libcamera.so.0.5: cannot open shared object file\n"
    )
    search = pi_cameras(tree.machine())
    assert search.cameras == () and "ImportError: libcamera.so.0.5" in search.trouble[0]
    tree.modules.discard("picamera2")
    assert "not installed" in pi_cameras(tree.machine()).trouble[0]


def test_a_pc_is_not_told_to_install_what_only_a_pi_needs(tmp_path: Path) -> None:
    assert find_cameras(pc(tmp_path).machine()) == Search()


def test_usb_cameras_with_what_to_write_and_what_they_can(tmp_path: Path) -> None:
    tree, kernel = pc(tmp_path), FakeKernel(tmp_path)
    modes = {"YUYV": {(640, 480): (30.0,), (1920, 1080): (5.0,)}, "MJPG": {(1920, 1080): (30.0, 15.0)}}
    kernel.plug(FakeCamera(modes=modes), 0, 1)
    kernel.plug(FakeCamera(name="Other", serial="", port="usb-xhci-hcd.0-1.3"), 2, 3)
    first, second = usb_cameras(tree.machine(), kernel).cameras
    assert (first.model, first.spec, first.device) == ("HD Webcam", "v4l2:5A1B", "/dev/video0")
    assert first.formats == ("YUYV up to 1920x1080 at 5", "MJPG up to 1920x1080 at 30") and first.holders == ()
    assert second.spec == "v4l2:usb-xhci-hcd.0-1.3", "without a serial number its port"


def test_who_holds_a_camera_and_one_that_may_not_be_opened(tmp_path: Path) -> None:
    tree, kernel = pc(tmp_path), FakeKernel(tmp_path)
    kernel.plug(FakeCamera(), 0, 1)
    tree.write("/proc/812/comm", "motion")
    (tmp_path / "proc/812/fd").mkdir()
    (tmp_path / "proc/812/fd/7").symlink_to("/dev/video0")
    assert usb_cameras(tree.machine(), kernel).cameras[0].holders == (Holder(812, "motion"),)
    kernel.closed_to_us.update({"/dev/video0", "/dev/video1"})
    shut = usb_cameras(tree.machine(), kernel).cameras[0]
    assert "usermod -aG video" in shut.words and shut.formats == ()
    assert shut.as_dict()["holders"] == [{"pid": 812, "name": "motion"}]
