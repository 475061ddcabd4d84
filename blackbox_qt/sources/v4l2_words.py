"""What the kernel's error numbers mean when a camera says them, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from blackbox_qt.core.holders import in_words, who_holds
from blackbox_qt.sources.source import SourceError

GONE = (errno.ENODEV, errno.ENXIO, errno.ENOENT)
"""There is no such device (any more)."""

_ADVICE = {
    errno.EACCES: "this user may not open it; add the user to the group video and log in again",
    errno.EPERM: "this user may not open it; add the user to the group video and log in again",
    errno.ENOSPC: "the USB bus has no bandwidth left for it; plug it into another port, or set format MJPG or a "
    "smaller size",
    errno.ENOMEM: "there is not enough memory for its buffers; set a smaller size or fewer buffers",
    errno.EIO: "it reports a failure of its own; if that goes on, try another cable or port",
    errno.EPROTO: "its USB connection is disturbed; try another cable or port",
    errno.ETIMEDOUT: "it does not answer; unplug it and plug it in again",
}


def explain(error: OSError, camera: str, node: str, proc: Path = Path("/proc")) -> SourceError:
    """The sentence for a call on `node` that failed; looks for who has it open when it is busy.

    Threads: any.
    """
    if error.errno in GONE:
        return SourceError(f"{camera} was unplugged; plug it in again")
    if error.errno == errno.EBUSY:
        return SourceError(f"{camera} is in use by {_others(node, proc)}")
    reason = _ADVICE.get(error.errno or 0) or f"{os.strerror(error.errno or 0)}; unplug it and plug it in again"
    return SourceError(f"{camera} cannot be used: {reason}")


def _others(node: str, proc: Path) -> str:
    """Who else has it open; this process has, or it would not know that the camera is busy."""
    holders = who_holds([node], proc)
    others = [holder for holder in holders if holder.pid != os.getpid()]
    if others or not holders:
        return f"{in_words(others)}; close that first"
    return "another program, or by this one as another camera; every camera needs a source of its own"
