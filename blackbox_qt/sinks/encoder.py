"""One H.264 encode per camera, whose packets go to every outlet."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import av.error
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from blackbox_qt.core.clock import NS
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.mailbox import Mailbox
from blackbox_qt.core.packet import NO_LOSS, Outlet, Packet, StreamInfo
from blackbox_qt.core.picture import wrap
from blackbox_qt.core.worker import Worker

log = logging.getLogger(__name__)

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: SPS and PPS in extradata, where MP4 wants them
_EARLY_NS = 2_000_000  # a frame 2 ms early is still the one due: else jitter would cost a frame's time each second
_MATRIX = {"bt601": 6, "bt709": 1, "bt2020": 9}  # ITU-T H.273 MatrixCoefficients


class EncoderError(Exception):
    """The encoder cannot go on; one sentence."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Threads: immutable, any."""

    preset: str = "ultrafast"
    bitrate: int = 8_000_000  # bits per second
    key_interval_ns: int = NS
    threads: int = 1  # 0: x264 decides


@dataclass(frozen=True, slots=True)
class Identity:
    """What the encoder writes into StreamInfo about where its frames come from. Threads: immutable, any."""

    origin: str = "camera"
    device: str = ""
    fps: float = 30.0


@dataclass(frozen=True, slots=True)
class EncoderLimits:
    """What is given up for a while so that recording goes on. Threads: immutable, any."""

    bitrate: float = 1.0  # part of the one in the settings
    fps: float | None = None  # pictures a second at most; None: all


