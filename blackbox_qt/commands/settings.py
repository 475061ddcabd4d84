"""From what was typed to a checked configuration."""

from __future__ import annotations

import argparse
import re
from typing import Any

from blackbox_qt.config import Config, ConfigError, load

_NAMED = re.compile(r"([a-z][a-z0-9_]{0,15})=(.+)")


def configuration(args: argparse.Namespace) -> Config:
    """The file, then --set, then the options with names of their own. Raises ConfigError."""
    overrides: dict[str, Any] = {}
    if args.source:
        overrides["camera"] = _cameras(args.source)
    for option, section, key in (("data", "storage", "data"), ("host", "web", "host"), ("port", "web", "port")):
        value = getattr(args, option, None)
        if value is not None:
            overrides.setdefault(section, {})[key] = value
    if getattr(args, "no_auth", False):
        overrides.setdefault("web", {})["auth"] = False
    if getattr(args, "headless", False):
        overrides.setdefault("window", {})["enabled"] = False
    return load(args.config, args.settings, overrides)


def _cameras(specs: list[str]) -> list[dict[str, str]]:
    """`--source` once or more; the first without a name is front, the second rear."""
    cameras = []
    for index, spec in enumerate(specs):
        match = _NAMED.fullmatch(spec)
        default = ("front", "rear", "left", "right")[min(index, 3)]
        name, source = match.groups() if match else (default, spec)
        cameras.append({"name": name, "source": source})
    return cameras


__all__ = ["ConfigError", "configuration"]
