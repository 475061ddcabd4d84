"""The default configuration file, written from the models: it is the manual."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.config_words import limits_of

_HEAD = """\
# Blackbox Qt: every setting with its default. Give this file with --config FILE,
# or one setting with --set section.key=value (a camera's: --set camera.NAME.key=value).
"""


def default_toml() -> str:
    """The commented default configuration, TOML; loading it gives exactly the defaults."""
    parts = [_HEAD]
    for name, field in Config.model_fields.items():
        model = CameraConfig if name == "camera" else field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        title = f"[[{name}]]" if name == "camera" else f"[{name}]"
        parts.append("\n".join([_comment(model.__doc__ or ""), title, *_lines(model)]) + "\n")
    return "\n".join(parts)


def _lines(model: type[BaseModel]) -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        limits = limits_of(field)
        allowed = limits.get("one of") or limits.get("range")
        text = f"{field.description}" + (f" ({allowed})" if allowed else "")
        lines += ["", _comment(text), f"{key} = {_toml(field.default)}"]
    return lines


def _comment(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 98, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, Path)):
        text = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    return f"{value:g}" if isinstance(value, float) else str(value)
