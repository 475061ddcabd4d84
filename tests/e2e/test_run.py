"""The program as a person starts it: as a process, on real input, ended in every way there is."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.commands import Exit
from blackbox_qt.sources import marks
from blackbox_qt.storage.check import check_paths

Until = Callable[..., None]
PATTERN = "pattern:320x240@30"


class Program:
    """A running blackbox-qt and what it says."""

    def __init__(self, data: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self.data = data
        self._log = data.parent / f"{data.name}.log"
        state = f"storage.state={data.parent / 'state'}"
        command = [sys.executable, "-m", "blackbox_qt", "run", "--data", str(data), "--set", state, *args]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **(env or {})})

    @property
    def log(self) -> str:
        return self._log.read_text()

    def says(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.log)

    def end(self, number: int = signal.SIGTERM, limit: float = 10) -> int:
        self.process.send_signal(number)
        return self.process.wait(limit)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def begin(*args: str, data: str = "data", env: dict[str, str] | None = None) -> Program:
        running.append(Program(tmp_path / data, *args, env=env))
        return running[-1]

    yield begin
    for program in running:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


def refused(tmp_path: Path, *args: str, command: str = "run") -> tuple[int, str]:
    """Exit code and the one sentence of a start that must fail."""
    done = subprocess.run(
        [sys.executable, "-m", "blackbox_qt", command, *args], capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("blackbox-qt: ")]
    assert len(said) == 1, done.stderr
    return done.returncode, said[0].removeprefix("blackbox-qt: ")


def finished(data: Path, library: str = "demo") -> int:
    """Frames on the disk, all files finished and sound."""
    result = check_paths([data / library])
    assert result.ok and all(r.state == "finished" and not r.missing for r in result.segments), result
    return result.frames


def test_real_footage_is_recorded_and_every_frame_is_there(start: Callable[..., Program], road: Path) -> None:
    program = start("--headless", "--source", f"file:{road}", "--set", "web.enabled=false", "--duration", "4",
                    "--set", "storage.segment_s=2")  # fmt: skip
    assert program.process.wait(20) == Exit.OK, program.log
    frames = finished(program.data)
    assert 80 <= frames <= 105
    files = sorted(program.data.rglob("*.mp4"))
    assert len(files) >= 2
    if shutil.which("ffprobe"):
        counted = 0
        for file in files:
            probe = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of",
                     "default=nw=1:nk=1", str(file)]  # fmt: skip
            done = subprocess.run(probe, capture_output=True, text=True, check=True)
            assert done.stderr == ""
            counted += int(done.stdout)
        assert counted == frames


def test_the_painted_counter_comes_back_from_the_file_without_a_hole(start: Callable[..., Program]) -> None:
    import av

    program = start("--headless", "--source", "pattern:640x360@30", "--set", "web.enabled=false", "--duration", "3",
                    "--set", "storage.segment_s=2")  # fmt: skip
    assert program.process.wait(20) == Exit.OK, program.log
    numbers = []
    for file in sorted(program.data.rglob("*.mp4")):
        with av.open(str(file)) as container:
            for picture in container.decode(video=0):
                mark = marks.read(picture.to_ndarray()[: picture.height, : picture.width])
                assert mark is not None
                numbers.append(mark[0])
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) == finished(program.data)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_politely_within_4_seconds(start: Callable[..., Program], until: Until, number: int) -> None:
    program = start("--headless", "--source", PATTERN, "--set", "web.port=0", "--host", "127.0.0.1")
    until(lambda: program.says("page ready"), 20)
    begin = time.monotonic()
    assert program.end(number) == Exit.OK, program.log
    assert time.monotonic() - begin < 4
    assert finished(program.data) > 0


def test_a_signal_that_another_thread_catches_ends_it_too(start: Callable[..., Program], until: Until) -> None:
    """The kernel may choose any thread; once it did, and the main one slept on."""
    program = start("--headless", "--source", PATTERN, "--set", "web.enabled=false")
    until(lambda: program.says("first fragment safe"), 20)
    threads = sorted(int(task) for task in os.listdir(f"/proc/{program.process.pid}/task"))
    other = next(task for task in threads if task != program.process.pid)
    tgkill = 234 if os.uname().machine == "x86_64" else 131  # asm/unistd.h
    assert ctypes.CDLL(None).syscall(tgkill, program.process.pid, other, signal.SIGTERM) == 0
    assert program.process.wait(8) == Exit.OK, program.log


def test_a_second_signal_ends_it_at_once(start: Callable[..., Program], until: Until) -> None:
    program = start("--headless", "--source", PATTERN, "--set", "web.enabled=false")
    until(lambda: program.says("first fragment safe"), 20)
    program.process.send_signal(signal.SIGSTOP)  # so that both signals are there when it looks
    program.process.send_signal(signal.SIGTERM)
    program.process.send_signal(signal.SIGINT)
    program.process.send_signal(signal.SIGCONT)
    assert program.process.wait(5) == Exit.INTERRUPTED


def test_kill_9_loses_at_most_what_was_not_synced(start: Callable[..., Program], until: Until) -> None:
    program = start("--headless", "--source", PATTERN, "--set", "web.enabled=false", "--set", "storage.segment_s=2")
    until(lambda: len(list(program.data.rglob("*.mp4"))) >= 1, 20)
    until(lambda: any(p.stat().st_size > 5000 for p in program.data.rglob("*.part")), 20)
    assert program.end(signal.SIGKILL) == -signal.SIGKILL
    result = check_paths([program.data / "demo"])
    assert result.ok and {r.state for r in result.segments} <= {"finished", "torn"}, result
    torn = [r for r in result.segments if r.path.suffix == ".part"]
    assert len(torn) == 1 and torn[0].frames > 0
    if shutil.which("ffmpeg"):
        play = ["ffmpeg", "-v", "error", "-i", str(torn[0].path), "-f", "null", "-"]
        done = subprocess.run(play, capture_output=True, text=True, check=False)
        assert done.returncode == 0
    again = start("--headless", "--source", PATTERN, "--set", "web.enabled=false", "--duration", "1")
    assert again.process.wait(20) == Exit.OK, again.log
    assert {p.parent.name for p in program.data.rglob("*.mp4")} == {"000001", "000002"}, "names are never reused"


def test_two_cameras_page_and_recording_together(start: Callable[..., Program], until: Until, road: Path) -> None:
    program = start("--headless", "--source", f"front=file:{road}", "--source", f"rear={PATTERN}",
                    "--host", "127.0.0.1", "--port", "0", "--no-auth")  # fmt: skip
    until(lambda: program.says(r"http://127\.0\.0\.1:(\d+)"), 20)
    found = program.says(r"http://127\.0\.0\.1:(\d+)")
    assert found is not None
    base = found[0]

    def status() -> dict[str, object]:
        with urllib.request.urlopen(f"{base}/api/v1/status", timeout=5) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    until(lambda: status()["recording"] == "recording", 20)
    names = [camera["name"] for camera in status()["cameras"]]  # type: ignore[attr-defined,index]
    assert names == ["front", "rear"]
    with urllib.request.urlopen(f"{base}/snapshot/rear.jpg?quality=70", timeout=5) as answer:
        assert answer.read(2) == b"\xff\xd8"
    assert program.end() == Exit.OK, program.log
    assert finished(program.data) > 0


def test_without_a_display_it_says_so_and_records(start: Callable[..., Program], until: Until) -> None:
    env = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    program = start("--source", PATTERN, "--set", "web.enabled=false", env=env)
    until(lambda: program.says("there is no display: running without a window"), 20)
    assert program.end() == Exit.OK
    assert finished(program.data) > 0


def test_a_missing_video_file_is_one_sentence(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "--headless", "--source", "file:/nowhere/at/all.mp4", "--set", "web.enabled=false")
    assert (code, said) == (Exit.SOURCE, "video file /nowhere/at/all.mp4 does not exist; check the path")


def test_a_text_file_named_mp4_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("buy milk\n" * 100)
    code, said = refused(tmp_path, "--headless", "--source", f"file:{path}", "--set", "web.enabled=false")
    assert code == Exit.SOURCE and "cannot be played" in said


def test_an_unwritable_data_folder_is_one_sentence(tmp_path: Path) -> None:
    for folder in ("/proc/recordings", str(tmp_path / "file" / "below")):
        (tmp_path / "file").write_text("")
        code, said = refused(tmp_path, "--headless", "--data", folder, "--set", "web.enabled=false")
        assert code == Exit.STORAGE and folder in said


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        code, said = refused(tmp_path, "--headless", "--source", PATTERN, "--host", "127.0.0.1", "--port", str(port))
    assert code == Exit.PORT and str(port) in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--no-auth"], "allowed: with host 127.0.0.1 only"),
        (["--set", "record.bitrate_kbit=1"], "record.bitrate_kbit = 1 is not allowed"),
        (["--config", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
        (["--source", "front=pattern", "--source", "front=pattern"], 'camera.name "front" is used twice'),
        (["--port", "99999"], "web.port = 99999 is not allowed; allowed: a whole number 0 to 65535"),
    ],
)
def test_wrong_words_are_one_sentence(tmp_path: Path, args: list[str], words: str) -> None:
    code, said = refused(tmp_path, "--headless", *args)
    assert code == Exit.USAGE and words in said


def test_snapshot_writes_jpeg_and_raw(tmp_path: Path, road: Path) -> None:
    import simplejpeg

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "blackbox_qt", "snapshot", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    jpeg, raw = tmp_path / "new" / "still.jpg", tmp_path / "raw"
    assert run("--source", f"file:{road}", "--quality", "70", str(jpeg)).returncode == Exit.OK
    assert simplejpeg.decode_jpeg_header(jpeg.read_bytes())[:2] == (540, 960)
    assert run("--source", "pattern:320x240", "--raw", str(raw)).returncode == Exit.OK
    described = json.loads((raw / "frame.json").read_text())
    assert [(raw / p["file"]).stat().st_size for p in described["planes"]] == [320 * 240, 160 * 120, 160 * 120]
    assert (described["fourcc"], described["matrix"]) == ("YU12", "bt709")
    assert run("--source", "pattern", "--quality", "101", str(jpeg)).returncode == Exit.USAGE
    assert run("--source", "pattern", "--camera", "rear", str(jpeg)).returncode == Exit.USAGE
    assert run("--source", "file:/nowhere", str(jpeg)).returncode == Exit.SOURCE
    assert run("--source", "pattern:64x64", "/proc/still.jpg").returncode == Exit.STORAGE


def test_check_tells_a_changed_file_by_its_exit_code(start: Callable[..., Program]) -> None:
    program = start("--headless", "--source", PATTERN, "--set", "web.enabled=false", "--duration", "1.5")
    assert program.process.wait(20) == Exit.OK, program.log
    command = [sys.executable, "-m", "blackbox_qt", "check", str(program.data)]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert good.returncode == Exit.OK and "TEST PATTERN" in good.stdout
    file = next(program.data.rglob("*.mp4"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == Exit.DAMAGED and "Traceback" not in bad.stderr
