"""The program without a face: cameras from the configuration, up and down in order, and how it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

import blackbox_qt
from blackbox_qt.app.archive import Archive
from blackbox_qt.app.camera import Camera
from blackbox_qt.app.emergency import Emergency
from blackbox_qt.app.guard import Guard
from blackbox_qt.app.healing import worth_a_restart
from blackbox_qt.app.mark_wiring import marking_for
from blackbox_qt.app.reconfigure import ReconfigureError, Reconfigurer
from blackbox_qt.app.recorder import OnCrash
from blackbox_qt.app.reporter import Reporter
from blackbox_qt.app.retaining import Retaining
from blackbox_qt.app.status import DiskStatus, SigningStatus, Status, overall
from blackbox_qt.app.timekeeping import Timekeeper
from blackbox_qt.config import CameraConfig, Config
from blackbox_qt.core.clock import NS, Clock, SystemClock
from blackbox_qt.core.worker import Worker, in_words
from blackbox_qt.sources import Source, SourceError
from blackbox_qt.storage.device_key import DeviceKey
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.marks import Kind, Mark
from blackbox_qt.storage.status import WriterSettings
from blackbox_qt.storage.writer import Writer

log = logging.getLogger(__name__)

STOP_LIMIT_S = 4.0
"""All of a polite end: frames home, files finished, threads joined."""
_FRESH_NS = NS // 10


class App:
    """Everything that records. Faces (window, web) look at it and are not needed.

    `restart` ends the program so that a fresh process takes its place; None where nobody would start one. `sources`
    replaces cameras' sources by name, for tests. Raises StorageError on entering when the data folder cannot be
    written.

    Threads: enter and leave by one owner; everything else any.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        disk: Disk | None = None,
        sources: Mapping[str, Callable[[], Source]] | None = None,
        restart: Callable[[], None] | None = None,
    ) -> None:
        self.config = config
        self.time = Timekeeper(clock or SystemClock(), config.time.zone)
        self.clock: Clock = self.time
        self.data = config.storage.data.expanduser()
        self.stopped_well = True
        self.restarting = ""  # why a fresh process must take this one's place, once that is decided
        self.before_end: list[Callable[[], None]] = []  # called first at every polite end, power off among them
        self._disk = disk or Disk()
        self.emergency = Emergency(config, self._disk, self.clock, lambda: self.cameras.values())
        self._store = self.emergency.store
        self.key = DeviceKey(config.storage.state)
        self.archive = Archive(self._disk, self._store, self.clock, self.key, self._all_settled)
        self.keeper = self.archive.keeper
        self.emergency.serve(self.archive)
        self.libraries = self.archive.libraries
        self.retaining = Retaining(config, self._disk, self.clock, self.archive, self.emergency, lambda: self.cameras)
        room = self.retaining.room
        self.marking = marking_for(
            config.marks, self._disk, self.clock, self.archive, self.emergency, lambda: self.cameras, room
        )
        self.time.attach(self._disk, self.data, self.libraries.values)
        self.keeper.every(1.0, self.time.step, "the time")
        self.retaining.serve(self.marking.store)
        self.before_end.append(self.marking.flush)
        self._began_ns = self.clock.boot_ns()
        self._lock = threading.Lock()
        self._snapshot: tuple[int, Status] | None = None
        self.cameras = {c.name: self._camera(c, (sources or {}).get(c.name)) for c in config.camera}
        self._reconfigurer = Reconfigurer(self.cameras)
        self._restart = restart
        self._held_back = ""  # what has kept a fresh process away, as the log was told
        self._disk_seen = DiskStatus(str(self.data), 0, 0, "")
        self._reporter = Reporter(self.status, self._look_around)
        self.guard = Guard(config, self.status, lambda: self.cameras.values(), self.clock)

    def __enter__(self) -> App:
        self._store.check_writable()
        self._look_at_disk()
        for camera in self.cameras.values():
            camera.start()
        self._reporter.start()
        self.guard.start()
        self.archive.start()
        self.marking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        until = self.clock.boot_ns() + int(STOP_LIMIT_S * NS)

        def left_s() -> float:
            return max(0.05, (until - self.clock.boot_ns()) / NS)

        self._reporter.ask_to_stop()
        self.guard.ask_to_stop()
        self._tell_of_the_end()
        self.archive.ask_to_stop()
        for camera in self.cameras.values():
            camera.ask_to_stop()
        # Each in a thread of its own: a camera that hangs must not cost another one the end of its file.
        stops = [_Stop(camera, left_s) for camera in self.cameras.values()]
        done = [stop.wait(left_s()) for stop in stops]
        done += [self.archive.join(left_s()), self.marking.close(left_s())]
        self.stopped_well = all(done)
        self.emergency.end(left_s())
        self._reporter.join(left_s())
        self.guard.join(left_s())

    def _tell_of_the_end(self) -> None:
        """While everything still records: what is under way is finished here, quickly; the deadline runs."""
        for finish in self.before_end:
            try:
                finish()
            except Exception as error:  # a listener's door: the end goes on, the files must be finished
                log.error("something could not be finished before the end: %s", in_words(error))

    def wait_first_durable(self, timeout: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until every camera's first fragment is on the disk, or has failed, or `timeout` seconds, or `give_up()`.

        True when all are recording. Heavy imports wait for this: the recorder starts first.
        """
        until = self.clock.boot_ns() + int(timeout * NS)
        for camera in self.cameras.values():
            while not camera.settled.wait(0.05) and self.clock.boot_ns() < until and not give_up():
                pass
        return all(camera.recorder.first_durable.is_set() for camera in self.cameras.values())

    def _all_settled(self) -> bool:
        return all(camera.settled.is_set() for camera in self.cameras.values())

    @property
    def library(self) -> Library:
        """The one that is being recorded to."""
        return self.archive.current

    @property
    def held_back(self) -> str:
        """Why the fresh process that a camera needs must wait; empty when none is needed, or none stands in its way."""
        return self._held_back

    def refused(self) -> SourceError | None:
        """Why a camera can never work as it is configured; None when none says so."""
        return next((c.refused for c in self.cameras.values() if c.refused is not None), None)

    def pause(self, seconds: float) -> None:
        """Stop recording on all cameras; it goes on by itself after `seconds`. Raises ValueError unless positive."""
        log.warning("recording was stopped by the user for %.0f s", seconds)
        for camera in self.cameras.values():
            camera.pause(seconds)

    def resume(self) -> None:
        """Record again, now."""
        log.info("recording was started by the user")
        for camera in self.cameras.values():
            camera.resume()

    def mark(self, by: str, reason: str = "", note: str = "", kind: Kind = "manual", whole_trip: bool = False) -> Mark:
        """Keep what lies around this moment on all cameras; `words` of the answer are for the user. At most 2 s.

        `marking.ask` is the same for whoever must not wait at all.
        """
        return self.marking.ask(by, reason, note, kind, whole_trip).answer()

    def reconfigure(self, *cameras: CameraConfig) -> None:
        """Give cameras other sources, sizes, rates or controls while the others go on. Lasts until the program ends.

        Raises ReconfigureError, one sentence; what was before goes on then. Takes a second or two.
        """
        self._reconfigurer.apply(cameras)
        changed = tuple(camera.config for camera in self.cameras.values())
        self.config = self.config.model_copy(update={"camera": changed})

    def switch(self, one: str, other: str) -> None:
        """Two cameras exchange their devices, with everything set about them. Raises ReconfigureError."""
        names = {camera.name: camera for camera in self.config.camera}
        a, b = names.get(one), names.get(other)
        if a is None or b is None or a is b:
            raise ReconfigureError(f"{one} and {other} cannot be exchanged; there are: {', '.join(names)}")
        self.reconfigure(b.model_copy(update={"name": one}), a.model_copy(update={"name": other}))

    def look_after(self) -> None:
        """Ask for a fresh process if nothing else can heal a camera and the configuration finds that worth it."""
        if self._restart is None or self.restarting:
            return
        uptime_s = (self.clock.boot_ns() - self._began_ns) / NS
        cameras = [(camera.status(), camera.care.helpless()) for camera in self.cameras.values()]
        reason, held_back = worth_a_restart(self.config.recovery.restart_process, cameras, uptime_s)
        if reason and held_back and held_back != self._held_back:
            log.warning("%s; the program is not restarted: %s", reason, held_back)
        self._held_back = held_back
        if reason and not held_back:
            log.error("%s; restarting the program", reason)
            self.restarting = reason
            self._restart()

    def status(self) -> Status:
        """The snapshot that all faces share, at most 0.1 s old."""
        now = self.clock.boot_ns()
        with self._lock:
            if self._snapshot is None or now - self._snapshot[0] > _FRESH_NS:
                self._snapshot = now, self._look(now)
            return self._snapshot[1]

    def _look(self, now: int) -> Status:
        cameras = tuple(camera.status() for camera in self.cameras.values())
        recording, words = overall(cameras)
        anchor = self.clock.anchor()
        return Status(
            version=blackbox_qt.__version__,
            uptime_s=round((now - self._began_ns) / NS, 1),
            utc_ns=anchor.utc_ns,
            utc_source=anchor.source,
            recording=recording,
            words=words,
            cameras=cameras,
            disk=self._disk_seen,
            viewers=sum(c.stream.viewers for c in cameras),
            time=self.time.status(),
            signing=SigningStatus(self.key.fingerprint, self.key.words),
            marks=self.marking.status(),
            retention=self.retaining.status(),
            card=self.emergency.status(),
            alarm=self.guard.alarm(),
            shedding=self.guard.shedding(),
            board=self.guard.board(),
        )

    def _look_around(self) -> None:
        self.look_after()
        self.time.look()
        self._look_at_disk()

    def _look_at_disk(self) -> None:
        """Called by the reporter's thread, because a dead card may hold up whoever asks it."""
        self.emergency.look()
        if not self.emergency.usable:
            self._disk_seen = DiskStatus(str(self.data), 0, 0, self.emergency.card.words)
            return
        try:
            self._disk_seen = DiskStatus(str(self.data), *self._disk.space(self.data), "")
        except OSError as error:
            self._disk_seen = DiskStatus(str(self.data), 0, 0, f"The card cannot be read: {error.strerror}")

    def _camera(self, config: CameraConfig, source: Callable[[], Source] | None) -> Camera:
        storage = self.config.storage
        settings = WriterSettings(
            fragment_ms=storage.fragment_ms,
            segment_s=storage.segment_s,
            memory_s=storage.memory_s,
            sync_ms=storage.sync_ms,
            software=f"blackbox-qt {blackbox_qt.__version__}",
            sign=self.key.sign,
        )

        def make_writer(on_crash: OnCrash, lost_before: Mapping[str, int]) -> Writer:
            return Writer(
                config.name,
                self._store,
                self.clock,
                settings,
                on_segment=self.archive.add,
                on_crash=on_crash,
                lost_before=lost_before,
            )

        return Camera(config, self.config, make_writer, self.clock, source)


class _Stop:
    """Stops one camera in a thread of its own, `stop-<camera>`.

    Threads: the App's owner.
    """

    def __init__(self, camera: Camera, left_s: Callable[[], float]) -> None:
        self._camera = camera
        self._left_s = left_s
        self._well = False
        self._worker = Worker(f"stop-{camera.name}", self._run)
        self._worker.start()

    def wait(self, timeout: float) -> bool:
        """Whether the camera stopped in time, with everything safe."""
        return self._worker.join(timeout) and self._well

    def _run(self) -> None:
        self._well = self._camera.stop(self._left_s)
