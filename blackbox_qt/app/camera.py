"""Everything that belongs to one camera: source, hub, encoder, writer, JPEG; and how it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from blackbox_qt.app.caretaker import STOPPED_AFTER_S, Caretaker
from blackbox_qt.app.part import Part
from blackbox_qt.app.status import (
    CameraState,
    CameraStatus,
    DisplayStatus,
    EncoderStatus,
    RecordingState,
    RecordingStatus,
    StreamStatus,
)
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.frame import Frame
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.packet import Packet
from blackbox_qt.core.scale import Scaler
from blackbox_qt.sinks.encoder import Encoder, EncoderSettings, Identity
from blackbox_qt.sinks.jpeg import JpegSettings, JpegSink
from blackbox_qt.sources import Source, SourceError, make, origin_of
from blackbox_qt.storage.writer import Writer

log = logging.getLogger(__name__)

UNSYNCED_ALARM_S = 2.0
ENCODER_DEPTH = 4
"""Frames the encoder may be behind: 133 ms at 30 fps."""

MakeWriter = Callable[[Callable[[BaseException], None]], Writer]


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
        self.origin = origin_of(config.source)
        self.hub = Hub(config.name, config.buffers)
        self._spec = config.source
        self._clock = clock
        self._shape: tuple[int, int] | None = None
        self._display = DisplayStatus()
        self._encoder: Encoder | None = None  # the one now or, while it is being replaced, the one before
        self._missed = {"mailbox": 0, "encoder": 0}  # frames lost on the way to a packet
        self._scaler = Scaler(whole.stream.width, whole.stream.height, config.buffers)
        self._settings = _encoder_settings(whole)
        self._jpeg_settings = JpegSettings(whole.stream.quality, whole.stream.fps)
        make_source = source or (lambda: make(config.source, config.name, config.buffers))
        self.care = Caretaker(config.name, make_source, self._publish, self._mend, clock)
        self.writing: Part[Writer] = Part(f"{self.name} recording", make_writer, Writer.finish, clock)
        self._encoding: Part[Encoder] = Part(f"{self.name} encoder", self._build_encoder, self._end, clock)
        self._streaming: Part[JpegSink] = Part(f"{self.name} stream", self._build_jpeg, self._end, clock)

    @property
    def jpeg(self) -> JpegSink:
        """The sink that browsers watch; another one after it has been restarted."""
        return self._streaming.now

    @property
    def settled(self) -> threading.Event:
        """Set when the first fragment is on the disk, or the source has failed at once."""
        return self.care.failed_once if self.care.failed_once.is_set() else self.writing.now.first_durable

    @property
    def refused(self) -> SourceError | None:
        """Why this camera can never work as it is configured, if so."""
        return self.care.refused

    def start(self) -> None:
        """Consumers first, then the source: no frame arrives before everyone is ready."""
        self.writing.start()
        self._encoding.start()
        self._streaming.start()
        self.care.start()

    def stop(self, left_s: Callable[[], float]) -> bool:
        """No new frames, sinks flush, files finished, every frame home. `left_s()` is what remains of the deadline."""
        done = self.care.stop(left_s())
        done = self._encoding.stop(left_s()) and done
        done = self._streaming.stop(left_s()) and done
        done = self.writing.stop(left_s()) and done
        held = {name: count for name, count in self.hub.holders().items() if name != "free"}
        if held:
            log.error("%s: frames not given back by %s", self.name, ", ".join(held))
        return done

    def show_display(self, display: DisplayStatus) -> None:
        """The window tells how it shows this camera; the status passes it on."""
        self._display = display

    def pause(self, seconds: float) -> None:
        """Stop recording for so long; it goes on by itself."""
        self.writing.now.pause(seconds)

    def resume(self) -> None:
        self.writing.now.resume()
        self._encoding.now.request_key()

    def _publish(self, frame: Frame) -> None:
        layout = frame.images["main"].layout
        shape = layout.width, layout.height
        if shape != self._shape:
            if self._shape is not None:
                log.warning("%s: the picture is %dx%d now, was %dx%d", self.name, *shape, *self._shape)
            self._shape = shape
        frame.images.offer("lores", self._scaler)
        self.hub.publish(frame)

    def _mend(self) -> None:
        for part in (self.writing, self._encoding, self._streaming):
            part.mend()

    def _build_encoder(self, on_crash: Callable[[BaseException], None]) -> Encoder:
        inbox = self.hub.attach("encoder", depth=ENCODER_DEPTH)
        after = None if self._encoder is None else self._encoder.last_seq
        encoder = self._encoder = Encoder(self.name, inbox, self._settings, self._identity, on_crash, after)
        encoder.add_outlet(self._to_writer)
        return encoder

    def _build_jpeg(self, on_crash: Callable[[BaseException], None]) -> JpegSink:
        inbox = self.hub.attach("jpeg", paused=True)
        return JpegSink(self.name, inbox, self._jpeg_settings, self._clock, on_crash, lambda: self.care.words)

    def _end(self, sink: Encoder | JpegSink, timeout: float) -> bool:
        done = sink.stop(timeout)
        self.hub.detach(sink.inbox)
        return done

    def _to_writer(self, packet: Packet) -> None:
        for cause in self._missed:
            self._missed[cause] += packet.lost.get(cause, 0)
        self.writing.now.put(packet)

    def _identity(self) -> Identity:
        source = self.care.source
        return Identity(self.origin, source.device if source else self._spec, source.fps if source else 30.0)

    # ---- how it is

    def status(self) -> CameraStatus:
        """A snapshot; costs some microseconds and never waits for the camera or the disk."""
        care, now = self.care, self._clock.boot_ns()
        age = care.meter.age_s(now)
        width, height = self._shape or (0, 0)
        recording = self._recording()
        return CameraStatus(
            name=self.name,
            device=care.source.device if care.source else self._spec,
            origin=self.origin,
            state=self._state(age),
            words=care.words,
            width=width,
            height=height,
            fps=round(care.meter.fps(now), 1),
            age_s=age,
            frames=care.meter.frames,
            lost=self._lost(recording),
            buffers=dict(self.hub.holders()),
            encoder=self._encoder_status(),
            stream=StreamStatus(self.jpeg.watchers, self.jpeg.encoded, self.jpeg.inbox.dropped, self._streaming.words),
            display=self._display,
            recording=recording,
        )

    def _state(self, age: float | None) -> CameraState:
        if self.care.words:
            return "fault"
        if age is None:
            return "starting"
        return "stopped" if age > STOPPED_AFTER_S else "live"

    def _lost(self, recording: RecordingStatus) -> dict[str, int]:
        """By cause; live, so that a loss shows before the packet after it is on the disk."""
        behind = {cause: recording.lost.get(cause, 0) for cause in ("disk", "stopped")}
        return {"camera": self.care.meter.lost, **self._missed, **behind}

    def _encoder_status(self) -> EncoderStatus:
        encoder = self._encoding.now
        each_s = encoder.busy_s / encoder.encoded if encoder.encoded else 0.0
        fps = self.care.source.fps if self.care.source else 30.0
        headroom = max(0.0, 1.0 - each_s * fps)
        return EncoderStatus(encoder.encoded, round(each_s * 1000, 2), round(headroom, 3), self._encoding.words)

    def _left_s(self, until_ns: int | None) -> float | None:
        return None if until_ns is None else max(0.0, (until_ns - self._clock.boot_ns()) / NS)

    def _recording(self) -> RecordingStatus:
        writer = self.writing.now.status()
        words = self.writing.words or self._encoding.words or writer.words
        state: RecordingState = "fault" if self.writing.words or self._encoding.words else writer.state
        return RecordingStatus(
            state=state,
            words=words,
            segment=writer.segment,
            segments=writer.segments,
            frames=writer.frames_durable,
            bytes=writer.bytes,
            queue_frames=writer.queue_packets,
            queue_s=writer.queue_s,
            unsynced_s=writer.unsynced_age_s,
            late=writer.unsynced_age_s > UNSYNCED_ALARM_S,
            resumes_in_s=self._left_s(writer.paused_until_ns),
            lost=dict(writer.lost),
        )


def _encoder_settings(whole: Config) -> EncoderSettings:
    record = whole.record
    return EncoderSettings(record.preset, record.bitrate_kbit * 1000, int(record.key_interval_s * NS), record.threads)
