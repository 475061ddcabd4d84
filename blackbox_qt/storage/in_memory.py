"""Whether a folder is in memory: a system that is protected against power cuts keeps its changes in a tmpfs."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_MEMORY = ("tmpfs", "ramfs")


def is_in_memory(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """By the list of mounts, proc_pid_mountinfo(5); False where it cannot be read, or does not tell.

    An overlay is where its upper folder is (overlayroot puts it on a tmpfs; a container on the host's disk).

    Threads: any.
    """
    try:
        table = _table(mounts.read_text(errors="replace"))
    except OSError:
        return False
    kind, options = _mount_of(folder.absolute(), table)
    upper = re.search(r"(?:^|,)upperdir=([^,]+)", options)
    if kind == "overlay" and upper:
        below = [row for row in table if row[1] != "overlay"]
        kind = _mount_of(Path(upper[1]), below)[0]
    return kind in _MEMORY


def _table(text: str) -> list[tuple[Path, str, str]]:
    """(mount point, kind, options of the file system)."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, rest = left.split(), right.split()
        if len(fields) >= 6 and len(rest) >= 3:
            found.append((Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])), rest[0], rest[2]))
    return found


def _mount_of(folder: Path, table: list[tuple[Path, str, str]]) -> tuple[str, str]:
    """(kind, options) of the mount that holds it; the last one lies on top."""
    fitting = [(len(point.parts), number) for number, (point, *_) in enumerate(table) if folder.is_relative_to(point)]
    if not fitting:
        return "", ""
    _, kind, options = table[max(fitting)[1]]
    return kind, options
