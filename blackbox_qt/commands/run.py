"""`blackbox-qt run`: recorder first, then the page, then the window; and down again in reverse."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from blackbox_qt.app import App
from blackbox_qt.app.app import STOP_LIMIT_S
from blackbox_qt.app.service import Service
from blackbox_qt.commands import Exit, screen
from blackbox_qt.commands.settings import ConfigError, configuration
from blackbox_qt.config import Config
from blackbox_qt.core.heap import keep_pictures
from blackbox_qt.core.warm import read_ahead
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.power.mark_button import MarkButton
from blackbox_qt.power.switch import Switch
from blackbox_qt.sources import SourceError
from blackbox_qt.storage.disk import StorageError
from blackbox_qt.web.listen import Listener, ListenError, listen

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""Threads share the GIL: at Python's 5 ms a frame's way to its consumer had a p99 of 65 ms, at this 7 ms."""
_FIRST_WAIT_S = 3.0
_BEGAN = time.clock_gettime(time.CLOCK_BOOTTIME)
_INTERPRETER_S = 5.0  # what Python and our imports take before this line, at the most, where it is slow
_OVER, _STOPPING = b"\xff", b"\xfe"  # on the descriptor of the signals, where 1-64 are signals


def run(args: argparse.Namespace) -> int:
    """Until SIGINT, SIGTERM, the window's end or --duration. Returns an Exit."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_pictures()
    try:
        config = configuration(args)
        with Ending(args.duration) as ending, ExitStack() as stack:
            listener = stack.enter_context(listen(config.web)) if config.web.enabled else None
            switch = stack.enter_context(Switch(config.power, ending.stopping))  # left last: when all files are safe
            ending.before_leaving = switch.carry_out
            app = stack.enter_context(App(config, restart=ending.stopping if _is_started_again() else None))
            stack.enter_context(Service(app, ending))
            if config.marks.button:
                stack.enter_context(MarkButton(config.marks, partial(_pressed, app), app.clock))
            try:
                code = _faces(app, config, listener, ending, stack)
            finally:
                ending.stopping()
        code = code if app.stopped_well or code != Exit.OK else Exit.STUCK
        return _left(Exit.RESTART if app.restarting else code)
    except (ConfigError, SourceError, StorageError, ListenError) as error:
        print(f"blackbox-qt: {error}", file=sys.stderr)
        return _CODES[type(error)]


def _pressed(app: App, whole_trip: bool) -> None:
    """The button in the car; its thread watches on, and the log tells what came of it."""
    app.marking.ask("button", whole_trip=whole_trip)


def _is_started_again() -> bool:
    """Whether somebody starts the program anew when it ends: systemd, for a service of Type=notify.

    Started by hand, a program that goes away is worse than one that says in words which camera is lost.
    """
    return "NOTIFY_SOCKET" in os.environ


def _left(code: int) -> int:
    """The exit code; at once, if a thread is stuck in the system: Python would wait for it for ever."""
    # Daemons are not ours (we have none) and keep nobody: Picamera2 has one as long as it knows a camera.
    stuck = [t.name for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon]
    if stuck:
        log.error("leaving although %s did not end", ", ".join(stuck))
        logging.shutdown()
        os._exit(code if code == Exit.RESTART else Exit.STUCK)
    return code


_CODES: dict[type[Exception], Exit] = {
    ConfigError: Exit.USAGE,
    SourceError: Exit.SOURCE,
    StorageError: Exit.STORAGE,
    ListenError: Exit.PORT,
}


def _faces(app: App, config: Config, listener: Listener | None, ending: Ending, stack: ExitStack) -> int:
    """Page and window, each when the recorder is running; then wait for the end."""
    if app.wait_first_durable(_FIRST_WAIT_S, lambda: ending.requested):
        log.info("recording to %s; first fragment safe %.2f s after the start", app.data, process_age_s())
    refused = app.refused()
    if refused is not None:
        raise refused
    invitation = "" if listener is None else _page(app, config, listener, ending, stack)
    if config.window.enabled and not ending.requested:
        if has_display():
            return _window(app, config, invitation, ending)
        log.info("there is no display: running without a window")
    return ending.wait()


def _page(app: App, config: Config, listener: Listener, ending: Ending, stack: ExitStack) -> str | Callable[[], str]:
    """Serve the page from here on. The address that lets a phone in, as good as known when asked."""
    # Before the import, outside the GIL: an import that waits for a cold card would stall every thread.
    for package in ("pydantic", "fastapi", "starlette", "uvicorn", "cv2"):
        if ending.requested:
            return ""
        read_ahead(package)
    try:
        from blackbox_qt.web.server import Server

        server = stack.enter_context(Server(app, config, listener))
    except Exception as error:  # the page's door: the recorder does not need it
        log.error("the page cannot start: %s; recording goes on without it", in_words(error))
        return ""
    gc.freeze()  # the libraries stay: the collector need not walk through them again while frames pass
    log.info("page ready %.2f s after the start", process_age_s())
    for line in server.invitation():
        print(line, file=sys.stderr)
    return lambda: server.sign_in_address


def _window(app: App, config: Config, invitation: str | Callable[[], str], ending: Ending) -> int:
    if screen.comes_later() and not screen.wait_until_there(ending):
        return Exit.OK
    read_ahead("PySide6", only=("QtCore", "QtGui", "QtWidgets", "QtOpenGL", "libQt6Core", "libQt6Gui", "libQt6Widgets",
                                "libQt6OpenGL", "libQt6DBus", "plugins/platforms"))  # fmt: skip
    if ending.requested:
        return Exit.OK
    from blackbox_qt.ui import WindowError, show

    try:
        if screen.comes_later():
            code = screen.again_and_again(lambda: show(app, config, invitation, ending), WindowError, ending)
            return Exit.OK if code is None else code
        return show(app, config, invitation, ending)
    except WindowError as error:
        log.error("%s; recording goes on without a window", error)
        return ending.wait()


def has_display() -> bool:
    """Whether a window can open: X11, Wayland, or Qt told to draw straight on the screen."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def process_age_s() -> float:
    """Seconds since the kernel started this process (proc_pid_stat(5), field 22, in clock ticks).

    A script that set things up and then became this process (exec) is not counted.
    """
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    age, own = now - ticks / os.sysconf("SC_CLK_TCK"), now - _BEGAN
    return age if age - own < _INTERPRETER_S else own


