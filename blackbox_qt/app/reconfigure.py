"""Cameras get other sources, sizes, rates or controls while the program records; all of a change, or none of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

from blackbox_qt.app.camera import Camera
from blackbox_qt.app.change import Change
from blackbox_qt.config import CameraConfig
from blackbox_qt.core.hub import BudgetError
from blackbox_qt.sources import SourceError, origin_of

log = logging.getLogger(__name__)

PARK_S = 15.0
"""A source may be in the middle of opening, and then has 2 s for its frames to come home."""
TRY_S = 30.0


class ReconfigureError(Exception):
    """A change was refused or undone; one sentence."""


class Reconfigurer:
    """Changes cameras, one change at a time.

    Threads: any; the caller waits for some seconds at the most.
    """

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self._cameras = cameras
        self._busy = threading.Lock()

    def apply(self, wanted: Sequence[CameraConfig]) -> None:
        """Give each camera named its new configuration. All are closed before the first is opened, so that two can
        exchange their devices. What is in trouble for now is accepted and healed; what can never work is undone.

        Raises ReconfigureError; what was before goes on then.
        """
        if not self._busy.acquire(blocking=False):
            raise ReconfigureError("another change is under way; try again in some seconds")
        try:
            self._check(wanted)
            before = [self._cameras[config.name].config for config in wanted]
            error = self._round(wanted)
            if error is not None:
                log.error("the change is undone: %s", error)
                self._round(before)
                raise ReconfigureError(f"{error}; what was before goes on")
        finally:
            self._busy.release()

    def _check(self, wanted: Sequence[CameraConfig]) -> None:
        """Everything that can be known beforehand."""
        configs = {name: camera.config for name, camera in self._cameras.items()}
        for config in wanted:
            if config.name not in configs:
                raise ReconfigureError(f"there is no camera {config.name}; there are: {', '.join(configs)}")
            configs[config.name] = config
        for config in wanted:
            _check_shared(config, configs)
            try:
                self._cameras[config.name].check(config)
            except (SourceError, BudgetError) as error:
                raise ReconfigureError(str(error)) from error

    def _round(self, configs: Sequence[CameraConfig]) -> SourceError | None:
        """Close all, then open all. Why one of them can never work, if so."""
        changes = {config.name: self._cameras[config.name].change(config) for config in configs}
        self._park(changes)
        for change in changes.values():
            change.go()
        for name, change in changes.items():
            if not change.tried.wait(TRY_S):
                log.warning("%s: opening takes more than %.0f s", name, TRY_S)
        errors = [change.error for change in changes.values()]
        return next((error for error in errors if error is not None and error.permanent), None)

    def _park(self, changes: Mapping[str, Change]) -> None:
        late = [name for name, change in changes.items() if not change.parked.wait(PARK_S)]
        ended = [change.error for change in changes.values() if change.error is not None]
        if late or ended:
            for change in changes.values():
                change.call_off()
            raise ReconfigureError(f"{ended[0]}" if ended else f"{late[0]}: its driver does not let go of the camera")


def _check_shared(config: CameraConfig, configs: Mapping[str, CameraConfig]) -> None:
    """A device belongs to one camera only; a pattern or a file may be played twice."""
    for other in configs.values():
        if other.name != config.name and other.source == config.source and origin_of(config.source) == "camera":
            raise ReconfigureError(f"{config.source} is in use by {other.name}; let the two exchange their sources")
