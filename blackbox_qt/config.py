"""The configuration: declared once, here; the default file, its check and --set come from these models."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from blackbox_qt.config_faults import AlarmsConfig, EmergencyConfig, HealthConfig, SheddingConfig
from blackbox_qt.config_marks import MarksConfig
from blackbox_qt.config_power import HotspotConfig as HotspotConfig
from blackbox_qt.config_power import PowerConfig as PowerConfig
from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.config_section import Section
from blackbox_qt.config_time import TimeConfig
from blackbox_qt.config_words import sentence

NAME = r"^[a-z][a-z0-9_]{0,15}$"
MIN_BUFFERS = 12
"""What a camera with recording, window, stream and one sink to come needs (see core.hub)."""


class ConfigError(Exception):
    """A setting is wrong; the text is one sentence naming where, which, what it is and what is allowed."""


class CameraConfig(Section):
    """A camera. Repeat this section for each one; the first is the one that /video_feed shows."""

    name: Annotated[str, Field(pattern=NAME)] = Field(
        "front", description="what it is called on screen and in file names: small letters, digits, _; at most 16"
    )
    source: str = Field(
        "pattern",
        description="where frames come from: pattern, pattern:WIDTHxHEIGHT@FPS, file:PATH, picamera:WHICH (a Pi's own "
        "camera: its number, model or connector), v4l2:WHICH (a USB camera: its device, name, serial or port) or auto "
        "(the only camera there is; a Pi's own before one on USB)",
        min_length=1,
    )
    buffers: int = Field(
        MIN_BUFFERS, ge=MIN_BUFFERS, le=64, description="frames in flight between camera, encoder and screens"
    )
    # The rest is asked of picamera and v4l2; a pattern or a file is as it is.
    width: int = Field(1920, ge=64, le=7680, multiple_of=2, description="pixels; the nearest the camera can")
    height: int = Field(1080, ge=64, le=4320, multiple_of=2, description="pixels")
    fps: float = Field(30, ge=1, le=240, description="frames per second")
    slowest_fps: float = Field(
        0, ge=0, le=240, description="frames per second the rate may fall to at night, for longer exposure; 0: never"
    )
    format: Literal["auto", "YU12", "NV12", "YUYV", "MJPG"] = Field(
        "auto", description="pixel format asked of a USB camera; auto takes the cheapest that gives size and rate"
    )
    rotate: Literal[0, 180] = Field(0, description="degrees; 180 for a camera that hangs upside down")
    exposure_us: int = Field(0, ge=0, le=1_000_000, description="microseconds; 0: automatic")
    gain: float = Field(
        0, ge=0, le=64, description="analogue gain; 0: automatic; a USB camera's has no unit, 1 to 64 is all it can"
    )
    white_balance: Literal["auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy"] = Field(
        "auto", description="kind of light"
    )
    hdr: bool = Field(False, description="high dynamic range, where the sensor has it")
    focus_m: float = Field(0, ge=0, le=100, description="m, fixed focus where the lens moves; 0: far away")
    noise_reduction: Literal["off", "fast", "high"] = Field("fast", description="in the camera's own hardware")


class RecordConfig(Section):
    """Recording: H.264, one encode per camera."""

    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "ultrafast", description="x264 preset; slower ones make smaller files and cost processor time"
    )
    bitrate_kbit: int = Field(8000, ge=200, le=100_000, description="kbit/s per camera")
    key_interval_s: float = Field(1.0, ge=0.2, le=10, description="s between key frames, by sensor time")
    threads: int = Field(
        1, ge=0, le=16, description="encoder threads; one costs the least, more are sooner ready; 0: x264 decides"
    )


class StorageConfig(Section):
    """Where recordings go, and how they are cut."""

    data: Path = Field(Path("~/blackbox"), strict=False, description="folder for recordings; also --data")
    state: Path = Field(
        Path("~/.local/state/blackbox-qt"),
        strict=False,
        description="folder for keys, notes and the emergency ring; never on a card that is taken out",
    )
    segment_s: float = Field(60, ge=2, le=3600, description="s, length of one file")
    fragment_ms: int = Field(
        250, ge=50, le=1000, description="ms, longest piece written at once; a power cut can tear it off"
    )
    sync_ms: int = Field(0, ge=0, le=10_000, description="ms between writes being forced to the disk; 0: each fragment")
    memory_s: float = Field(10, ge=1, le=60, description="s of video kept in memory while the disk stalls")


class StreamConfig(Section):
    """What phones and browsers see: MJPEG of the small picture."""

    width: int = Field(1280, ge=160, le=3840, description="pixels at most")
    height: int = Field(720, ge=90, le=2160, description="pixels at most")
    quality: int = Field(80, ge=1, le=100, description="JPEG quality")
    fps: float = Field(30, ge=1, le=120, description="frames per second at most")


class WebConfig(Section):
    """The page in the browser."""

    enabled: bool = Field(True, description="serve it at all")
    host: str = Field("0.0.0.0", description="address to listen on; 127.0.0.1: this machine only; also --host")
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 takes any free one; also --port")
    auth: bool = Field(True, description="ask for the access key; false only with host 127.0.0.1; also --no-auth")
    pause_minutes: float = Field(
        10, gt=0, le=240, description="min after which recording goes on by itself when somebody stopped it"
    )

    @field_validator("host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        import ipaddress

        try:
            ipaddress.ip_address("127.0.0.1" if value == "localhost" else value)
        except ValueError:
            raise ValueError("an IP address such as 0.0.0.0 or 127.0.0.1") from None
        return value


class WindowConfig(Section):
    """The window on the car's screen."""

    enabled: bool = Field(True, description="open it where there is a display; false is --headless")
    width: int = Field(800, ge=320, le=7680, description="pixels")
    height: int = Field(480, ge=200, le=4320, description="pixels")
    dpi: float = Field(0, ge=0, le=600, description="dots per inch of the screen; 0 believes what it says of itself")
    night: bool = Field(False, description="dark colours")


