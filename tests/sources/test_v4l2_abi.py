"""The numbers and structures against the header that the C compiler sees."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from blackbox_qt.sources import v4l2_abi as abi

REQUESTS = (
    "QUERYCAP",
    "ENUM_FMT",
    "G_FMT",
    "S_FMT",
    "REQBUFS",
    "QUERYBUF",
    "QBUF",
    "EXPBUF",
    "DQBUF",
    "STREAMON",
    "STREAMOFF",
    "G_PARM",
    "S_PARM",
    "G_CTRL",
    "S_CTRL",
    "QUERYCTRL",
    "QUERYMENU",
    "ENUM_FRAMESIZES",
    "ENUM_FRAMEINTERVALS",
)
CONSTANTS = [name for name in dir(abi) if name.startswith(("CAP_", "CID_", "BUF_FLAG_", "CTRL_FLAG_", "EXPOSURE_"))]
FIELDS = {
    "v4l2_capability": (abi.Capability, "card bus_info device_caps"),
    "v4l2_fmtdesc": (abi.FmtDesc, "pixelformat"),
    "v4l2_frmsizeenum": (abi.FrmSizeEnum, "type"),
    "v4l2_frmivalenum": (abi.FrmIvalEnum, "type"),
    "v4l2_pix_format": (abi.PixFormat, "bytesperline sizeimage colorspace priv ycbcr_enc quantization"),
    "v4l2_requestbuffers": (abi.RequestBuffers, "count memory"),
    "v4l2_buffer": (abi.Buffer, "bytesused flags sequence memory length"),
    "v4l2_exportbuffer": (abi.ExportBuffer, "index flags fd"),
    "v4l2_queryctrl": (abi.QueryCtrl, "minimum maximum step flags"),
    "v4l2_querymenu": (abi.QueryMenu, "index"),
}


def compiled(lines: list[str], folder: Path) -> list[int]:
    """What C prints for each expression."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler or no kernel headers")
    source = folder / "abi.c"
    prints = "".join(f'printf("%lu\\n", (unsigned long)({line}));' for line in lines)
    headers = "".join(f"#include <{name}>\n" for name in ("stdio.h", "stddef.h", "linux/videodev2.h"))
    source.write_text(f"{headers}int main(void) {{ {prints} return 0; }}\n")
    subprocess.run([compiler, "-w", "-o", str(folder / "abi"), str(source)], check=True)
    done = subprocess.run([str(folder / "abi")], check=True, capture_output=True, text=True)
    return [int(number) for number in done.stdout.split()]


def test_requests_and_constants(tmp_path: Path) -> None:
    names = [f"VIDIOC_{name}" for name in REQUESTS] + [f"(unsigned)V4L2_{name}" for name in CONSTANTS]
    ours = [getattr(abi, name) for name in (*REQUESTS, *CONSTANTS)]
    assert dict(zip(names, ours, strict=True)) == dict(zip(names, compiled(names, tmp_path), strict=True))


def test_fields(tmp_path: Path) -> None:
    wanted = {f"sizeof(struct {name})": ctypes.sizeof(kind) for name, (kind, _) in FIELDS.items()}
    for name, (kind, fields) in FIELDS.items():
        wanted |= {f"offsetof(struct {name}, {f})": getattr(kind, f).offset for f in fields.split()}
    wanted["offsetof(struct v4l2_buffer, timestamp)"] = abi.Buffer.sec.offset
    wanted["offsetof(struct v4l2_buffer, m)"] = abi.Buffer.offset.offset
    wanted["offsetof(struct v4l2_format, fmt)"] = abi.Format.fmt.offset
    wanted["offsetof(struct v4l2_streamparm, parm.capture.timeperframe)"] = abi.StreamParm.timeperframe.offset
    wanted["offsetof(struct v4l2_frmivalenum, discrete)"] = abi.FrmIvalEnum.intervals.offset
    wanted["offsetof(struct v4l2_frmsizeenum, discrete)"] = abi.FrmSizeEnum.sizes.offset
    assert wanted == dict(zip(wanted, compiled(list(wanted), tmp_path), strict=True))


def test_four_letters() -> None:
    assert abi.fourcc_of(abi.number_of("YUYV")) == "YUYV"
    assert abi.number_of("YU12") == 0x32315559  # v4l2_fourcc('Y', 'U', '1', '2')
    assert abi.fourcc_of(0x0020_3859) == "Y8"
