"""`blackbox-qt erase`: by the recorder that runs on this box; by itself where none does."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from blackbox_qt.commands import Exit
from blackbox_qt.commands.recorder import NoRecorderError, NotDoneError, ask, refuse
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config
from blackbox_qt.core.clock import SystemClock
from blackbox_qt.storage.deletions import Deletions
from blackbox_qt.storage.disk import Disk, StorageError
from blackbox_qt.storage.erasing import EraseError, Eraser, Wish, erase_stills
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.marks import Mark, MarkJournal
from blackbox_qt.storage.times import TimesFile

WHO = "command line"
_PATH = "/api/v1/erase"


def run_erase(args: argparse.Namespace) -> int:
    """Do it, and say what came of it. Returns an Exit."""
    if args.everything and not args.yes:
        return refuse("--everything erases all footage there is; add --yes if that is meant", Exit.USAGE)
    try:
        config = installed_configuration(args)
        print(_by_the_recorder(config, args))
    except ConfigError as error:
        return refuse(error, Exit.USAGE)
    except NoRecorderError:
        return _alone(config, args)
    except NotDoneError as error:
        return refuse(error, Exit.FAILED)
    return Exit.OK


def _by_the_recorder(config: Config, args: argparse.Namespace) -> str:
    wish = {"trip": args.trip, "everything": args.everything, "demo": args.demo, "marked_too": args.marked_too}
    return str(ask(config, "POST", _PATH, {**wish, "by": WHO})["words"])


def _alone(config: Config, args: argparse.Namespace) -> int:
    """No recorder answers. A file that one holds all the same is not touched."""
    disk, data = Disk(), config.storage.data.expanduser()
    names = ("recordings", "demo") if args.everything else ("demo",) if args.demo else ("recordings",)
    try:
        gone = [_erase(disk, data / name, Wish(args.trip, WHO, args.marked_too)) for name in names]
        if args.everything:
            TimesFile(disk, data).forget()
            erase_stills(disk, data)
    except EraseError as error:
        return refuse(error, Exit.FAILED)
    except (OSError, StorageError) as error:
        return refuse(error, Exit.STORAGE)
    print(f"Erased: {sum(gone)} segments.")
    return Exit.OK


def _erase(disk: Disk, root: Path, wish: Wish) -> int:
    library = Library(disk, root, SystemClock())
    library.load()
    return Eraser(Deletions(library), list, _FileMarks(disk, root)).erase(wish)


class _FileMarks:
    """A library's marks, where no recorder knows them."""

    def __init__(self, disk: Disk, root: Path) -> None:
        self._journal = MarkJournal(disk, root)

    def count(self, boots: Collection[str] | None) -> int:
        return sum(not mark.undone and _is_of(mark, boots) for mark in self._journal.load().values())

    def forget(self, boots: Collection[str] | None) -> None:
        there = self._journal.load()
        left = {name: mark for name, mark in there.items() if not _is_of(mark, boots)}
        if len(left) < len(there):
            self._journal.rewrite(left)


def _is_of(mark: Mark, boots: Collection[str] | None) -> bool:
    return boots is None or mark.machine_boot in boots
