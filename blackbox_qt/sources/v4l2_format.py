"""What a driver's answer about its format means: planes, strides, and which colours its numbers are."""

from __future__ import annotations

from blackbox_qt.core.layout import FORMATS, Layout
from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.source import SourceError
from blackbox_qt.sources.v4l2_modes import CHEAPEST_FIRST

_HD_ROWS = 720  # from here on a picture that does not say is BT.709, as players guess


def layout_of(pix: abi.PixFormat) -> Layout:
    """The layout of what lies in the driver's buffers. Raises SourceError for what cannot be used.

    Threads: any.
    """
    fourcc = abi.fourcc_of(pix.pixelformat)
    matrix, full = meaning(pix)
    if fourcc not in CHEAPEST_FIRST:
        raise SourceError(f"the camera insists on the format {fourcc}; needed is one of {', '.join(CHEAPEST_FIRST)}")
    if pix.width % 2 or pix.height % 2:
        raise SourceError(f"the camera insists on {pix.width}x{pix.height}, an odd size; set another width and height")
    stride = 0 if FORMATS[fourcc].compressed else pix.bytesperline
    try:
        layout = Layout.packed(pix.width, pix.height, fourcc, stride=stride, matrix=matrix, full_range=full)
    except ValueError as error:
        raise SourceError(f"the camera's driver makes no sense ({error}); set another format") from error
    if not layout.format.compressed and layout.size > pix.sizeimage:
        raise SourceError(f"the camera's driver keeps {pix.sizeimage} bytes for a picture of {layout.size}")
    return layout


def meaning(pix: abi.PixFormat) -> tuple[str, bool]:
    """(matrix, full range) as the header's V4L2_MAP_YCBCR_ENC_DEFAULT and V4L2_MAP_QUANTIZATION_DEFAULT have it.

    Threads: any.
    """
    if pix.pixelformat == abi.number_of("MJPG"):
        return "bt601", True  # JFIF, whatever the driver says of it
    matrix = abi.MATRIX_OF_ENCODING.get(pix.ycbcr_enc) or _by_colorspace(pix)
    if pix.quantization == abi.QUANTIZATION_DEFAULT:
        return matrix, pix.colorspace == abi.COLORSPACE_JPEG
    return matrix, pix.quantization == abi.QUANTIZATION_FULL_RANGE


def _by_colorspace(pix: abi.PixFormat) -> str:
    if not pix.colorspace:
        return "bt709" if pix.height >= _HD_ROWS else "bt601"
    return abi.MATRIX_OF_COLORSPACE.get(pix.colorspace, "bt601")