class Encoder:
    """Takes frames from its mailbox, encodes them in `enc-<camera>`, hands packets to its outlets.

    The frame's planes are given to libx264 where they lie; it copies what it wants during the call. Key frames are
    forced by sensor time. A change of size, format, epoch or `identity()` opens a new codec and so a new StreamInfo:
    the driver's numbers in one file always compare.

    Threads: `start`, `stop` by the owner; `request_key` and figures any; outlets are called on its thread.
    """

    def __init__(
        self,
        camera: str,
        inbox: Mailbox,
        settings: EncoderSettings,
        identity: Callable[[], Identity],
        on_crash: Callable[[BaseException], None],
        after: tuple[int, int] = (0, 0),
    ) -> None:
        self.camera = camera
        self.inbox = inbox
        self.encoded = 0
        self.seen = after  # count and missed of the last frame encoded, by this encoder or by the one that died before
        self.busy_s = 0.0  # time spent encoding, for headroom
        self.limits = EncoderLimits()  # set from any thread; the next key frame, or frame, obeys
        self._settings = settings
        self._identity = identity
        self._outlets: tuple[Outlet, ...] = ()
        self._worker = Worker(f"enc-{camera}", self._run, on_crash)
        self._codec: _Codec | None = None
        self._tally = LossTally(inbox, after)
        self._last_key_ns: int | None = None
        self._last_t_ns = 0
        self._epoch = 0
        self._bitrate = settings.bitrate  # of the codec that is open
        self._pace = FramePace()
        self._untold = Counter[str]()  # lost before a frame that was given up

    def add_outlet(self, outlet: Outlet) -> None:
        """Packets go there too from now on; it must wait for a key frame by itself (see `request_key`)."""
        self._outlets = (*self._outlets, outlet)

    def start(self) -> None:
        self._worker.start()

    def stop(self, timeout: float) -> bool:
        """Wait until what is in the mailbox is encoded and out. False when that took longer than `timeout` s."""
        self._worker.stop()
        self.inbox.finish()
        return self._worker.join(timeout)

    def request_key(self) -> None:
        """Make the next frame a key frame."""
        self._last_key_ns = None

    def _run(self) -> None:
        try:
            while (frame := self.inbox.take()) is not None:
                with frame:
                    self._take(frame)
            self._flush()
        finally:
            self.inbox.close()  # also when dying: frames nobody will take go home

    def _take(self, frame: Frame) -> None:
        begin = time.perf_counter()
        if not self._pace.takes(frame.t_ns, self.limits.fps):
            self._give_up(frame)
            return
        main = frame.images["main"]
        identity = self._identity()
        fits = self._codec is not None and self._codec.fits(main.layout, identity) and frame.epoch == self._epoch
        fits = fits and not self._wants_another_bitrate(frame.t_ns)
        if self._codec is None or not fits or frame.t_ns < self._last_t_ns:
            # Time that goes back is another camera clock: what follows is a stream, and a file, of its own.
            self._flush()
            self._codec = _Codec(self.camera, main.layout, identity, replace(self._settings, bitrate=self._bitrate))
            self._last_key_ns, self._epoch = None, frame.epoch
        lost = self._lost_before(frame)
        key = self._key_is_due(frame.t_ns)
        self._last_t_ns = frame.t_ns
        self._hand_out(self._codec.encode(main, frame.seq, frame.t_ns, lost, key))
        self.encoded += 1
        self.seen = frame.count, frame.missed
        self.busy_s += time.perf_counter() - begin

    def _give_up(self, frame: Frame) -> None:
        """Not encoded, so that the others are; the next packet tells of it."""
        self._untold.update(self._tally.before(frame))
        self._untold["shed"] += 1
        self.seen = frame.count, frame.missed

    def _lost_before(self, frame: Frame) -> dict[str, int]:
        lost = self._tally.before(frame)
        if self._untold:
            lost = dict(self._untold + Counter(lost))
            self._untold.clear()
        return lost

    def _wants_another_bitrate(self, t_ns: int) -> bool:
        """A codec keeps its rate; another one begins, and a file with it, where a key frame is due anyway."""
        wanted = round(self._settings.bitrate * self.limits.bitrate)
        if wanted == self._bitrate or not self._is_key_time(t_ns):
            return False
        self._bitrate = wanted
        return True

    def _key_is_due(self, t_ns: int) -> bool:
        due = self._is_key_time(t_ns)
        if due:
            self._last_key_ns = t_ns
        return due

    def _is_key_time(self, t_ns: int) -> bool:
        last = self._last_key_ns  # read once: request_key() may come from another thread
        return last is None or t_ns - last >= self._settings.key_interval_ns - _EARLY_NS

    def _flush(self) -> None:
        codec, self._codec = self._codec, None
        if codec is not None:
            self._hand_out(codec.flush())

    def _hand_out(self, packets: list[Packet]) -> None:
        for packet in packets:
            for outlet in self._outlets:
                outlet(packet)


class FramePace:
    """Takes so many frames a second of those that come, evenly, by their sensor's time.

    Threads: one.
    """

    def __init__(self) -> None:
        self._due_ns = 0

    def takes(self, t_ns: int, fps: float | None) -> bool:
        """Whether this frame is one of them; all are without a limit."""
        if fps is None:
            return True
        interval = round(NS / fps)
        if t_ns < self._due_ns - 2 * interval:
            self._due_ns = t_ns  # time went back: the camera was opened anew
        if t_ns < self._due_ns - _EARLY_NS:
            return False
        self._due_ns = max(self._due_ns, t_ns - interval) + interval
        return True


class LossTally:
    """Says how many frames are missing before each one, and whose fault it is: what the driver's numbers showed when
    the frames were delivered is the camera's, what the mailbox dropped its own, and the rest of what was delivered is
    the encoder's: it died, and another one took over `after` the last frame it had encoded.

    Threads: the mailbox's consumer.
    """

    def __init__(self, inbox: Mailbox, after: tuple[int, int] = (0, 0)) -> None:
        self._inbox = inbox
        self._last = after
        self._accounted = inbox.dropped

    def before(self, frame: Frame) -> dict[str, int]:
        """Frames lost since the one asked about before, by cause; call once for each frame taken."""
        (count, missed), self._last = self._last, (frame.count, frame.missed)
        ours = self._inbox.dropped_before - self._accounted
        self._accounted += ours
        lost = {"camera": frame.missed - missed, "mailbox": ours, "encoder": frame.count - count - 1 - ours}
        return {cause: number for cause, number in lost.items() if number > 0}


