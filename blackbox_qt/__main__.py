"""The command line: what was typed, and which command it means. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import blackbox_qt
from blackbox_qt.commands import Exit

_COMMANDS = ("run", "snapshot", "config", "check", "hotspot", "power")
_SOURCE = "pattern, pattern:WIDTHxHEIGHT@FPS or file:PATH; NAME=SPEC names the camera (front=..., rear=...); repeatable"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code (see commands.Exit)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0] not in _COMMANDS and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "run")
    args = _parser().parse_args(words)
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    return int(args.command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blackbox-qt", description="A car's black box: records, shows, streams.")
    parser.add_argument("--version", action="version", version=f"blackbox-qt {blackbox_qt.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    _add_snapshot(commands)
    _add_config(commands)
    _add_check(commands)
    _add_hotspot(commands)
    _add_power(commands)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", action="append", default=[], metavar="SPEC", help=_SOURCE)
    _settings(parser)


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(source=[])
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see `blackbox-qt config`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings",
        help="one setting, e.g. record.bitrate_kbit=6000 or camera.front.buffers=16; repeatable",
    )  # fmt: skip
    _verbose(parser)


def _verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="tell more in the log")


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="record, show and stream (the default command)")
    _common(run)
    run.add_argument("--headless", action="store_true", help="no window")
    run.add_argument("--data", type=Path, metavar="DIR", help="folder for recordings")
    run.add_argument("--host", metavar="ADDRESS", help="address the page listens on, e.g. 127.0.0.1 or 0.0.0.0")
    run.add_argument("--port", type=int, metavar="PORT", help="TCP port of the page, 0-65535; 0 takes any free one")
    run.add_argument("--no-auth", action="store_true", help="let everybody in; with --host 127.0.0.1 only")
    run.add_argument("--duration", type=_seconds, metavar="SECONDS", help="end politely after so many seconds")
    run.set_defaults(command=_run)


def _add_snapshot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    snapshot = commands.add_parser("snapshot", help="take one still picture")
    _common(snapshot)
    snapshot.add_argument("output", type=Path, help="file to write; with --raw a folder for the planes and a JSON file")
    snapshot.add_argument("--camera", metavar="NAME", help="which camera; the first one if not given")
    snapshot.add_argument("--quality", type=_quality, default=90, metavar="1-100", help="JPEG quality (default 90)")
    snapshot.add_argument("--raw", action="store_true", help="the planes as they are, and a JSON file describing them")
    snapshot.set_defaults(command=_snapshot)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = commands.add_parser("config", help="print the default configuration, with comments")
    _verbose(config)
    config.set_defaults(command=_config)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="read recordings: frames, gaps, times, damage, hashes; changes nothing")
    check.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files or folders")
    _verbose(check)
    check.set_defaults(command=_check)


def _add_hotspot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    hotspot = commands.add_parser("hotspot", help="the box's own Wi-Fi, and what a phone needs to join it")
    hotspot.add_argument("action", choices=("on", "off", "status"))
    _settings(hotspot)
    hotspot.set_defaults(command=_hotspot)


def _add_power(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    power = commands.add_parser("power", help="switch the box off safely, or say whether that works")
    power.add_argument("action", choices=("off", "status"))
    _settings(power)
    power.set_defaults(command=_power)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 10**9:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give seconds, more than 0")
    return value


def _quality(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; give a whole number from 1 to 100")
    return int(text)


def _run(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.run import run

    return run(args)


def _snapshot(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.snapshot import snapshot

    return snapshot(args)


def _config(_: argparse.Namespace) -> int:
    from blackbox_qt.manual import default_toml

    sys.stdout.write(default_toml())
    return Exit.OK


def _check(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.check import check

    return check(args)


def _hotspot(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.hotspot import run_hotspot

    return run_hotspot(args)


def _power(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.power import run_power

    return run_power(args)


if __name__ == "__main__":
    sys.exit(main())
