"""Pictures of the Picamera2 source: layouts, buffers, keys, caches; raw ones too."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.sources import SourceError, picamera_frames
from tests.sources import running_picamera
from tests.sources.fake_libcamera import SMPTE170M, SYCC, Sensor
from tests.sources.picamera_bench import VIRTUAL, Bench, Frames, Until, run


def test_yuv420_in_one_buffer_with_a_stride_of_its_own(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened(width=1000, height=600, small=(500, 300))
    frames = Frames(source)
    run(b.rig, frames, until, 2)
    main, lores = (frames.all[0].images[name] for name in ("main", "lores"))
    assert source.layout == main.layout
    assert (main.layout.width, main.layout.height, main.layout.fourcc) == (1000, 600, "YU12")
    assert [(p.offset, p.stride, p.width, p.rows) for p in main.layout.planes] == [
        (0, 1024, 1000, 600), (614400, 512, 500, 300), (768000, 512, 500, 300),
    ]  # fmt: skip
    assert (lores.layout.width, lores.layout.height) == (500, 300)
    assert main.plane(0)[0, 0] == 41 and frames.all[1].images["main"].plane(0)[0, 0] == 41, "another buffer's first"
    frames.close()


@pytest.mark.parametrize("planes", ["two", "apart"])
def test_nv12_in_two_planes(bench: Callable[..., Bench], until: Until, planes: str) -> None:
    b = bench(replace(VIRTUAL, planes=planes))
    source = b.opened(width=640, height=480)
    frames = Frames(source)
    run(b.rig, frames, until)
    image = frames.all[0].images["main"]
    chroma = image.layout.planes[1]
    assert (image.layout.fourcc, chroma.stride, chroma.width, chroma.rows) == ("NV12", 640, 640, 240)
    assert (chroma.buffer, chroma.offset) == ((0, 640 * 480) if planes == "two" else (1, 0))
    assert len(image.dmabufs) == (1 if planes == "two" else 2)
    assert [int(p[0, 0]) for p in image.planes()] == [41, 41]
    frames.close()


@pytest.mark.parametrize(
    ("colour", "height", "meaning"),
    [(SYCC, 720, ("bt601", True)), (SMPTE170M, 480, ("bt601", False)), (None, 720, ("bt709", False))],
)
def test_matrix_and_range_are_the_streams(bench: Callable[..., Bench], colour: Any, height: int, meaning: Any) -> None:
    source = bench(replace(VIRTUAL, colour=colour)).opened(width=1280 if height == 720 else 640, height=height)
    assert source.layout is not None
    assert (source.layout.matrix, source.layout.full_range) == meaning


def test_buffers_are_mapped_once_and_have_keys_of_their_configuration(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()
    mapped: list[int] = []
    real = picamera_frames.mmap.mmap

    class Counting(picamera_frames.mmap.mmap):  # type: ignore[misc]
        def __new__(cls, fd: int, size: int) -> Any:
            mapped.append(fd)
            return real.__new__(cls, fd, size)

    monkeypatch.setattr(picamera_frames.mmap, "mmap", Counting)
    source = b.opened(width=640, height=480)
    first: set[Any] = set()
    for keys in (first, set()):
        frames = Frames(source)
        for _ in range(30):
            run(b.rig, frames, until)
            image = frames.all[-1].images["main"]
            keys.add(image.key)
            assert image.dmabuf is not None and os.fstat(image.dmabuf).st_ino == image.key[1]  # type: ignore[index]
            frames.all[-1].close()
        source.stop()
        assert len(keys) == 12 and len(mapped) == 12, "once per configuration, not per frame or start"
    assert keys == first
    source.close()
    source.open()
    frames = Frames(source)
    run(b.rig, frames, until)
    assert frames.all[0].images["main"].key not in first
    frames.close()


def test_no_lores_where_main_is_small_or_the_camera_cannot(bench: Callable[..., Bench], until: Until) -> None:
    small = bench().opened(width=1280, height=720)
    assert set(small._set.layouts) == {"main"}  # type: ignore[union-attr]
    one_stream = bench(Sensor(streams=1)).opened()
    assert set(one_stream._set.layouts) == {"main"}  # type: ignore[union-attr]
    own_sizes = bench(VIRTUAL)
    source = own_sizes.opened(width=1280, height=720, small=(640, 360))
    assert set(source._set.layouts) == {"main"}, "1280x720 is all it could give beside"  # type: ignore[union-attr]


def test_a_camera_without_yuv420_is_refused(bench: Callable[..., Bench]) -> None:
    b = bench(Sensor("UVC", "usb-1", formats=("MJPEG",)))
    with pytest.raises(SourceError, match="gives MJPEG only, not YUV 4:2:0; for a USB") as caught:
        b.opened()
    assert caught.value.permanent


@pytest.mark.parametrize(("old", "fewer"), [(False, 2), (True, 0)])
def test_the_caches_are_told_once(
    bench: Callable[..., Bench], until: Until, monkeypatch: pytest.MonkeyPatch, old: bool, fewer: int
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(picamera_frames, "sync", lambda descriptor, flags: told.append((descriptor, flags)))
    b = bench(old=old)
    source = b.opened(width=1920, height=1080)
    frames = Frames(source)
    told.clear()
    run(b.rig, frames, until)
    images = frames.all[0].images
    expected = [] if fewer else [(images[n].dmabuf, 1) for n in ("main", "lores")]
    assert told == expected
    frames.close()
    assert told == expected + [(fd, 5) for fd, _ in expected]


def test_luma_is_the_cameras_own_memory(bench: Callable[..., Bench], until: Until) -> None:
    b = bench(VIRTUAL)
    frames = Frames(b.opened(width=640, height=480))
    run(b.rig, frames, until)
    image = frames.all[0].images["main"]
    assert image.dmabuf is not None
    os.pwrite(image.dmabuf, np.full(4, 99, np.uint8).tobytes(), 0)
    assert list(image.plane(0)[0, :4]) == [99] * 4, "the same memory, not a copy"
    frames.close()


def test_a_raw_still_is_a_dng_of_the_running_stream(bench: Callable[..., Bench], until: Until) -> None:
    b = bench()
    source = b.opened(raw=True)
    assert source.buffers == 4
    frames = Frames(source)
    given: list[bytes] = []
    asking = threading.Thread(target=lambda: given.append(source.raw_still(5)))
    asking.start()
    until(source._raw_wanted.is_set)
    run(b.rig, frames, until, 2)
    asking.join()
    assert given[0].startswith(b"II*\0raw of /base")
    frames.close()
    until(lambda: len(b.rig.camera.queue) == 4)
    with pytest.raises(SourceError, match="gave no raw picture within 0 s"):
        source.raw_still(0.01)
    with pytest.raises(SourceError, match="without --dng"):
        bench(VIRTUAL).opened(raw=True, width=640, height=480).raw_still(1)


def test_the_snapshot_command_writes_a_dng(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticking = running_picamera.make("picamera", 12)
    monkeypatch.setattr("blackbox_qt.commands.snapshot.make", lambda config: ticking)
    file = tmp_path / "still.dng"
    assert main(["snapshot", "--source", "picamera:0", "--dng", str(file)]) == 0
    assert file.read_bytes().startswith(b"II*\0raw of /base/axi")
    assert capsys.readouterr().out == f"{file}\n"


def test_a_dng_of_what_has_no_sensor_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "--source", "pattern:64x64", "--dng", str(tmp_path / "still.dng")]) != 0
    assert "--dng needs a Pi's own camera (source picamera:), and front is pattern:64x64" in capsys.readouterr().err
