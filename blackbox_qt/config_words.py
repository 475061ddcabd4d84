"""What is wrong with a setting, in one sentence, from the models' own limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]


def sentence(
    error: ErrorDetails, config: type[BaseModel], tree: dict[str, Any], where: str, origin: dict[str, str]
) -> str:
    """Where (a file, or what `origin` says of that key), which key, what it is and what is allowed.

    Threads: any.
    """
    key = _key(error["loc"], tree)
    where = origin.get(key, where)
    if error["type"] == "extra_forbidden":
        return f"{where}: {key} is not a setting; known here: {', '.join(_known(config, error['loc']))}"
    given = error["input"]
    shown = f'"{given}"' if isinstance(given, str) else str(given).lower() if isinstance(given, bool) else f"{given}"
    return f"{where}: {key} = {shown} is not allowed; {_allowed(config, error)}"


def _key(location: Location, tree: dict[str, Any]) -> str:
    """`camera.rear.buffers` for ("camera", 1, "buffers")."""
    parts = []
    for part in location:
        if isinstance(part, int):
            camera = tree["camera"][part]
            part = camera.get("name", "front") if isinstance(camera, dict) else part + 1
        parts.append(str(part))
    return ".".join(parts)


def _known(config: type[BaseModel], location: Location) -> list[str]:
    model = config
    for part in location[:-1]:
        if isinstance(part, str):
            model = section_model(model.model_fields[part]) or model
    return list(model.model_fields)


def section_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a section or of a list of sections; None for a plain setting.

    Threads: any.
    """
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _allowed(config: type[BaseModel], error: ErrorDetails) -> str:
    """What would be right, from the models' own limits."""
    return "allowed: " + (_section_wanted(error) or _value_wanted(config, error))


def _section_wanted(error: ErrorDetails) -> str:
    location = error["loc"]
    if location == ("camera",):
        return "one to four [[camera]] sections"
    if error["type"] == "model_type":
        return "a [[camera]] section" if location[0] == "camera" else f"a [{location[0]}] section"
    return ""


def _value_wanted(config: type[BaseModel], error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "string_pattern_mismatch":
        return "a small letter, then small letters, digits or _, at most 16"
    limits = limits_of(_field(config, error["loc"]))
    return limits.get("one of") or f"{limits['type']} {limits.get('range', '')}".rstrip()


def _field(config: type[BaseModel], location: Location) -> FieldInfo:
    model = config
    for part in (p for p in location if isinstance(p, str)):
        field = model.model_fields[part]
        model = section_model(field) or model
    return field


def limits_of(field: FieldInfo) -> dict[str, str]:
    """A field's type and range in words: {"type": "a whole number", "range": "200 to 100000"}.

    Threads: any.
    """
    kinds: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    limits = {"type": kinds.get(field.annotation, "a path" if field.annotation is Path else "a value")}
    if get_origin(field.annotation) is Literal:
        limits["one of"] = ", ".join(str(value) for value in get_args(field.annotation))
    low = high = ""
    for rule in field.metadata:
        if getattr(rule, "multiple_of", None) == 2:
            limits["type"] = "an even number"
        low = next((f"{getattr(rule, n)}" for n in ("ge", "gt") if getattr(rule, n, None) is not None), low)
        high = next((f"{getattr(rule, n)}" for n in ("le", "lt") if getattr(rule, n, None) is not None), high)
    if low and high:
        above = any(getattr(rule, "gt", None) is not None for rule in field.metadata)
        limits["range"] = f"above {low}, at most {high}" if above else f"{low} to {high}"
    return limits
