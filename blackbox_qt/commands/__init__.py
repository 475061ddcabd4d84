"""What can be typed after `blackbox-qt`; one file each. Exit codes are here, once."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. Documented in the README; scripts rely on the numbers.

    Threads: immutable, any.
    """

    OK = 0
    FAILED = 1  # something unforeseen; doctor, camera-test: something is broken, the output says what
    USAGE = 2  # a wrong option or setting
    SOURCE = 3  # a source that can never work: no such file, not a video
    STORAGE = 4  # the data folder cannot be written
    PORT = 5  # the web address is taken or not ours
    DAMAGED = 6  # check: a recording is damaged or was altered
    STUCK = 7  # a polite end took longer than 4 s, or not everything could be saved; `check` reads what is there
    RESTART = 8  # a camera that only a fresh process can heal: whoever started this one should start the next
    UNSIGNED = 9  # check --key: nothing was seen to be changed, but that key does not vouch for all of it
    INTERRUPTED = 130  # Ctrl-C; run: a second one, the first ends it politely
