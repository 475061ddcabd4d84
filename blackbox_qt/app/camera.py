"""Everything that belongs to one camera: source, hub, encoder, writer, JPEG; and how it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from blackbox_qt.app.busy import Busy
from blackbox_qt.app.caretaker import Caretaker
from blackbox_qt.app.change import Change
from blackbox_qt.app.part import Part
from blackbox_qt.app.recorder import MakeWriter, Recorder
from blackbox_qt.app.shedding import Limits
from blackbox_qt.app.status import (
    CameraState,
    CameraStatus,
    DisplayStatus,
    EncoderStatus,
    HealingStatus,
    RecordingStatus,
    StreamStatus,
)
from blackbox_qt.app.words import NO_CAMERA, PICTURE_STOPPED
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.meter import STOPPED_AFTER_S
from blackbox_qt.core.packet import Outlet, Packet
from blackbox_qt.core.scale import Scaler
from blackbox_qt.sinks.encoder import Encoder, EncoderLimits, EncoderSettings, Identity
from blackbox_qt.sinks.jpeg import JpegSettings, JpegSink
from blackbox_qt.sources import Source, SourceError, make, origin_of

log = logging.getLogger(__name__)

SOURCE_STOP_S = 1.5
"""Of the 4 s for the end, at most so much for a source that does not stop."""
NOTICE_S = 10
ENCODER_DEPTH = 4
"""Frames the encoder may be behind: 133 ms at 30 fps."""


class Camera:
    """One camera and its sinks, in the order frames flow.

    Threads: `start`, `stop` by the App; `hub.attach`, `jpeg`, `status` any.
    """

    def __init__(
        self,
        config: CameraConfig,
        whole: Config,
        make_writer: MakeWriter,
        clock: Clock,
        source: Callable[[], Source] | None = None,
    ) -> None:
        self.name = config.name
        self.hub = Hub(config.name, config.buffers)
        self.cared_ns = clock.boot_ns()  # when the caretaker last looked after the parts; opening may take a while
        self.config = config
        self.limits = Limits()  # what is given up for a while
        self._clock = clock
        self._shape: tuple[int, int] | None = None
        self._notice = ("", 0)  # words, and until when they are shown (boot clock)
        self._busy = Busy(clock)
        self._outlets: tuple[Outlet, ...] = ()
        self._display = DisplayStatus()
        self._encoder: Encoder | None = None  # the one now or, while it is being replaced, the one before
        self._missed = {"mailbox": 0, "encoder": 0, "shed": 0}  # frames lost on the way to a packet
        self._scaler = Scaler(whole.stream.width, whole.stream.height)
        self._settings = encoder_settings(whole)
        self._jpeg_settings = JpegSettings(whole.stream.quality, whole.stream.fps)
        self._source = source
        self._small = whole.stream.width, whole.stream.height
        first = partial(self._make, config)
        self.care = Caretaker(config.name, first, self._publish, self._mend, self.hub.source_stopped, clock)
        self.recorder = Recorder(config.name, make_writer, self._want_key, clock)
        self._encoding: Part[Encoder] = Part(f"{self.name} encoder", self._build_encoder, self._end, clock)
        self._streaming: Part[JpegSink] = Part(f"{self.name} stream", self._build_jpeg, self._end, clock)

    @property
    def jpeg(self) -> JpegSink:
        """The sink that browsers watch; another one after it has been restarted."""
        return self._streaming.now

    @property
    def settled(self) -> threading.Event:
        """Set when the first fragment is on the disk, or the source has failed at once."""
        return self.care.failed_once if self.care.failed_once.is_set() else self.recorder.first_durable

    @property
    def refused(self) -> SourceError | None:
        """Why this camera can never work as it is configured, if so."""
        return self.care.refused

    def start(self) -> None:
        """Consumers first, then the source: no frame arrives before everyone is ready."""
        self.recorder.start()
        self._encoding.start()
        self._streaming.start()
        self.care.start()

    def ask_to_stop(self) -> None:
        """Let the source end; does not wait."""
        self.care.ask_to_stop()

    def stop(self, left_s: Callable[[], float]) -> bool:
        """No new frames, sinks flush, files finished, every frame home. `left_s()` is what remains of the deadline.

        A source that hangs is not waited for long: what it has given must still reach the disk.
        """
        self.care.ask_to_stop()
        done = self.care.join(min(left_s(), SOURCE_STOP_S))
        done = self._encoding.stop(left_s()) and done
        done = self._streaming.stop(left_s()) and done
        done = self.recorder.finish(left_s()) and done
        held = {name: count for name, count in self.hub.holders().items() if name != "free"}
        if held:
            log.error("%s: frames not given back by %s", self.name, ", ".join(held))
        return done

    def add_outlet(self, outlet: Outlet) -> None:
        """Packets go there too, whichever encoder makes them; it waits for a key frame by itself and never raises."""
        self._outlets = (*self._outlets, outlet)

    def show_display(self, display: DisplayStatus) -> None:
        """The window tells how it shows this camera; the status passes it on."""
        self._display = display

    def pause(self, seconds: float) -> None:
        """Stop recording for so long; it goes on by itself."""
        self.recorder.pause(seconds)

    def cut(self) -> None:
        """Finish the open file and begin a new one, at once and without a loss."""
        self.recorder.cut()
        self._want_key()

    def resume(self) -> None:
        self.recorder.resume()
        self._want_key()

    def give_up(self, limits: Limits) -> None:
        """What is given up from now on so that recording goes on; takes effect within a key frame's time."""
        self.limits = limits
        self._streaming.now.fps_limit = limits.stream_fps
        self._encoding.now.limits = self._encoder_limits()

    def _encoder_limits(self) -> EncoderLimits:
        return EncoderLimits(self.limits.bitrate, self.limits.fps)

    def look_again(self) -> None:
        """Where to record may have changed: the next picture can begin another file."""
        self._want_key()
        self.recorder.nudge()

    def check(self, config: CameraConfig) -> None:
        """Whether this camera could be configured so. Raises SourceError or BudgetError, one sentence."""
        self._make(config)
        self.hub.check(config.buffers)

    def change(self, config: CameraConfig) -> Change:
        """Go on with this configuration (which `check` has passed): another source, size, rate, or other controls.

        Encoder, stream and recording stay; a new file begins. The change wants a `go` when it is `parked`.
        """
        change = Change(partial(self._make, config), partial(self._become, config))
        self.care.change(change)
        return change

    def _make(self, config: CameraConfig) -> Source:
        return self._source() if self._source is not None else make(config, self._small)

    def _become(self, config: CameraConfig) -> None:
        """Nothing is open now, and every frame of the old source that could come home has."""
        self.config = config
        self.hub.buffers = config.buffers
        self._shape = None  # another size is what was asked for, and nothing to tell the driver

    def _explain(self) -> tuple[str, str]:
        """What a stream says that has no live picture to send."""
        return (PICTURE_STOPPED if self.care.flow.meter.frames else NO_CAMERA), self.care.words

    def _want_key(self) -> None:
        if self._encoder is not None:
            self._encoder.request_key()

    def _publish(self, frame: Frame) -> None:
        layout = frame.images["main"].layout
        shape = layout.width, layout.height
        if shape != self._shape:
            if self._shape is not None:
                words = "the picture is {}x{} now, was {}x{}; a new file began".format(*shape, *self._shape)
                self._notice = words, self._clock.boot_ns() + NOTICE_S * NS
                log.warning("%s: %s", self.name, words)
            self._shape = shape
        frame.images.offer("lores", self._scaler)
        self.hub.publish(frame)

    def _mend(self) -> None:
        self.cared_ns = self._clock.boot_ns()
        for part in (self.recorder, self._encoding, self._streaming):
            part.mend()

    def _build_encoder(self, on_crash: Callable[[BaseException], None]) -> Encoder:
        inbox = self.hub.attach("encoder", depth=ENCODER_DEPTH, keeps=True)
        after = (0, 0) if self._encoder is None else self._encoder.seen
        encoder = self._encoder = Encoder(self.name, inbox, self._settings, self._identity, on_crash, after)
        encoder.add_outlet(self._to_writer)
        encoder.limits = self._encoder_limits()
        return encoder

    def _build_jpeg(self, on_crash: Callable[[BaseException], None]) -> JpegSink:
        inbox = self.hub.attach("jpeg", paused=True)
        sink = JpegSink(self.name, inbox, self._jpeg_settings, self._clock, on_crash, self._explain)
        sink.fps_limit = self.limits.stream_fps
        return sink

    def _end(self, sink: Encoder | JpegSink, timeout: float) -> bool:
        done = sink.stop(timeout)
        self.hub.detach(sink.inbox)
        return done

    def _to_writer(self, packet: Packet) -> None:
        for cause in self._missed:
            self._missed[cause] += packet.lost.get(cause, 0)
        self.recorder.put(packet)
        for outlet in self._outlets:
            outlet(packet)

    def _identity(self) -> Identity:
        source = self.care.source
        assert source is not None, "a frame came before its source"
        return Identity(source.origin, source.device, source.fps)

    # ---- how it is

    def status(self) -> CameraStatus:
        """A snapshot; costs some microseconds and never waits for the camera or the disk."""
        care, now = self.care, self._clock.boot_ns()
        age = care.flow.age_s()
        width, height = self._shape or (0, 0)
        recording = self.recorder.status(self._encoding.words)
        return CameraStatus(
            name=self.name,
            device=care.source.device if care.source else self.config.source,
            origin=care.source.origin if care.source else origin_of(self.config.source),
            state=self._state(age),
            words=care.words or (self._notice[0] if now < self._notice[1] else ""),
            width=width,
            height=height,
            fps=round(care.flow.meter.fps(now), 1),
            age_s=age,
            frames=care.flow.meter.frames,
            lost=self._lost(recording),
            buffers=dict(self.hub.holders()),
            encoder=self._encoder_status(),
            stream=StreamStatus(self.jpeg.watchers, self.jpeg.encoded, self.jpeg.inbox.dropped, self._streaming.words),
            display=self._display,
            recording=recording,
            healing=HealingStatus(
                care.healing.restarts, care.healing.reopens, care.outages.count, round(care.outages.seconds(now), 1)
            ),
        )

    def _state(self, age: float | None) -> CameraState:
        if self.care.words:
            return "fault"
        if age is None:
            return "starting"
        return "stopped" if age > STOPPED_AFTER_S else "live"

    def _lost(self, recording: RecordingStatus) -> dict[str, int]:
        """By cause; live, so that a loss shows before the packet after it is on the disk."""
        lost = {"camera": self.care.flow.meter.lost, "mailbox": 0, "encoder": 0, "shed": 0, "disk": 0, "stopped": 0}
        for cause in lost.keys() - {"camera"}:
            lost[cause] = max(self._missed.get(cause, 0), recording.lost.get(cause, 0))
        lost["encoder"] += self._unencoded()
        return lost

    def _unencoded(self) -> int:
        """Frames that came since the encoder died; no packet has told of them yet."""
        encoder = self._encoder
        if encoder is None or not (self._encoding.words or (encoder.encoded == 0 and encoder.seen[0])):
            return 0
        return max(0, self.care.flow.meter.frames - encoder.seen[0])

    def _encoder_status(self) -> EncoderStatus:
        encoder = self._encoding.now
        each_s, load = self._busy.look(encoder.encoded, encoder.busy_s)
        headroom = max(0.0, 1.0 - load)
        return EncoderStatus(encoder.encoded, round(each_s * 1000, 2), round(headroom, 3), self._encoding.words)


def encoder_settings(whole: Config) -> EncoderSettings:
    """What the configuration asks of every camera's encoder.

    Threads: any.
    """
    record = whole.record
    return EncoderSettings(record.preset, record.bitrate_kbit * 1000, int(record.key_interval_s * NS), record.threads)