class Ending:
    """When to stop, and that it does not take for ever.

    The first SIGINT or SIGTERM, or the end of `duration_s` seconds, asks for a polite end; a second signal ends at
    once. A thread, `ending`, reads the signals as they come, so that both hold even while the main thread is busy in C;
    from the first request on, four seconds are left for everything. `fileno()` becomes readable when the end is asked
    for, for an event loop.

    Threads: the main one; `requested` any.
    """

    def __init__(self, duration_s: float | None) -> None:
        self.requested = False
        self.answers = 0  # how often whoever waits here has noticed something; see `knock`
        self._knocked = False
        self.before_leaving: Callable[[], None] = lambda: None  # called if the end takes too long
        self._duration_s = duration_s
        self._before: list[tuple[signal.Signals, Any]] = []
        self._signals, self._signalled = socket.socketpair()
        self._asked, self._ask = socket.socketpair()
        self._worker = Worker("ending", self._watch)

    def __enter__(self) -> Ending:
        for end in (self._signalled, self._asked):
            end.setblocking(False)
        self._worker.start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            # Python writes each signal to the descriptor below in C, whichever thread the kernel gives it to; this
            # handler is only there so that nothing else happens.
            self._before.append((number, signal.signal(number, lambda *_: None)))
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        if self._duration_s is not None:
            signal.setitimer(signal.ITIMER_REAL, self._duration_s)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(-1)
        self._signalled.send(_OVER)
        self._worker.join()
        for number, handler in self._before:
            signal.signal(number, handler)
        for end in (self._signals, self._signalled, self._asked, self._ask):
            end.close()

    def fileno(self) -> int:
        """Readable once the end is asked for; call `drained` then."""
        return self._asked.fileno()

    def drained(self) -> bool:
        """Empty the descriptor. Whether the end has been asked for."""
        with suppress(BlockingIOError):
            self._asked.recv(64)
        self._knocked = False
        self.answers += 1
        return self.requested

    def knock(self) -> None:
        """Ask the main thread for a sign of life: it wakes, calls `drained`, and goes on waiting."""
        if not self._knocked:  # one is enough, and many would fill the socket
            self._knocked = True
            self._ask.send(b"?")

    def wait(self) -> int:
        """Sleep until it is time to stop."""
        while not self.requested:
            select.select([self._asked], [], [])
            self.drained()
        return Exit.OK

    def stopping(self) -> None:
        """The end has begun by itself (the window was closed, say): from here on the deadline runs."""
        self._signalled.send(_STOPPING)

    def _watch(self) -> None:
        signals, deadline = 0, None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._signals], [], [], left)[0]:
                self._overdue()
            for byte in self._signals.recv(64):
                if byte == _OVER[0]:
                    return
                signals += byte in (signal.SIGINT, signal.SIGTERM)
                if signals > 1:
                    os._exit(Exit.INTERRUPTED)
                if deadline is None:
                    deadline = time.monotonic() + STOP_LIMIT_S
                    self.requested = True
                    self._ask.send(b"!")

    def _overdue(self) -> None:
        log.critical("stopping took more than %.0f s; these threads are stuck:", STOP_LIMIT_S)
        faulthandler.dump_traceback(all_threads=True)
        self.before_leaving()
        os._exit(Exit.STUCK)
