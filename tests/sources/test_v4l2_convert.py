"""What USB cameras send becomes 4:2:0, and what is broken is called so."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.picture import wrap
from blackbox_qt.sources.v4l2_convert import Copy, DamagedError, Jpeg, Yuyv, converter_for

WIDTH, HEIGHT = 320, 240


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def smooth(*shape: int) -> NDArray[np.uint8]:
    """Something that JPEG keeps nearly as it is, and different in every row."""
    rows, columns = np.indices(shape)
    return (60 + rows * 100 // shape[0] + columns * 60 // shape[1]).astype(np.uint8)


def jpeg(subsampling: str = "422", width: int = WIDTH, height: int = HEIGHT) -> bytes:
    across, down = {"422": (2, 1), "420": (2, 2), "444": (1, 1)}[subsampling]
    chroma = smooth(height // down, width // across)
    return simplejpeg.encode_jpeg_yuv_planes(smooth(height, width), chroma, 255 - chroma, quality=97)


def mjpg() -> Layout:
    return Layout.packed(WIDTH, HEIGHT, "MJPG", matrix="bt601", full_range=True)


def planes(image: Image) -> list[NDArray[np.int16]]:
    return [plane.astype(np.int16) for plane in image.planes()]


@pytest.mark.parametrize("padding", [0, 64])
def test_yuyv_keeps_its_luma_and_averages_two_rows_of_colour(padding: int) -> None:
    layout = Layout.packed(WIDTH, HEIGHT, "YUYV", stride=2 * WIDTH + padding, matrix="bt601")
    packed = noise(HEIGHT, 2 * WIDTH + padding)
    image = Yuyv(layout)(memoryview(packed).cast("B"))
    y, u, v = planes(image)
    wide = packed[:, : 2 * WIDTH].astype(np.int16)
    assert (image.layout.fourcc, image.layout.matrix, image.layout.full_range) == ("YU12", "bt601", False)
    assert (y == wide[:, 0::2]).all()
    for ours, theirs in ((u, wide[:, 1::4]), (v, wide[:, 3::4])):
        assert abs(ours - (theirs[0::2] + theirs[1::2]) / 2).max() <= 1


def test_nothing_looks_at_the_drivers_memory_afterwards() -> None:
    layout = Layout.packed(WIDTH, HEIGHT, "YUYV")
    convert = Yuyv(layout)
    memory = mmap.mmap(-1, WIDTH * HEIGHT * 2)
    view = memoryview(memory)
    image = convert(view)
    before = image.plane(0).copy()
    view[: WIDTH * 2] = bytes([77]) * (WIDTH * 2)
    assert (image.plane(0) == before).all()
    view.release()
    memory.close()  # raises BufferError while anybody holds it


def test_a_short_yuyv_picture_is_damaged() -> None:
    with pytest.raises(DamagedError, match="153000 bytes of 153600"):
        Yuyv(Layout.packed(WIDTH, HEIGHT, "YUYV"))(memoryview(bytes(153_000)))


@pytest.mark.parametrize("subsampling", ["422", "420", "444"])
def test_a_jpeg_keeps_its_full_range_and_its_colours(subsampling: str) -> None:
    image = Jpeg(mjpg())(memoryview(jpeg(subsampling)))
    y, u, v = planes(image)
    chroma = smooth(HEIGHT, WIDTH // 2).astype(np.int16)
    expected = (chroma[0::2] + chroma[1::2]) / 2
    assert (image.layout.fourcc, image.layout.matrix, image.layout.full_range) == ("YU12", "bt601", True)
    assert u.shape == v.shape == (HEIGHT // 2, WIDTH // 2)
    assert abs(y - smooth(HEIGHT, WIDTH)).max() <= 3
    assert abs(u - expected).max() <= 3 and abs(v - (255 - expected)).max() <= 3


def test_rows_of_colour_are_averaged_not_dropped() -> None:
    chroma = np.full((HEIGHT, WIDTH // 2), 100, np.uint8)
    chroma[1::2] = 140
    image = Jpeg(mjpg())(
        memoryview(simplejpeg.encode_jpeg_yuv_planes(smooth(HEIGHT, WIDTH), chroma, chroma.copy(), quality=100))
    )
    assert abs(planes(image)[1] - 120).max() <= 2


def test_pictures_are_lent_as_the_decoder_made_them() -> None:
    convert = Jpeg(mjpg())
    images = [convert(memoryview(jpeg())) for _ in range(3)]
    assert len({image.plane(0).ctypes.data for image in images}) == 3, "each has memory of its own"
    assert images[0].layout.planes[1].stride == 2 * (images[0].layout.planes[0].stride // 2)


@pytest.mark.parametrize("fourcc", ["YUYV", "MJPG"])
def test_the_encoder_takes_it_as_it_lies(fourcc: str) -> None:
    data = jpeg() if fourcc == "MJPG" else noise(HEIGHT * WIDTH * 2).tobytes()
    image = converter_for(Layout.packed(WIDTH, HEIGHT, fourcc))(memoryview(data))
    theirs = wrap(image)
    assert [plane.buffer_ptr for plane in theirs.planes] == [plane.ctypes.data for plane in image.planes()]
    assert [plane.line_size for plane in theirs.planes] == [plane.stride for plane in image.layout.planes]


def damaged() -> dict[str, bytes]:
    whole = jpeg()
    middle = len(whole) // 2
    return {
        "cut in the middle": whole[:middle],
        "a packet is missing": whole[:middle] + whole[middle + 1000 :],
        "only its head": whole[:400],
        "nothing": b"",
        "zeros": bytes(5000),
        "no jpeg at all": bytes(range(256)) * 20,
        "another size": jpeg(width=WIDTH // 2),
    }


@pytest.mark.parametrize("what", list(damaged()))
def test_a_damaged_jpeg_is_said_and_the_next_one_is_fine(what: str) -> None:
    convert = Jpeg(mjpg())
    convert(memoryview(jpeg()))
    with pytest.raises(DamagedError):
        convert(memoryview(damaged()[what]))
    assert abs(planes(convert(memoryview(jpeg())))[0] - smooth(HEIGHT, WIDTH)).max() <= 3


@pytest.mark.parametrize("change", [lambda j: j + bytes(3000), lambda j: j[:-2], lambda j: without_tables(j)])
def test_what_usb_cameras_do_to_jpegs_is_no_damage(change: object) -> None:
    """Zeros behind it, no end mark, no Huffman tables (they are those of the standard)."""
    data = change(jpeg())  # type: ignore[operator]
    assert abs(planes(Jpeg(mjpg())(memoryview(data)))[0] - smooth(HEIGHT, WIDTH)).max() <= 3


def without_tables(data: bytes) -> bytes:
    out, at = data[:2], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        out += data[at:end] if data[at + 1] != 0xC4 else b""
        at = end
    assert len(out) + len(data) - at < len(data)
    return out + data[at:]


def test_a_camera_whose_jpegs_are_never_flawless_is_taken_as_it_is(expected_alarms: list[str]) -> None:
    expected_alarms.append("none of the first 10 JPEGs of the camera was flawless")
    convert, torn = Jpeg(mjpg()), damaged()["cut in the middle"]
    for _ in range(10):
        with pytest.raises(DamagedError):
            convert(memoryview(torn))
    assert convert(memoryview(torn)).layout.width == WIDTH


def test_one_good_picture_shows_that_the_camera_can() -> None:
    convert = Jpeg(mjpg())
    convert(memoryview(jpeg()))
    for _ in range(20):
        with pytest.raises(DamagedError):
            convert(memoryview(damaged()["cut in the middle"]))


@pytest.mark.parametrize(("fourcc", "kind"), [("YUYV", Yuyv), ("MJPG", Jpeg), ("NV12", Copy), ("YU12", Copy)])
def test_each_format_has_its_converter(fourcc: str, kind: type) -> None:
    assert isinstance(converter_for(Layout.packed(WIDTH, HEIGHT, fourcc)), kind)


def test_a_copy_is_the_same_picture_elsewhere() -> None:
    layout = Layout.packed(WIDTH, HEIGHT, "NV12", stride=352)
    memory = noise(layout.size + 500)
    image = Copy(layout)(memoryview(memory))
    wanted = Image(layout, [memory])
    assert all((a == b).all() for a, b in zip(image.planes(), wanted.planes(), strict=True))
    memory[:] = 0
    assert image.plane(0).any()