class _Codec:
    """One libx264 instance: one size, one format.

    Threads: the encoder's.
    """

    def __init__(self, camera: str, layout: Layout, identity: Identity, settings: EncoderSettings) -> None:
        self._layout = _shape(layout)
        self._identity = identity
        self._waiting: dict[int, tuple[int, int, dict[str, int]]] = {}
        self._last_pts = 0
        self._context = self._open(layout, identity, settings)
        self.stream = StreamInfo(
            camera, layout.width, layout.height, bytes(self._context.extradata or b""), identity.fps,
            layout.matrix, layout.full_range, identity.origin, identity.device,
        )  # fmt: skip

    @staticmethod
    def _open(layout: Layout, identity: Identity, settings: EncoderSettings) -> VideoCodecContext:
        if layout.fourcc not in ("YU12", "NV12"):
            raise EncoderError(f"pixel format {layout.fourcc} cannot be encoded; YU12 and NV12 can")
        context = VideoCodecContext.create("libx264", "w")
        context.width, context.height = layout.width, layout.height
        context.pix_fmt = layout.format.av
        context.time_base = Fraction(1, NS // 1000)
        context.framerate = Fraction(identity.fps).limit_denominator(1001)
        context.bit_rate = settings.bitrate
        # Key frames come by time; by count only if the camera's time stood still, so that a file can still be cut.
        context.gop_size = max(60, int(2 * identity.fps * settings.key_interval_ns / NS))
        context.max_b_frames = 0
        context.flags |= _GLOBAL_HEADER
        context.colorspace = _MATRIX[layout.matrix]
        context.color_range = 2 if layout.full_range else 1
        context.thread_count = settings.threads
        context.options = {
            "preset": settings.preset,
            "tune": "zerolatency",  # no picture stays inside: what was captured is on its way to the disk
            "forced-idr": "1",
            # Length-prefixed NAL units and an avcC, which is what MP4 stores: nothing to rewrite afterwards.
            "x264-params": f"annexb=0:vbv-maxrate={settings.bitrate // 1000}:vbv-bufsize={settings.bitrate // 1000}",
        }
        try:
            context.open()
        except av.error.FFmpegError as error:
            raise EncoderError(f"H.264 encoder refused {layout.width}x{layout.height}: {error.strerror}") from error
        return context

    def fits(self, layout: Layout, identity: Identity) -> bool:
        return _shape(layout) == self._layout and identity == self._identity

    def encode(self, image: Image, seq: int, t_ns: int, lost: dict[str, int], key: bool) -> list[Packet]:
        picture = wrap(image)
        pts = self._last_pts = max(t_ns // 1000, self._last_pts + 1)  # two frames may carry one time
        picture.pts = pts  # in the codec's time base, as long as the picture has none of its own
        if key:
            picture.pict_type = PictureType.I
        self._waiting[pts] = (seq, t_ns, lost)
        try:
            return self._packets(self._context.encode(picture))
        finally:
            del picture  # a traceback must not keep the camera's memory

    def flush(self) -> list[Packet]:
        return self._packets(self._context.encode(None))

    def _packets(self, encoded: list[av.Packet[Any]]) -> list[Packet]:
        packets = []
        for item in encoded:
            seq, t_ns, lost = self._waiting.pop(item.pts or 0)
            packets.append(Packet(self.stream, bytes(item), item.is_keyframe, seq, t_ns, lost or NO_LOSS))
        return packets


def _shape(layout: Layout) -> tuple[int, int, str, str, bool]:
    """What of a layout the codec depends on; strides may change under it."""
    return layout.width, layout.height, layout.fourcc, layout.matrix, layout.full_range
