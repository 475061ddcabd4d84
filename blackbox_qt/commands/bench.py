"""`blackbox-qt bench`: what the recorder costs on this very machine, beside what the documents claim."""

from __future__ import annotations

import argparse
import json
import logging
import sys

from blackbox_qt.commands import Exit
from blackbox_qt.commands.run import SWITCH_INTERVAL_S
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.core.heap import keep_pictures
from blackbox_qt.doctor.bench import BenchError, Measured, measure
from blackbox_qt.doctor.bench_text import as_dict, table
from blackbox_qt.doctor.machine import Machine
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.disk import StorageError

_CODES: dict[type[Exception], Exit] = {
    ConfigError: Exit.USAGE,
    SourceError: Exit.SOURCE,
    StorageError: Exit.STORAGE,
    BenchError: Exit.FAILED,
}


def bench(args: argparse.Namespace) -> int:
    """Measure, and print a table. OK also when frames were lost: the table says so."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the recorder does
    keep_pictures()
    if not args.verbose:
        logging.getLogger().setLevel(logging.CRITICAL)  # what matters comes as the command's own sentence
    try:
        measured = measure(installed_configuration(args), args.seconds, Machine(), _say)
    except (ConfigError, SourceError, StorageError, BenchError) as error:
        print(f"blackbox-qt: {error}", file=sys.stderr)
        return _CODES[type(error)]
    _print(measured, as_json=args.json)
    return Exit.OK


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _print(measured: Measured, *, as_json: bool) -> None:
    print(json.dumps(as_dict(measured), indent=1) if as_json else "\n".join(table(measured)))
