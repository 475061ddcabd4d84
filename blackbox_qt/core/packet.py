"""Encoded video on its way from an encoder to its outlets. Packets are cheap and may wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NO_LOSS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a decoder and a reader must know about a run of packets.

    A new one is made each time an encoder is opened (size or camera changed, time gone back): packets of two StreamInfo
    never share a segment.

    Threads: immutable, any.
    """

    camera: str
    width: int  # pixels
    height: int  # pixels
    avcc: bytes  # AVCDecoderConfigurationRecord, ISO/IEC 14496-15 section 5.3.3.1
    fps: float = 30.0  # nominal, frames per second; the times in the packets are the truth
    matrix: str = "bt709"  # YUV matrix: bt601 | bt709 | bt2020
    full_range: bool = False
    origin: str = "camera"  # camera | pattern | file: sealed into every segment
    device: str = ""  # which one, in words: "pattern 1280x720@30", a file's name, a sensor's model


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded picture.

    `data` is one access unit of 4-byte length-prefixed NAL units (the form MP4 stores). `lost` counts the
    frames missing between the packet before and this one, by cause (`camera`, `mailbox`, `encoder`).

    Threads: immutable, any.
    """

    stream: StreamInfo
    data: bytes
    key: bool
    seq: int  # the driver's frame number
    t_ns: int  # sensor time on the boot clock, ns
    lost: Mapping[str, int] = field(default_factory=lambda: NO_LOSS)


Outlet = Callable[[Packet], None]
"""Takes packets on the encoder's thread; must never block."""
