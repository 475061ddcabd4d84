"""Device keys for the tests, made once."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from blackbox_qt.storage.device_key import DeviceKey


@functools.cache
def device_key(name: str = "ours") -> DeviceKey:
    """A key of its own for each name."""
    with tempfile.TemporaryDirectory() as folder:
        key = DeviceKey(Path(folder))
        key.load()
    assert not key.words
    return key
