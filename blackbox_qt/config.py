"""The configuration: declared once, here; the default file, its check and --set come from these models."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

NAME = r"^[a-z][a-z0-9_]{0,15}$"
MIN_BUFFERS = 12
"""What a camera with recording, window, stream and one sink to come needs (see core.hub)."""


class ConfigError(Exception):
    """A setting is wrong; the text is one sentence naming where, which, what it is and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, strict=True)


class CameraConfig(_Section):
    """A camera. Repeat this section for each one; the first is the one that /video_feed shows."""

    name: Annotated[str, Field(pattern=NAME)] = Field(
        "front", description="what it is called on screen and in file names: small letters, digits, _; at most 16"
    )
    source: str = Field(
        "pattern", description="where frames come from: pattern, pattern:WIDTHxHEIGHT@FPS or file:PATH", min_length=1
    )
    buffers: int = Field(
        MIN_BUFFERS, ge=MIN_BUFFERS, le=64, description="frames in flight between camera, encoder and screens"
    )


class RecordConfig(_Section):
    """Recording: H.264, one encode per camera."""

    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "ultrafast", description="x264 preset; slower ones make smaller files and cost processor time"
    )
    bitrate_kbit: int = Field(8000, ge=200, le=100_000, description="kbit/s per camera")
    key_interval_s: float = Field(1.0, ge=0.2, le=10, description="s between key frames, by sensor time")
    threads: int = Field(0, ge=0, le=16, description="encoder threads; 0 lets x264 decide")


class StorageConfig(_Section):
    """Where recordings go, and how they are cut."""

    data: Path = Field(Path("~/blackbox"), strict=False, description="folder for recordings; also --data")
    state: Path = Field(
        Path("~/.local/state/blackbox-qt"),
        strict=False,
        description="folder for the access key; never on a card that is taken out",
    )
    segment_s: float = Field(60, ge=2, le=3600, description="s, length of one file")
    fragment_ms: int = Field(250, ge=50, le=1000, description="ms, the most that a power cut can tear off")
    sync_ms: int = Field(0, ge=0, le=10_000, description="ms between writes being forced to the disk; 0: each fragment")
    memory_s: float = Field(10, ge=1, le=60, description="s of video kept in memory while the disk stalls")


class StreamConfig(_Section):
    """What phones and browsers see: MJPEG of the small picture."""

    width: int = Field(1280, ge=160, le=3840, description="pixels at most")
    height: int = Field(720, ge=90, le=2160, description="pixels at most")
    quality: int = Field(80, ge=1, le=100, description="JPEG quality")
    fps: float = Field(30, ge=1, le=120, description="frames per second at most")


class WebConfig(_Section):
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


class WindowConfig(_Section):
    """The window on the car's screen."""

    enabled: bool = Field(True, description="open it where there is a display; false is --headless")
    width: int = Field(800, ge=320, le=7680, description="pixels")
    height: int = Field(480, ge=200, le=4320, description="pixels")
    dpi: float = Field(0, ge=0, le=600, description="dots per inch of the screen; 0 believes what it says of itself")
    night: bool = Field(False, description="dark colours")


class Config(_Section):
    """Everything. `[[camera]]` is a list, all others are single sections."""

    camera: tuple[CameraConfig, ...] = Field((CameraConfig(),), strict=False, min_length=1, max_length=4)
    record: RecordConfig = RecordConfig()
    storage: StorageConfig = StorageConfig()
    stream: StreamConfig = StreamConfig()
    web: WebConfig = WebConfig()
    window: WindowConfig = WindowConfig()


