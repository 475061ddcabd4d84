"""From what was typed to a checked configuration."""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path

from blackbox_qt.config import Config, ConfigError, Option, load

SYSTEM_CONFIG = Path("/etc/blackbox-qt/config.toml")
"""What the installed recorder runs with."""
_NAMED = re.compile(r"([a-z][a-z0-9_]{0,15})=(.+)")


def configuration(args: argparse.Namespace) -> Config:
    """The file, then the options with names of their own, then --set. Raises ConfigError."""
    typed = {
        "--data": ("storage.data", getattr(args, "data", None)),
        "--host": ("web.host", getattr(args, "host", None)),
        "--port": ("web.port", getattr(args, "port", None)),
        "--no-auth": ("web.auth", False if getattr(args, "no_auth", False) else None),
        "--headless": ("window.enabled", False if getattr(args, "headless", False) else None),
    }
    options = [Option(name, key, value) for name, (key, value) in typed.items() if value is not None]
    return load(args.config, args.settings, options, _cameras(args.source))


def installed_configuration(args: argparse.Namespace) -> Config:
    """Like `configuration`; without --config and --source the installed recorder's file, if there is one.

    For commands that speak of this box, beside its recorder. Raises ConfigError.
    """
    if args.config is None and not args.source and SYSTEM_CONFIG.is_file():
        args.config = SYSTEM_CONFIG
    return configuration(args)


def _cameras(specs: list[str]) -> list[tuple[str, str]]:
    """(name, source) of `--source` once or more; the first without a name is front, the second rear."""
    cameras = []
    for spec, default in zip(
        specs, itertools.chain(("front", "rear", "left", "right"), itertools.repeat("front")), strict=False
    ):
        match = _NAMED.fullmatch(spec)
        name, source = match.groups() if match else (default, spec)
        cameras.append((name, source))
    return cameras


__all__ = ["ConfigError", "configuration", "installed_configuration"]
