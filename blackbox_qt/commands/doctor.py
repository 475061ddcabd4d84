"""`blackbox-qt doctor`: looks at the machine and says what is well, what needs a look and what is broken."""

from __future__ import annotations

import argparse
import json
import sys

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.checkup import as_dict, examine, verdict
from blackbox_qt.doctor.finding import Line
from blackbox_qt.doctor.text import lines_of, report, summary


def doctor(args: argparse.Namespace) -> int:
    """Print one line a check. OK, or FAILED when something is broken."""
    try:
        config = installed_configuration(args)
    except ConfigError as error:
        print(f"blackbox-qt: {error}", file=sys.stderr)
        return Exit.USAGE
    case = Case(config=config, sync_s=1.0, encode_s=1.0) if args.quick else Case(config=config)
    lines: list[Line] = []
    colour = sys.stdout.isatty()
    for line in examine(case):
        lines.append(line)
        if not (args.json or args.report):
            print("\n".join(lines_of(line, colour=colour)), flush=True)
    if args.json:
        print(json.dumps(as_dict(lines), indent=1))
    else:
        print("\n".join(report(lines) if args.report else ["", summary(lines)]))
    return Exit.FAILED if verdict(lines) == "broken" else Exit.OK