class RecoveryConfig(Section):
    """What is done about a camera that only a fresh process can heal (see docs/ARCHITECTURE.md, Faults)."""

    restart_process: Literal["alone", "always", "never"] = Field(
        "alone",
        description="restart the whole program for it: alone, when no other camera records; always, also at the price "
        "of some seconds of the others' recording; never",
    )


class Config(Section):
    """Everything. `[[camera]]` is a list, all others are single sections."""

    camera: tuple[CameraConfig, ...] = Field((CameraConfig(),), strict=False, min_length=1, max_length=4)
    record: RecordConfig = RecordConfig()
    storage: StorageConfig = StorageConfig()
    stream: StreamConfig = StreamConfig()
    web: WebConfig = WebConfig()
    window: WindowConfig = WindowConfig()
    power: PowerConfig = PowerConfig()
    hotspot: HotspotConfig = HotspotConfig()
    recovery: RecoveryConfig = RecoveryConfig()
    time: TimeConfig = TimeConfig()
    marks: MarksConfig = MarksConfig()
    retention: RetentionConfig = RetentionConfig()
    emergency: EmergencyConfig = EmergencyConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    shedding: SheddingConfig = SheddingConfig()
    health: HealthConfig = HealthConfig()


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that has an option of its own on the command line.

    Threads: immutable, any.
    """

    name: str  # as typed: "--port"
    key: str  # as in the file: "web.port"
    value: Any


def load(
    path: Path | None,
    settings: Iterable[str] = (),
    options: Iterable[Option] = (),
    sources: Iterable[tuple[str, str]] = (),
) -> Config:
    """Defaults, then the file, then `sources` (camera name, spec), `options`, and last `section.key=value` settings.

    `sources` say which cameras there are; what the file says of one of that name still holds. Raises ConfigError.
    """
    tree: dict[str, Any] = {} if path is None else _read(path)
    origin: dict[str, str] = {}
    cameras = _cameras(tree, list(sources))
    if cameras is not None:
        tree["camera"] = cameras
        origin["camera"] = "--source"
    for option in options:
        section, key = option.key.split(".")
        _set(tree, section, key, option.value)
        origin[option.key] = option.name
    for setting in settings:
        _apply_setting(tree, setting, origin)
    return _checked(tree, str(path) if path else "settings", origin)


def _cameras(tree: dict[str, Any], sources: list[tuple[str, str]]) -> list[dict[str, Any]] | None:
    if not sources:
        return None
    present = tree.get("camera")
    known = {c.get("name", "front"): c for c in present if isinstance(c, dict)} if isinstance(present, list) else {}
    return [{**known.get(name, {}), "name": name, "source": spec} for name, spec in sources]


def _set(tree: dict[str, Any], section: str, key: str, value: Any) -> None:
    values = tree.setdefault(section, {})
    if isinstance(values, dict):  # else the check says what is wrong with it
        values[key] = value


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path given to --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML ({error}); `blackbox-qt config` prints a good one") from None


def _apply_setting(tree: dict[str, Any], setting: str, origin: dict[str, str]) -> None:
    """One `--set section.key=value`; a camera's is `camera.NAME.key=value`."""
    key, equals, text = setting.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last or not sections:
        raise _not_understood(setting)
    value = _value(text.strip())
    origin[key.strip()] = origin[sections[0]] = "--set"
    if sections[0] == "camera":
        _camera_section(tree, sections[1:], setting)[last] = value
        return
    if len(sections) != 1:
        raise _not_understood(setting)
    _set(tree, sections[0], last, value)


def _not_understood(setting: str) -> ConfigError:
    words = "is not understood; write section.key=value, as in record.bitrate_kbit=6000"
    return ConfigError(f"--set {setting}: {words}")


def _camera_section(tree: dict[str, Any], names: list[str], setting: str) -> dict[str, Any]:
    cameras = tree.setdefault("camera", [CameraConfig().model_dump()])
    for camera in cameras if isinstance(cameras, list) else ():
        if isinstance(camera, dict) and [camera.get("name", "front")] == names:
            return camera
    raise ConfigError(f"--set {setting}: there is no such camera; write camera.NAME.key=value with the name of one")


def _value(text: str) -> Any:
    """What TOML makes of it, or the bare text: `--set web.host=127.0.0.1` needs no quotes."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _checked(tree: dict[str, Any], where: str, origin: dict[str, str]) -> Config:
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(sentence(error.errors()[0], Config, tree, where, origin)) from None
    where_cameras = origin.get("camera", where)
    names = [camera.name for camera in config.camera]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f'{where_cameras}: camera.name "{name}" is used twice; every camera needs a name of its own'
            )
    if len(names) > 1 and any(camera.source == "auto" for camera in config.camera):
        raise ConfigError(
            f'{where_cameras}: camera.source = "auto" is for a box with one camera; '
            "`blackbox-qt cameras` lists what to write for each"
        )
    if not config.web.auth and config.web.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f'{origin.get("web.auth", where)}: web.auth = false with web.host = "{config.web.host}" would let '
            "everybody in; allowed: with host 127.0.0.1 only"
        )
    return config