def load(path: Path | None, settings: Iterable[str] = (), overrides: dict[str, Any] | None = None) -> Config:
    """Defaults, then the file, then `section.key=value` settings, then `overrides` (nested like the file).

    Raises ConfigError.
    """
    tree: dict[str, Any] = {}
    origin: dict[str, str] = {}
    if path is not None:
        tree = _read(path)
    for setting in settings:
        _apply_setting(tree, setting, origin)
    for section, values in (overrides or {}).items():
        if isinstance(values, dict):
            tree.setdefault(section, {}).update(values)
        else:
            tree[section] = values
    return _checked(tree, str(path) if path else "settings", origin)


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
    section = tree.setdefault(sections[0], {})
    if isinstance(section, dict):  # else the check below says what is wrong with it
        section[last] = value


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
        raise ConfigError(_sentence(error.errors()[0], where, origin, tree)) from None
    names = [camera.name for camera in config.camera]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'{where}: camera.name "{name}" is used twice; every camera needs a name of its own')
    if not config.web.auth and config.web.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f'{where}: web.auth = false with web.host = "{config.web.host}" would let everybody in; '
            "allowed: with host 127.0.0.1 only"
        )
    return config


def _sentence(error: ErrorDetails, where: str, origin: dict[str, str], tree: dict[str, Any]) -> str:
    key = _key(error["loc"], tree)
    where = origin.get(key, where)
    if error["type"] == "extra_forbidden":
        return f"{where}: {key} is not a setting; known here: {', '.join(_known(error['loc']))}"
    given = error["input"]
    shown = f'"{given}"' if isinstance(given, str) else str(given).lower() if isinstance(given, bool) else f"{given}"
    return f"{where}: {key} = {shown} is not allowed; {_allowed(error)}"


def _key(location: tuple[int | str, ...], tree: dict[str, Any]) -> str:
    """`camera.rear.buffers` for ("camera", 1, "buffers")."""
    parts = []
    for part in location:
        if isinstance(part, int):
            camera = tree["camera"][part]
            part = camera.get("name", "front") if isinstance(camera, dict) else part + 1
        parts.append(str(part))
    return ".".join(parts)


def _known(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        if isinstance(part, str):
            model = CameraConfig if part == "camera" else _model(model, part)
    return list(model.model_fields)


def _model(model: type[BaseModel], name: str) -> type[BaseModel]:
    annotation = model.model_fields[name].annotation
    assert isinstance(annotation, type)
    return annotation


def _allowed(error: ErrorDetails) -> str:
    """What would be right, from the models' own limits."""
    return "allowed: " + (_section_wanted(error) or _value_wanted(error))


def _section_wanted(error: ErrorDetails) -> str:
    location = error["loc"]
    if location == ("camera",):
        return "one to four [[camera]] sections"
    if error["type"] == "model_type":
        return "a [[camera]] section" if location[0] == "camera" else f"a [{location[0]}] section"
    return ""


def _value_wanted(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "string_pattern_mismatch":
        return "a small letter, then small letters, digits or _, at most 16"
    limits = limits_of(_field(error["loc"]))
    return limits.get("one of") or f"{limits['type']} {limits.get('range', '')}".rstrip()


def _field(location: tuple[int | str, ...]) -> Any:
    model: type[BaseModel] = Config
    field = None
    for part in (p for p in location if isinstance(p, str)):
        field = model.model_fields.get(part)
        if part == "camera":
            model = CameraConfig
        elif field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return field


def limits_of(field: Any) -> dict[str, str]:
    """A field's type and range in words: {"type": "a whole number", "range": "200 to 100000"}.

    Threads: any.
    """
    kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    limits = {"type": kinds.get(field.annotation, "a value")}
    if getattr(field.annotation, "__origin__", None) is Literal:
        limits["one of"] = ", ".join(field.annotation.__args__)
    low = high = ""
    for rule in field.metadata:
        low = next((f"{getattr(rule, n)}" for n in ("ge", "gt") if getattr(rule, n, None) is not None), low)
        high = next((f"{getattr(rule, n)}" for n in ("le", "lt") if getattr(rule, n, None) is not None), high)
    if low and high:
        limits["range"] = f"{low} to {high}"
    return limits
