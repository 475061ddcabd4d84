"""Which camera is meant, and that it is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.sources.source import SourceError
from blackbox_qt.sources.v4l2_identity import Known, cameras
from tests.sources.fake_v4l2 import CAPTURE, FakeCamera, FakeKernel


def front() -> FakeCamera:
    return FakeCamera("HD Pro Webcam C920", serial="8C2F", port="usb-xhci-hcd.0-1")


def rear() -> FakeCamera:
    return FakeCamera("Arducam 8MP", serial="UC684", port="usb-xhci-hcd.1-2")


def twins() -> tuple[FakeCamera, FakeCamera]:
    """Two of a kind from a maker who gives all of them the same serial number."""
    same = {"name": "USB Camera", "serial": "200901010001"}
    return FakeCamera(**same, port="usb-xhci-hcd.0-1"), FakeCamera(**same, port="usb-xhci-hcd.0-2")


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def node(known: Known, kernel: FakeKernel, which: str, who: str = "front") -> str:
    return known.find(who, which, kernel, kernel.root).node


def refusal(known: Known, kernel: FakeKernel, which: str, who: str = "front") -> str:
    with pytest.raises(SourceError) as caught:
        known.find(who, which, kernel, kernel.root)
    assert not caught.value.permanent, "it may be plugged in later"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nodes_are_listed_with_what_they_are(kernel: FakeKernel) -> None:
    kernel.plug(front(), 0, 1)
    kernel.plug(FakeCamera("vivid", serial="", port="platform:vivid-000", driver="vivid"), 10)
    found = cameras(kernel, kernel.root)
    assert [(c.node, c.name, c.serial, c.port, c.index, c.pictures) for c in found] == [
        ("/dev/video0", "HD Pro Webcam C920", "8C2F", "usb-xhci-hcd.0-1", 0, True),
        ("/dev/video1", "HD Pro Webcam C920", "8C2F", "usb-xhci-hcd.0-1", 1, False),
        ("/dev/video10", "vivid", "", "platform:vivid-000", 0, True),
    ]
    assert str(found[0]) == "HD Pro Webcam C920 (serial 8C2F, usb-xhci-hcd.0-1)"
    assert str(found[2]) == "vivid (platform:vivid-000)"


def test_a_machine_without_any_camera(kernel: FakeKernel) -> None:
    assert cameras(kernel, kernel.root) == []
    assert refusal(Known(), kernel, "/dev/video0") == (
        "the camera v4l2:/dev/video0 is not there (there is no USB camera at all); plug it in, "
        "or correct the setting source"
    )


@pytest.mark.parametrize(
    "which",
    ["/dev/video2", "video2", "2", "UC684", "usb-xhci-hcd.1-2", "Arducam 8MP", "arducam",
     "/dev/v4l/by-id/usb-Arducam_8MP_UC684-video-index0"],
)  # fmt: skip
def test_a_camera_is_named_by_number_serial_port_name_or_link(kernel: FakeKernel, which: str) -> None:
    kernel.plug(front(), 0, 1)
    kernel.plug(rear(), 2, 3)
    assert node(Known(), kernel, which) == "/dev/video2"


def test_no_name_means_the_only_camera(kernel: FakeKernel) -> None:
    kernel.plug(rear(), 4, 5)
    assert node(Known(), kernel, "") == "/dev/video4"
    kernel.plug(front(), 0, 1)
    assert refusal(Known(), kernel, "") == (
        "v4l2: may be 2 cameras; write v4l2:usb-xhci-hcd.0-1 or v4l2:usb-xhci-hcd.1-2"
    )


def test_an_unknown_name_says_what_is_there(kernel: FakeKernel) -> None:
    kernel.plug(front(), 0, 1)
    words = refusal(Known(), kernel, "Logitech")
    assert words.startswith("the camera v4l2:Logitech is not there (there is v4l2:8C2F is HD Pro Webcam C920)")


def test_a_metadata_node_says_where_the_pictures_are(kernel: FakeKernel) -> None:
    kernel.plug(front(), 0, 1)
    words = refusal(Known(), kernel, "/dev/video1")
    assert words == "/dev/video1 of HD Pro Webcam C920 gives no pictures; its pictures come from /dev/video0"


def test_a_pis_own_camera_is_not_for_v4l2(kernel: FakeKernel) -> None:
    kernel.plug(FakeCamera("rp1-cfe", "", "platform:1f00128000.csi"), 0, caps=(CAPTURE | 0x2000_0000,))
    assert "gives no pictures; take another one" in refusal(Known(), kernel, "/dev/video0")


@pytest.mark.parametrize("which", ["/dev/video0", "0", "8C2F", "usb-xhci-hcd.0-1", "C920"])
def test_it_is_found_again_under_another_number(kernel: FakeKernel, which: str) -> None:
    known, camera = Known(), front()
    kernel.plug(camera, 0, 1)
    assert node(known, kernel, which) == "/dev/video0"
    kernel.unplug(camera)
    assert refusal(known, kernel, which) == (
        "HD Pro Webcam C920 (serial 8C2F, usb-xhci-hcd.0-1) was unplugged; plug it in again"
    )
    kernel.plug(rear(), 0, 1)  # what now has its number is another camera
    assert "was unplugged" in refusal(known, kernel, which)
    kernel.plug(camera, 2, 3)
    assert node(known, kernel, which) == "/dev/video2"


@pytest.mark.parametrize("which", ["/dev/video0", "8C2F"])
def test_it_is_found_again_at_another_connector_by_its_serial_number(kernel: FakeKernel, which: str) -> None:
    known, camera = Known(), front()
    kernel.plug(camera, 0, 1)
    node(known, kernel, which)
    kernel.unplug(camera)
    camera.port = "usb-xhci-hcd.1-4"
    kernel.plug(camera, 6, 7)
    assert node(known, kernel, which) == "/dev/video6"


def test_twins_with_one_serial_number_are_told_apart_by_their_connectors(kernel: FakeKernel) -> None:
    known, (left, right) = Known(), twins()
    kernel.plug(left, 0, 1)
    kernel.plug(right, 2, 3)
    assert node(known, kernel, "/dev/video0", "front") == "/dev/video0"
    assert node(known, kernel, "/dev/video2", "rear") == "/dev/video2"
    for camera in (left, right):
        kernel.unplug(camera)
    kernel.plug(right, 0, 1)  # they come back in another order
    assert "was unplugged" in refusal(known, kernel, "/dev/video0", "front")
    assert node(known, kernel, "/dev/video2", "rear") == "/dev/video0"
    kernel.plug(left, 2, 3)
    assert node(known, kernel, "/dev/video0", "front") == "/dev/video2"


def test_cameras_that_were_exchanged_are_found_again_too(kernel: FakeKernel) -> None:
    known, one, two = Known(), front(), rear()
    kernel.plug(one, 0, 1)
    kernel.plug(two, 2, 3)
    for who, which in (("front", "/dev/video0"), ("rear", "/dev/video2"), ("front", "2"), ("rear", "0")):
        assert node(known, kernel, which, who)[-1] == which[-1]
    kernel.unplug(two)
    assert "Arducam" in refusal(known, kernel, "2", "front")
    kernel.plug(two, 4, 5)
    assert node(known, kernel, "2", "front") == "/dev/video4"


def test_a_name_that_fits_two_cameras_is_refused_with_their_connectors(kernel: FakeKernel) -> None:
    left, right = twins()
    kernel.plug(left, 0, 1)
    known = Known()
    assert node(known, kernel, "USB Camera") == "/dev/video0"
    kernel.plug(right, 2, 3)
    assert node(known, kernel, "USB Camera") == "/dev/video0", "it stays with the one it had"
    assert "write v4l2:usb-xhci-hcd.0-1 or v4l2:usb-xhci-hcd.0-2" in refusal(Known(), kernel, "200901010001")


def test_a_link_means_a_connector_and_is_followed_each_time(kernel: FakeKernel) -> None:
    known, camera = Known(), front()
    link = "/dev/v4l/by-id/usb-HD_Pro_Webcam_C920_8C2F-video-index0"
    kernel.plug(camera, 0, 1)
    node(known, kernel, link)
    kernel.unplug(camera)
    kernel.plug(camera, 8, 9)
    assert node(known, kernel, link) == "/dev/video8"


def test_a_camera_that_this_user_may_not_open_is_still_that_camera(kernel: FakeKernel) -> None:
    kernel.plug(front(), 0, 1)
    kernel.closed_to_us.add("/dev/video0")
    found = Known().find("front", "/dev/video0", kernel, kernel.root)
    assert (found.node, found.name, found.closed) == ("/dev/video0", "HD Pro Webcam C920", 13)


def test_what_was_said_is_not_said_again() -> None:
    known = Known()
    said = [("front", "a"), ("front", "b"), ("rear", "a"), ("front", "a")]
    assert [known.first_time(*each) for each in said] == [True, True, True, False]
