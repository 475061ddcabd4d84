"""`blackbox-qt power off|status`: switch the box off safely, and whether that works."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.power import logind
from blackbox_qt.power.lines import LineError, open_line
from blackbox_qt.power.logind import PowerError
from blackbox_qt.power.switch import wish


def run_power(args: argparse.Namespace) -> int:
    """Do it, or say how it is. Returns an Exit."""
    try:
        config = installed_configuration(args).power
        if args.action == "off":
            # Whoever records is ended by systemd first, with a signal, and finishes its files: there is one way only.
            logind.power_off()
            print("The box switches off.")
            return Exit.OK
        allowed = logind.may_power_off()
    except ConfigError as error:
        return _refuse(error, Exit.USAGE)
    except PowerError as error:
        return _refuse(error, Exit.FAILED)
    print("switching off: works" if allowed else f"switching off: {logind.NOT_ALLOWED}")
    if not config.ignition:
        print("ignition: none is configured (power.ignition)")
        return Exit.OK if allowed else Exit.FAILED
    try:
        with closing(open_line(wish(config))) as line:
            print(f"ignition: {config.ignition} is {'on' if line.active() else 'off'}")
    except LineError as error:
        print(f"ignition: {error}")
        return Exit.FAILED
    return Exit.OK if allowed else Exit.FAILED


def _refuse(why: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code
