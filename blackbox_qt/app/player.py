"""Plays the two sounds with a small program of the system, and never waits for it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from blackbox_qt.app.alarms import Sound
from blackbox_qt.core import resources

log = logging.getLogger(__name__)

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "aplay": ("aplay", "-q"),
    "pw-play": ("pw-play",),
    "paplay": ("paplay",),
}
MUTE = "BLACKBOX_MUTE"
"""Set in the environment of tests: nobody is startled."""
_END_S = 0.5


class Player:
    """Starts a child for each sound; the one before is ended if it still plays. Far from the recording's way.

    Threads: one; `words` any.
    """

    def __init__(
        self,
        wanted: str = "auto",
        *,
        enabled: bool = True,
        find: Callable[[str], str | None] = shutil.which,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.words = ""  # why nothing is heard
        self._child: subprocess.Popen[bytes] | None = None
        self._command: tuple[str, ...] = ()
        if not enabled or environ.get(MUTE):
            self.words = "sounds are switched off"
            return
        names = list(PROGRAMS) if wanted == "auto" else [wanted]
        found = next((name for name in names if find(name)), None)
        if found is None:
            self.words = f"no sound is played: {' or '.join(names)} is not installed"
            log.info("%s", self.words)
        else:
            self._command = PROGRAMS[found]

    def play(self, sound: Sound) -> None:
        """Begin to play it; returns at once."""
        self.look()
        if not sound or not self._command:
            return
        self._end()
        try:
            path = resources.path(f"sounds/{sound}.wav")
            self._child = subprocess.Popen(
                [*self._command, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, cwd=Path("/"),
            )  # fmt: skip
        except OSError as error:
            self._silent(f"{self._command[0]}: {error.strerror or error}")

    def look(self) -> None:
        """Notice that a sound has ended, and how."""
        if self._child is not None and self._child.poll() is not None:
            code, self._child = self._child.returncode, None
            self._silent(f"{self._command[0]} found no way to play it (code {code})" if code > 0 else "")

    def _silent(self, words: str) -> None:
        if words and words != self.words:
            log.warning("no sound is heard: %s", words)
        self.words = words

    def close(self) -> None:
        """No child stays behind."""
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
