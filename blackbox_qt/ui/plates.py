"""What is written over the pictures: names of insets, NO CAMERA or PICTURE STOPPED, and faults in words."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from blackbox_qt.app.status import CameraStatus, Status
from blackbox_qt.app.words import fault_sentences, picture_title
from blackbox_qt.ui.cards import Plate
from blackbox_qt.ui.geometry import Box
from blackbox_qt.ui.theme import Sizes
from blackbox_qt.ui.viewport import Viewport


class Plates:
    """One title and one name per camera, and one plate for sentences in the lower left corner.

    Threads: the GUI's.
    """

    def __init__(self, viewport: Viewport, sizes: Sizes, parent: QWidget) -> None:
        self.note = ""  # said with the faults, last
        self._viewport, self._sizes, self._parent = viewport, sizes, parent
        self._titles: dict[str, Plate] = {}
        self._names: dict[str, Plate] = {}
        self._sentences = Plate(sizes, parent)

    def show_status(self, status: Status, room: int, bottom: int) -> None:
        """Say what is to be said; sentences at most `room` pixels wide, ending above `bottom`."""
        cameras = {camera.name: camera for camera in status.cameras}
        for index, (name, box) in enumerate(self._viewport.boxes.items()):
            self._show_title(name, cameras.get(name), box)
            self._show_name(name, box, small=index > 0)
        own = [f"{name.upper()}: {words}" for name in self._viewport.cameras if (words := self._viewport.words(name))]
        lines = [*fault_sentences(status), *own, *([self.note] if self.note else [])]
        self._sentences.say("\n".join(lines), room)
        self._sentences.move(self._sizes.gap, bottom - self._sentences.height())

    def _show_title(self, name: str, camera: CameraStatus | None, box: Box) -> None:
        plate = self._titles.get(name) or self._titles.setdefault(name, Plate(self._sizes, self._parent, title=True))
        view = self._viewport
        title = picture_title(camera, seen=view.has_picture(name)) if view.is_stopped(name) else ""
        plate.say(title, box.width - self._sizes.gap)
        plate.move(box.x + (box.width - plate.width()) // 2, box.y + (box.height - plate.height()) // 2)

    def _show_name(self, name: str, box: Box, *, small: bool) -> None:
        plate = self._names.get(name) or self._names.setdefault(name, Plate(self._sizes, self._parent))
        plate.say(f"{name.upper()} ⇄" if small else "", box.width)
        plate.move(box.x, box.y + box.height - plate.height())
