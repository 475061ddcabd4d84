"""Read a library's files into the page cache before importing it.

An import holds the GIL while the disk is read; from a cold SD card that stalls every other thread for as long. Reading
the same bytes first costs the same time, but outside the GIL.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1 << 20
_WORTH = (".so", ".py", ".pyc")


def read_ahead(module: str, only: tuple[str, ...] = ()) -> int:
    """Read the files of a package (those whose path contains one of `only`, if given). Returns bytes read.

    A package that is not installed is 0 bytes: the import that follows says so better.

    Threads: any; never the camera's.
    """
    total = 0
    buffer = bytearray(_BLOCK)
    for path in _files(module):
        if not only or any(part in str(path) for part in only):
            total += _read(path, buffer)
    return total


def _files(module: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(module)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        roots = [Path(place), Path(place).with_name(f"{module}.libs")]
        for root in roots:
            for folder, _, names in os.walk(root):
                for name in names:
                    if name.endswith(_WORTH) or ".so." in name:
                        yield Path(folder, name)


def _read(path: Path, buffer: bytearray) -> int:
    total = 0
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                total += count
    except OSError:  # unreadable or gone: only a cache was to be warmed, the import will tell
        return total
    return total
