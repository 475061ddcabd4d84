"""The kernel's video capture interface as C sees it: numbers and structures of linux/videodev2.h and v4l2-controls.h.

Names are the header's without `V4L2_`. Sizes are those of 64-bit Linux; a test compares them with the C compiler's.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint32, c_uint64

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_ANY = 0

CAP_VIDEO_CAPTURE = 0x0000_0001
CAP_VIDEO_CAPTURE_MPLANE = 0x0000_1000
CAP_STREAMING = 0x0400_0000
CAP_IO_MC = 0x2000_0000  # the camera behind it must be wired up by a media controller first: a CSI camera on a Pi 5
CAP_DEVICE_CAPS = 0x8000_0000
CAP_TIMEPERFRAME = 0x1000

FRMSIZE_TYPE_DISCRETE = FRMIVAL_TYPE_DISCRETE = 1

BUF_FLAG_ERROR = 0x0000_0040
BUF_FLAG_TIMESTAMP_MASK = 0x0000_E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x0000_2000

CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_READ_ONLY = 0x0004

COLORSPACE_JPEG = 7
QUANTIZATION_DEFAULT = 0
QUANTIZATION_FULL_RANGE = 1

MATRIX_OF_ENCODING = {1: "bt601", 2: "bt709", 3: "bt601", 4: "bt709", 5: "bt601", 6: "bt2020", 7: "bt2020", 8: "bt709"}
"""enum v4l2_ycbcr_encoding: 601, 709, XV601, XV709, SYCC, BT2020, BT2020_CONST_LUM, SMPTE240M (709 is the nearest)."""
MATRIX_OF_COLORSPACE = {3: "bt709", 12: "bt709", 10: "bt2020", 2: "bt709"}
"""V4L2_MAP_YCBCR_ENC_DEFAULT: REC709, DCI_P3, BT2020, SMPTE240M; all others are 601."""

CID_AUTO_WHITE_BALANCE = 0x0098_090C
CID_AUTOGAIN = 0x0098_0912
CID_GAIN = 0x0098_0913
CID_HFLIP = 0x0098_0914
CID_VFLIP = 0x0098_0915
CID_WHITE_BALANCE_TEMPERATURE = 0x0098_091A  # K
CID_EXPOSURE_AUTO = 0x009A_0901
CID_EXPOSURE_ABSOLUTE = 0x009A_0902  # 100 us
CID_EXPOSURE_AUTO_PRIORITY = 0x009A_0903  # 1: the rate may fall for longer exposure
CID_FOCUS_ABSOLUTE = 0x009A_090A  # no unit; larger is nearer
CID_FOCUS_AUTO = 0x009A_090C
CID_WIDE_DYNAMIC_RANGE = 0x009A_0915

EXPOSURE_AUTO, EXPOSURE_MANUAL, EXPOSURE_APERTURE_PRIORITY = 0, 1, 3


class Capability(ctypes.Structure):
    """struct v4l2_capability. Threads: one at a time, as all of these."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FmtDesc(ctypes.Structure):
    """struct v4l2_fmtdesc. Threads: one at a time."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class Fract(ctypes.Structure):
    """struct v4l2_fract. Threads: one at a time."""

    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class FrmSizeEnum(ctypes.Structure):
    """struct v4l2_frmsizeenum: `sizes` is min_width, max_width, step_width, min_height, max_height, step_height;
    of a discrete one width and height are the first two. Threads: one at a time."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("sizes", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrmIvalEnum(ctypes.Structure):
    """struct v4l2_frmivalenum: `intervals` is min, max, step; a discrete one is the first. Threads: one at a time."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("intervals", Fract * 3),
        ("reserved", c_uint32 * 2),
    )


class PixFormat(ctypes.Structure):
    """struct v4l2_pix_format. Threads: one at a time."""

    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    )


PIX_FMT_PRIV_MAGIC = 0xFEED_CAFE  # without it the kernel ignores what follows `priv`


class _FormatUnion(ctypes.Union):
    _fields_ = (("pix", PixFormat), ("raw", c_uint8 * 200), ("align", c_uint64))


class Format(ctypes.Structure):
    """struct v4l2_format. Threads: one at a time."""

    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class StreamParm(ctypes.Structure):
    """struct v4l2_streamparm with its struct v4l2_captureparm. Threads: one at a time."""

    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("timeperframe", Fract),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint8 * 176),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers. Threads: one at a time."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class Buffer(ctypes.Structure):
    """struct v4l2_buffer: `sec` and `usec` are its timestamp, `offset` the first of the union m.

    Threads: one at a time.
    """

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("sec", c_int64),
        ("usec", c_int64),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("offset", c_uint64),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class ExportBuffer(ctypes.Structure):
    """struct v4l2_exportbuffer. Threads: one at a time."""

    _fields_ = (
        ("type", c_uint32),
        ("index", c_uint32),
        ("plane", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int32),
        ("reserved", c_uint32 * 11),
    )


class Control(ctypes.Structure):
    """struct v4l2_control. Threads: one at a time."""

    _fields_ = (("id", c_uint32), ("value", c_int32))


class QueryCtrl(ctypes.Structure):
    """struct v4l2_queryctrl. Threads: one at a time."""

    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class QueryMenu(ctypes.Structure):
    """struct v4l2_querymenu. Threads: one at a time."""

    _fields_ = (("id", c_uint32), ("index", c_uint32), ("name", c_char * 32), ("reserved", c_uint32))


_WRITE, _READ = 1, 2  # as seen by the caller, include/uapi/asm-generic/ioctl.h


def _ioc(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


def _both(number: int, kind: type[ctypes.Structure]) -> int:
    return _ioc(_READ | _WRITE, number, ctypes.sizeof(kind))


QUERYCAP = _ioc(_READ, 0, ctypes.sizeof(Capability))
ENUM_FMT = _both(2, FmtDesc)
G_FMT = _both(4, Format)
S_FMT = _both(5, Format)
REQBUFS = _both(8, RequestBuffers)
QUERYBUF = _both(9, Buffer)
QBUF = _both(15, Buffer)
EXPBUF = _both(16, ExportBuffer)
DQBUF = _both(17, Buffer)
STREAMON = _ioc(_WRITE, 18, 4)
STREAMOFF = _ioc(_WRITE, 19, 4)
G_PARM = _both(21, StreamParm)
S_PARM = _both(22, StreamParm)
G_CTRL = _both(27, Control)
S_CTRL = _both(28, Control)
QUERYCTRL = _both(36, QueryCtrl)
QUERYMENU = _both(37, QueryMenu)
ENUM_FRAMESIZES = _both(74, FrmSizeEnum)
ENUM_FRAMEINTERVALS = _both(75, FrmIvalEnum)


def number_of(fourcc: str) -> int:
    """v4l2_fourcc(): "YUYV" as the kernel counts it."""
    return int.from_bytes(fourcc.encode("ascii"), "little")


def fourcc_of(number: int) -> str:
    """The four letters of a pixel format; letters that cannot be printed are left out."""
    return bytes(b for b in number.to_bytes(4, "little") if 32 < b < 127).decode("ascii")
