"""Numbers that were given once, found in what else a library keeps: journals, marks, the quarantine.

The counter and all folders of a library can be gone, or the counter can be damaged to a smaller number, while the
journal still tells of segments by name. A name must not be given again then either.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from blackbox_qt.storage.disk import Disk, Entry
from blackbox_qt.storage.numbering import MOST

log = logging.getLogger(__name__)

_MOST_FILES = 8  # the newest of each kind are the last by name
_MOST_BYTES = 1 << 19  # of each
_NAMES = re.compile(rb"(?<=[A-Za-z0-9_-])-(\d{6,9})(?=-\d{5,9}(?!\d))")
_OURS = re.compile(r"\d{6,9}|.*\.(?:mp4|part|json|tmp|torn\d*)")  # looked at by name only, or not worth it


def highest_hint(disk: Disk, root: Path) -> int:
    """The highest start that anything but segments and their folders tells of; 0 when nothing does.

    Reads a few small files. One that cannot be read tells nothing: recording must begin all the same.

    Threads: any; blocks on the disk.
    """
    highest = 0
    for text in _texts(disk, root):
        numbers = (int(found[1]) for found in _NAMES.finditer(text))
        highest = max(highest, max((number for number in numbers if number <= MOST), default=0))
    return highest


def _texts(disk: Disk, root: Path) -> Iterator[bytes]:
    entries = [entry for entry in disk.list(root) if not _OURS.fullmatch(entry.name)]
    for entry in [entry for entry in entries if entry.is_file][-_MOST_FILES:]:
        yield _read(disk, root / entry.name)
    for entry in [entry for entry in entries if entry.is_dir]:
        yield _names(disk, root, entry)


def _read(disk: Disk, path: Path) -> bytes:
    try:
        return disk.read_small(path, _MOST_BYTES)
    except OSError as error:
        log.debug("%s tells nothing of earlier names: %s", path, error)
        return b""


def _names(disk: Disk, root: Path, entry: Entry) -> bytes:
    try:
        return "\n".join(found.name for found in disk.list(root / entry.name)).encode("utf-8", "replace")
    except OSError as error:
        log.debug("%s tells nothing of earlier names: %s", root / entry.name, error)
        return b""
