"""The service's life as systemd sees it: ready, alive, stopping; sd_notify(3) and the service watchdog."""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
from collections.abc import Mapping
from typing import Protocol

from blackbox_qt.app.app import App
from blackbox_qt.app.camera import Camera
from blackbox_qt.app.pulse import Pulse, Stillness, signs
from blackbox_qt.app.reporter import line
from blackbox_qt.app.status import CameraStatus, Status
from blackbox_qt.app.words import strip
from blackbox_qt.core.worker import Worker

log = logging.getLogger(__name__)

MAIN_S = 10.0
"""The main thread answers within this time, once it has answered at all."""
MAIN_BEGINS_S = 60.0
"""Before that it imports the page's libraries and Qt, from a card that may be slow."""
_EVERY_S = 1.0
_FIGURES_EVERY = 10  # looks between two states that differ in figures only
_EXTEND = "EXTEND_TIMEOUT_USEC=30000000"  # while the start goes on and nothing hangs, systemd waits so much longer


class Notifier:
    """systemd's notification socket: one datagram of `KEY=value` lines, sent and never waited for.

    Threads: one at a time.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._name = environ.get("NOTIFY_SOCKET", "")
        self._said = False
        self._socket: socket.socket | None = None
        if self._name[:1] in ("/", "@"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        elif self._name:
            self._complain("it is neither a path nor an abstract name")
        self.watchdog_s = _watchdog_s(environ)  # None: systemd does not watch

    @property
    def connected(self) -> bool:
        """Whether systemd wants to hear anything."""
        return self._socket is not None

    def send(self, *lines: str) -> bool:
        """Whether systemd has it. A full socket is not waited for: what is said every second is said again."""
        if self._socket is None or not lines:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address())
        except OSError as error:
            self._complain(error.strerror or str(error))
            return False
        self._said = False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _address(self) -> str:
        return f"\0{self._name[1:]}" if self._name.startswith("@") else self._name

    def _complain(self, why: str) -> None:
        if not self._said:
            log.warning("systemd cannot be told how the recorder is (NOTIFY_SOCKET=%s: %s)", self._name, why)
        self._said = True


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """WATCHDOG_USEC, if it is meant for this process; sd_watchdog_enabled(3)."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6


class Answers(Protocol):
    """The main thread, from outside. `answers` grows when it has noticed a `knock`.

    Threads: any.
    """

    answers: int

    def knock(self) -> None: ...


class Service:
    """Tells systemd how the recorder is, once a second, in `service`; without systemd it does nothing at all.

    READY=1 when every camera has its first fragment on the disk or says what is wrong with it. WATCHDOG=1 only while
    the main thread answers and every camera's path is alive (see `pulse`): else systemd ends the process and starts it
    again, which is all that helps against a thread that hangs in a driver. STOPPING=1 on leaving.

    Threads: enter and leave by one owner; `look` by its own thread.
    """

    def __init__(self, app: App, main: Answers, environ: Mapping[str, str] = os.environ) -> None:
        self.ready = False
        self.hangs = ""  # why the watchdog is not fed; empty while it is
        self._app = app
        self._main = main
        self._notifier = Notifier(environ)
        self._main_still = Stillness()
        self._pulses = {name: Pulse(name, app.config.storage.memory_s) for name in app.cameras}
        self._looks = 0
        self._title = ""
        self._worker = Worker("service", self._run)

    def __enter__(self) -> Service:
        if self._notifier.connected:
            self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()
        self._worker.join()
        self._notifier.send("STOPPING=1", "STATUS=finishing the files")
        self._notifier.close()

    def look(self) -> None:
        """One look at everything, one datagram."""
        status = self._app.status()
        self._notice(self._what_hangs(status))
        lines = [self._state(status)] if self._is_news(status) else []
        if not self.ready and all(_settled(self._app.cameras[seen.name], seen) for seen in status.cameras):
            self.ready = self._notifier.send("READY=1")
        if not self.hangs:
            if not self.ready:
                lines.append(_EXTEND)
            if self._notifier.watchdog_s is not None:
                lines.append("WATCHDOG=1")
        self._notifier.send(*lines)
        self._looks += 1
        self._main.knock()

    def _run(self) -> None:
        every_s = min(_EVERY_S, (self._notifier.watchdog_s or 60) / 4)
        self.look()
        while not self._worker.stop_requested.wait(every_s):
            self.look()

    def _what_hangs(self, status: Status) -> str:
        now = self._app.clock.boot_ns()
        still_s = self._main_still.since(self._main.answers, now)
        if still_s > (MAIN_S if self._main.answers else MAIN_BEGINS_S):
            return f"the main thread has not answered for {still_s:.0f} s"
        held_back = bool(self._app.held_back)
        found = [
            self._pulses[seen.name].look(signs(self._app.cameras[seen.name], seen, held_back), now)
            for seen in status.cameras
        ]
        return next((words for words in found if words), "")

    def _notice(self, hangs: str) -> None:
        if hangs and not self.hangs:
            log.critical("the watchdog is not fed any more, systemd will start the recorder again: %s", hangs)
            faulthandler.dump_traceback(all_threads=True)
        elif self.hangs and not hangs:
            log.warning("the watchdog is fed again")
        self.hangs = hangs

    def _is_news(self, status: Status) -> bool:
        said = strip(status)
        title, self._title = self._title, f"{said.title} {said.words} {self.hangs}"
        return title != self._title or self._looks % _FIGURES_EVERY == 0

    def _state(self, status: Status) -> str:
        """What `systemctl status` shows."""
        said = strip(status)
        words = line(status) if said.mood == "well" else ": ".join(filter(None, (said.title, said.words)))
        return f"STATUS={self.hangs or words}".replace("\n", " ")


def _settled(camera: Camera, seen: CameraStatus) -> bool:
    """It records, or it is known why not: systemd need not wait for it any longer."""
    return camera.settled.is_set() or seen.state == "fault" or seen.recording.state == "fault"
