"""The command line: what was typed, and which command it means. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import blackbox_qt
from blackbox_qt.commands import Exit, evidence_commands, fault_commands, kept_commands, library_commands

_COMMANDS = ("run", "snapshot", "config", "check", "hotspot", "power", "cameras", "camera-test", "doctor",
             "bench", "mark", "time", "card", "health", "retention", "erase", "bundle", "list")  # fmt: skip
_SOURCE = (
    "auto, picamera:WHICH, v4l2:WHICH, pattern, pattern:WIDTHxHEIGHT@FPS or file:PATH "
    "(`blackbox-qt cameras` lists them); NAME=SPEC names the camera (front=..., rear=...); repeatable"
)


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
    try:
        return int(args.command(args))
    except KeyboardInterrupt:  # run has its own way to end
        return Exit.INTERRUPTED


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
    _add_cameras(commands)
    _add_camera_test(commands)
    _add_doctor(commands)
    _add_bench(commands)
    _add_mark(commands)
    _add_time(commands)
    fault_commands.add(commands, _settings, _json)
    kept_commands.add(commands, _settings)
    library_commands.add(commands, _settings, _json)
    evidence_commands.add(commands, _settings)
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
    kind = snapshot.add_mutually_exclusive_group()
    kind.add_argument("--raw", action="store_true", help="the planes as they are, and a JSON file describing them")
    kind.add_argument("--dng", action="store_true", help="the sensor's own data as a DNG file; a Pi's own camera only")
    snapshot.set_defaults(command=_snapshot)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    config = commands.add_parser("config", help="print the default configuration, with comments")
    _verbose(config)
    config.set_defaults(command=_config)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser("check", help="read recordings: frames, gaps, times, damage, hashes, signatures")
    check.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files or folders")
    check.add_argument("--key", type=Path, metavar="FILE", help="the public key that must have signed them (PEM)")
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


def _add_cameras(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cameras = commands.add_parser("cameras", help="list the cameras that are plugged in, and who holds them")
    _json(cameras)
    _verbose(cameras)
    cameras.set_defaults(command=_cameras)


def _add_camera_test(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    test = commands.add_parser("camera-test", help="half a second of one camera: rate, losses, light, a still")
    _common(test)
    test.add_argument("--camera", metavar="N|NAME", help="a number of `blackbox-qt cameras`, or a configured name")
    test.add_argument("--seconds", type=_seconds, default=0.5, metavar="S", help="after a warm-up (default 0.5)")
    test.add_argument("--output", type=Path, metavar="FILE", help="where the still goes (default camera-test-NAME.jpg)")
    _json(test)
    test.set_defaults(command=_camera_test)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser("doctor", help="look at the whole machine: ok, look here, broken, and what to do")
    _common(doctor)
    doctor.add_argument("--quick", action="store_true", help="measure the card for 1 s instead of 10 s")
    doctor.add_argument("--report", action="store_true", help="print the rows of the table in docs/PI.md instead")
    _json(doctor)
    doctor.set_defaults(command=_doctor)


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bench = commands.add_parser("bench", help="record for a while, unwatched and watched: CPU, memory, latency, losses")
    _common(bench)
    bench.add_argument("--seconds", type=_seconds, default=20.0, metavar="S", help="of each part (default 20)")
    _json(bench)
    bench.set_defaults(command=_bench)


def _add_mark(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mark = commands.add_parser("mark", help="keep what the running recorder records around this moment")
    _settings(mark)
    mark.add_argument("--note", default="", metavar="TEXT", help="what to remember, e.g. a number plate")
    mark.add_argument("--reason", default="", metavar="TEXT", help="why, in a word or two")
    mark.add_argument("--whole-trip", action="store_true", help="all since the machine was started, and to its end")
    other = mark.add_mutually_exclusive_group()
    other.add_argument("--undo", metavar="ID", help="take a mark back; locks of other marks stay")
    other.add_argument("--list", action="store_true", help="list the marks, the newest first")
    mark.set_defaults(command=_mark)


def _add_time(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from blackbox_qt.commands.moment import moment

    time = commands.add_parser("time", help="what the running recorder believes about the time, and who said so")
    time.add_argument("--set", type=moment, metavar="TIME", dest="time", help="tell it by hand: 2026-11-20T14:07[:31]")
    time.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see `blackbox-qt config`")
    _verbose(time)
    time.set_defaults(command=_time, source=[], settings=[])


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


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


def _cameras(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.cameras import cameras

    return cameras(args)


def _camera_test(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.camera_test import camera_test

    return camera_test(args)


def _doctor(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.doctor import doctor

    return doctor(args)


def _mark(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.mark import run_mark

    return run_mark(args)


def _time(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.time import run_time

    return run_time(args)


def _bench(args: argparse.Namespace) -> int:
    from blackbox_qt.commands.bench import bench

    return bench(args)


if __name__ == "__main__":
    sys.exit(main())
