"""Looks at the recording a few times a second: sounds the alarm, and gives up what it must to go on recording."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from blackbox_qt.app.alarms import Heard, hear, truth
from blackbox_qt.app.camera import Camera
from blackbox_qt.app.fault_status import AlarmStatus, BoardStatus, SheddingStatus
from blackbox_qt.app.health import HealthKeeper
from blackbox_qt.app.player import Player
from blackbox_qt.app.shedding import Limits, Seen, Shed, decide
from blackbox_qt.app.status import Status
from blackbox_qt.app.words import strip
from blackbox_qt.config import Config
from blackbox_qt.core.board import Board, Reading
from blackbox_qt.core.clock import NS, Clock
from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk

log = logging.getLogger(__name__)

_EVERY_S = 0.2
_SHED_NS = NS  # between two looks at encoder and board
_YOUNG_NS = 20 * NS  # while libraries are imported nobody can tell whether the encoder is too slow


class Guard:
    """Never touches a disk: it must be awake when a card is not. Its thread is `guard`; another one notes what it sees.

    Threads: `start`, `ask_to_stop`, `join` by the owner; `look` its own; the rest any, at once.
    """

    def __init__(
        self,
        config: Config,
        status: Callable[[], Status],
        cameras: Callable[[], Iterable[Camera]],
        clock: Clock,
        board: Board | None = None,
        player: Player | None = None,
        system_disk: Disk | None = None,
    ) -> None:
        self._config = config
        self._status = status
        self._cameras = cameras
        self._clock = clock
        self._board = board or Board()
        self._player = player or Player(config.alarms.player, enabled=config.alarms.sound)
        self._heard = Heard()
        self._why = ""
        self._shed = Shed()
        self._reading = Reading()
        self._began_ns = self._shed_ns = clock.boot_ns()
        self._shown: dict[str, int] = {}  # frames the window has drawn of each camera, when last looked
        wanted, state = config.health, config.storage.state.expanduser()
        self.health = HealthKeeper(system_disk or Disk(), state, wanted.every_s, wanted.hours, status, clock)
        self._worker = Worker("guard", self._run)

    def start(self) -> None:
        self._worker.start()
        self.health.start()

    def ask_to_stop(self) -> None:
        self._worker.stop()
        self.health.ask_to_stop()

    def join(self, timeout: float) -> bool:
        """False when not both threads have ended after `timeout` s: a system disk that hangs may hold one."""
        return self.health.join(timeout) and self._worker.join(timeout)

    def _run(self) -> None:
        try:
            while not self._worker.stop_requested.wait(_EVERY_S):
                self.look()
        finally:
            self._player.close()

    def look(self) -> None:
        """One look: sounds at each, encoder and board once a second."""
        status, now = self._status(), self._clock.boot_ns()
        self._listen(status, now)
        if now - self._shed_ns >= _SHED_NS:
            self._shed_ns = now
            self._reading = self._board.look()
            self._give_up(status, now)

    def _listen(self, status: Status, now: int) -> None:
        before, recording = self._heard, status.recording == "recording"
        self._heard, sound = hear(before, truth(status), now, recording)
        if self._heard.on:
            seen = strip(status)
            self._why = f"{seen.title}: {seen.words}" if seen.words else seen.title
        if sound == "alarm" and not before.on:
            log.info("the alarm sounds: %s", self._why)
        elif sound == "chime" and before.on:
            log.info("the alarm is over")
        self._player.play(sound) if sound else self._player.look()

    def _give_up(self, status: Status, now: int) -> None:
        if not self._config.shedding.enabled or now - self._began_ns < _YOUNG_NS:
            return
        before = self._shed
        self._shed = decide(before, self._seen(status), now, self._config.shedding.hot_c)
        if self._shed.level != before.level:
            self._say(before)
            for camera in self._cameras():
                camera.give_up(self._shed.limits)

    def _say(self, before: Shed) -> None:
        if self._shed.level > before.level:
            log.warning("something is given up so that recording goes on: %s", self._shed.words)
        else:
            log.info("given back: %s", self._shed.words or "nothing is given up any more")

    def _seen(self, status: Status) -> Seen:
        shown = {camera.name: camera.display.shown for camera in status.cameras}
        window = any(count > self._shown.get(name, 0) for name, count in shown.items())
        self._shown = shown
        busy = [camera.encoder.headroom for camera in status.cameras if camera.state == "live"]
        return Seen(
            headroom=min(busy, default=None),
            late=sum(camera.lost.get("mailbox", 0) for camera in status.cameras),
            celsius=self._reading.celsius,
            throttled=self._reading.throttled,
            viewers=status.viewers,
            window=window,
        )

    # ---- how it is

    @property
    def limits(self) -> Limits:
        return self._shed.limits

    def alarm(self) -> AlarmStatus:
        heard = self._heard
        words = self._why if heard.on else ""
        return AlarmStatus(heard.on, words, heard.alarms, heard.chimes, self._player.words)

    def shedding(self) -> SheddingStatus:
        shed = self._shed
        return SheddingStatus(shed.level, shed.words, shed.taken, shed.undone, shed.limits.screen_fps)

    def board(self) -> BoardStatus:
        seen = self._reading
        return BoardStatus(seen.celsius, seen.undervoltage, seen.throttled)
