"""How fast this machine encodes at the configured size: it really does, for some seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from blackbox_qt.app.camera import encoder_settings
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.packet import Packet
from blackbox_qt.core.worker import in_words
from blackbox_qt.doctor.case import Case, is_hardware
from blackbox_qt.doctor.finding import Finding, broken, look, ok
from blackbox_qt.doctor.threads import cpu_ns, cpu_of
from blackbox_qt.sinks.encoder import Encoder, Identity
from blackbox_qt.sources import SourceError, make

_DEPTH = 4  # frames it may be behind, as in the recorder
_STOP_S = 5.0
_BUSY, _TOO_BUSY = 0.6, 0.9
_CHEAPER = "set record.preset to ultrafast, or a smaller width and height or fewer fps for the cameras"


@dataclass(frozen=True, slots=True)
class Speed:
    """How one camera's encoder did.

    Threads: immutable, any.
    """

    camera: str
    width: int
    height: int
    fps: float
    frames: int  # encoded
    dropped: int  # that came too fast
    ms: float  # per frame

    @property
    def load(self) -> float:
        """Part of the time between two frames that encoding one takes."""
        return self.ms * self.fps / 1000


def encoder(case: Case) -> Finding:
    """The test picture, at each camera's size and rate, all cameras at once, with the configured settings."""
    try:
        speeds, cores_used = measure(case.config, case.encode_s)
    except Exception as error:  # the encoder's door: without it nothing can be recorded, whatever the reason
        words = "Nothing can be recorded like this: see the line about libraries, and the settings under [record]."
        return broken(f"the encoder failed ({in_words(error)})", words)
    return judge(speeds, cores_used, case.machine.cores)


def measure(config: Config, seconds: float) -> tuple[list[Speed], float]:
    """Speeds, and the cores that all of the encoding took. Raises SourceError, EncoderError."""
    with ExitStack() as stack:
        lanes = [stack.enter_context(_Lane(camera, config)) for camera in config.camera]
        for lane in lanes:
            lane.start()
        used, began = cpu_ns(), time.monotonic_ns()
        for lane in lanes:
            lane.wait(seconds)
        used, took = cpu_ns() - used, time.monotonic_ns() - began
        painting = cpu_of(used, "cam-") + cpu_of(used, "MainThread")
        return [lane.speed() for lane in lanes], max(0, sum(used.values()) - painting) / took


class _Lane:
    """A painter and an encoder, as a camera has them.

    Threads: one owner.
    """

    def __init__(self, camera: CameraConfig, config: Config) -> None:
        width, height, fps = shape_of(camera)
        painted = CameraConfig(name=camera.name, source=f"pattern:{width}x{height}@{fps:g}")
        self._source, self._hub = make(painted), Hub(camera.name, painted.buffers)
        self._size = width, height, fps
        self._inbox = self._hub.attach("encoder", depth=_DEPTH)
        settings = encoder_settings(config)
        self._encoder = Encoder(camera.name, self._inbox, settings, lambda: Identity(fps=fps), self._crashed)
        self._encoder.add_outlet(self._count)
        self._done = threading.Event()
        self._wanted: int | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> _Lane:
        self._source.open()
        self._encoder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._source.stop()
        self._encoder.stop(_STOP_S)
        self._source.close()

    def start(self) -> None:
        self._source.start(self._hub.publish, self._crashed)

    def wait(self, seconds: float) -> None:
        """Until as many frames are encoded as come in `seconds`, or twice that time has passed. Raises what crashed."""
        self._wanted = max(1, round(seconds * self._size[2]))
        self._done.wait(2 * seconds + 2)
        if self._error is not None:
            raise self._error

    def speed(self) -> Speed:
        encoder = self._encoder
        each_ms = encoder.busy_s * 1000 / max(1, encoder.encoded)
        return Speed(encoder.camera, *self._size, encoder.encoded, self._inbox.dropped, each_ms)

    def _count(self, _: Packet) -> None:
        if self._wanted is not None and self._encoder.encoded >= self._wanted:
            self._done.set()

    def _crashed(self, error: BaseException) -> None:
        self._error = error
        self._done.set()


def shape_of(camera: CameraConfig) -> tuple[int, int, float]:
    """(width, height, frames per second) that this camera will give, as far as can be known before."""
    if is_hardware(camera):
        return camera.width, camera.height, camera.fps
    try:
        source = make(camera)
        source.open()
    except SourceError:  # its own line says so
        return camera.width, camera.height, camera.fps
    try:
        layout = source.layout
        return (layout.width, layout.height, source.fps) if layout else (camera.width, camera.height, source.fps)
    finally:
        source.close()


def judge(speeds: Sequence[Speed], cores_used: float, cores: int) -> Finding:
    """What these speeds mean on a machine with so many cores.

    Threads: any.
    """
    left = max(0.0, cores - cores_used)
    data = {
        "cameras": [
            {"camera": s.camera, "width": s.width, "height": s.height, "fps": s.fps, "frames": s.frames,
             "dropped": s.dropped, "ms_per_frame": round(s.ms, 2)}
            for s in speeds
        ],
        "cores": cores, "cores_used": round(cores_used, 2), "cores_left": round(left, 2),
    }  # fmt: skip
    each = "; ".join(f"{s.camera} {s.width}x{s.height}: {s.ms:.1f} of {1000 / s.fps:.1f} ms a frame" for s in speeds)
    text = f"{each}; takes {cores_used:.2f} of {cores} cores, leaves {left:.1f}"
    dropped = sum(s.dropped for s in speeds)
    if dropped or any(s.load > _TOO_BUSY for s in speeds):
        lost = f", {dropped} frames were lost" if dropped else ""
        return broken(f"{text}{lost}", f"Too slow to record every frame: {_CHEAPER}.", **data)
    if any(s.load > _BUSY for s in speeds) or left < 1:
        return look(text, f"Little is left for page, window and a hot day: {_CHEAPER}.", **data)
    return ok(text, **data)
