"""The stream in the programs people use: curl, ffmpeg, GStreamer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import simplejpeg

from .conftest import Box

pytestmark = pytest.mark.usefixtures("nobody_watches")


def run(tool: str, *arguments: str, limit_s: float = 20.0) -> subprocess.CompletedProcess[bytes]:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    return subprocess.run([tool, *arguments], capture_output=True, timeout=limit_s, check=False)


def key_of(box: Box) -> str:
    assert box.server.access is not None
    return box.server.access.key


def test_curl(box: Box) -> None:
    url = box.server.address
    done = run("curl", "-sS", "--noproxy", "*", "-u", f"x:{key_of(box)}", "-m", "1", f"{url}video_feed")
    assert done.returncode == 28  # its own time limit
    assert done.stdout.count(b"--blackbox-frame\r\nContent-Type: image/jpeg\r\n") > 10
    still = run(
        "curl", "-sS", "--noproxy", "*", "-H", f"Authorization: Bearer {key_of(box)}", f"{url}snapshot/front.jpg"
    )
    assert simplejpeg.decode_jpeg(still.stdout).shape == (240, 320, 3)


def test_ffmpeg(box: Box) -> None:
    url = box.server.address.replace("http://", f"http://any:{key_of(box)}@") + "video_feed"
    done = run("ffmpeg", "-v", "error", "-f", "mpjpeg", "-i", url, "-frames:v", "15", "-f", "framemd5", "-")
    assert done.returncode == 0, done.stderr
    frames = [line for line in done.stdout.splitlines() if not line.startswith(b"#")]
    assert len({line.rsplit(b",", 1)[1] for line in frames}) == 15


def test_gstreamer(box: Box, tmp_path: Path) -> None:
    for element in ("souphttpsrc", "multipartdemux", "jpegdec"):
        if run("gst-inspect-1.0", "--exists", element).returncode:
            pytest.skip(f"GStreamer has no {element}")
    done = run(
        "gst-launch-1.0", "-q", "souphttpsrc", f"location={box.server.address}video_feed", "user-id=x",
        f"user-pw={key_of(box)}", "is-live=true", "!", "multipartdemux", "!", "jpegdec", "!", "identity",
        "eos-after=15", "!", "video/x-raw,width=320,height=240", "!", "filesink", f"location={tmp_path}/raw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "raw").stat().st_size >= 14 * 320 * 240 * 1.5
