"""ffmpeg and GStreamer doing the same job, each in its best plain form."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.procs import BenchmarkError, output_of

BITRATE_KBIT = 8000
SEGMENT_S = 5
"""Every contender begins a new file so often, so that each window sees it happen."""
FRAGMENT_MS = 250


def ffmpeg(source: Path, folder: Path) -> list[str]:
    """Real time, x264 ultrafast, fragments of 250 ms, a file every five seconds."""
    return [
        "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", str(source), "-an",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-b:v", f"{BITRATE_KBIT}k", "-maxrate", f"{BITRATE_KBIT}k", "-bufsize", f"{BITRATE_KBIT}k",
        "-g", "30", "-keyint_min", "30", "-sc_threshold", "0",
        "-f", "segment", "-segment_time", str(SEGMENT_S), "-reset_timestamps", "1", "-segment_format", "mp4",
        "-segment_format_options", f"movflags=+empty_moov+default_base_moof:frag_duration={FRAGMENT_MS * 1000}",
        str(folder / "%03d.mp4"),
    ]  # fmt: skip


def _x264(segments: Path) -> list[str]:
    return [
        "x264enc", "speed-preset=ultrafast", "tune=zerolatency", f"bitrate={BITRATE_KBIT}", "vbv-buf-capacity=1000",
        "key-int-max=30", "!", "h264parse", "!",
        "splitmuxsink", f"max-size-time={SEGMENT_S * 10**9}", f"location={segments / '%03d.mp4'}",
    ]  # fmt: skip


def _played(source: Path, frame_bytes: int) -> list[str]:
    # One read per frame: at filesrc's own 4 KiB it would make 760 buffers of each.
    return ["gst-launch-1.0", "-q", "-e", "filesrc", f"location={source}", f"blocksize={frame_bytes}", "!", "y4mdec",
            "!", "identity", "sync=true", "!"]  # fmt: skip


def gstreamer(source: Path, folder: Path, frame_bytes: int) -> list[str]:
    """Real time, x264 ultrafast, a file every five seconds."""
    return [*_played(source, frame_bytes), *_x264(folder)]


def gstreamer_whole(source: Path, folder: Path, frame_bytes: int, port: int, *, colours: bool) -> list[str]:
    """Recording, and 720p MJPEG for everyone who connects to the TCP port, in one pipeline.

    colours: also turn limited-range BT.709 into the full-range BT.601 that a JPEG means, as ours does; without it
    jpegenc takes the samples as they are, and the picture is paler than it should be.
    """
    small = "video/x-raw,width=1280,height=720"
    scaled = (
        ["videoconvertscale", "!", f"{small},format=I420,colorimetry=1:4:0:0"]
        if colours
        else ["videoscale", "!", small]
    )
    return [
        *_played(source, frame_bytes), "tee", "name=t",
        "t.", "!", "queue", "!", *_x264(folder),
        "t.", "!", "queue", "!", *scaled, "!", "jpegenc", "quality=80", "!",
        "multipartmux", "boundary=blackbox-frame", "!", "tcpserversink", "host=127.0.0.1", f"port={port}",
    ]  # fmt: skip


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until it has played everything. Raises BenchmarkError when it fails or hangs."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{_name(process)} did not end within {seconds:.0f} s") from None
    if process.returncode:
        raise BenchmarkError(f"{_name(process)} failed: {errors.decode(errors='replace')[-300:]}")


def _name(process: subprocess.Popen[bytes]) -> str:
    assert isinstance(process.args, list)
    return str(process.args[0])


def frames_in(folder: Path) -> int:
    """Video packets in all files of a folder, as ffprobe counts them."""
    count = 0
    for path in sorted(folder.glob("*.mp4")):
        shown = output_of(
            ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries",
             "stream=nb_read_packets", "-of", "csv=p=0", str(path)]
        )  # fmt: skip
        count += int(shown.strip().strip(",") or 0)
    return count


def x264_options(folder: Path) -> str:
    """What x264 says of itself and its settings, in the first file that holds it (its SEI user data); "" if none."""
    for path in sorted(folder.rglob("*.mp4")):
        data = path.read_bytes()
        at = data.find(b"x264 - core")
        if at >= 0:
            return data[at : data.find(b"\0", at)].decode("ascii", errors="replace")
    return ""
