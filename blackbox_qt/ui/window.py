"""The window: pictures edge to edge, the strip, a few large buttons, and words where something is wrong."""

from __future__ import annotations

import asyncio
import logging

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeySequence, QMouseEvent, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QWidget

from blackbox_qt.app import App, DisplayStatus
from blackbox_qt.app.status import Status
from blackbox_qt.config import Config
from blackbox_qt.storage.disk import Disk
from blackbox_qt.ui import Invitation
from blackbox_qt.ui.buttons import TouchButton, camera_icon, menu_icon
from blackbox_qt.ui.cards import CloseQuestion, PhoneCard
from blackbox_qt.ui.errands import Errands
from blackbox_qt.ui.geometry import Margins
from blackbox_qt.ui.mark_button import Flash, MarkButton
from blackbox_qt.ui.marker import Marker, mark_view
from blackbox_qt.ui.menu import Menu
from blackbox_qt.ui.plates import Plates
from blackbox_qt.ui.snapshots import SnapshotError, take_snapshot
from blackbox_qt.ui.strip import Strip
from blackbox_qt.ui.strip_view import strip_view
from blackbox_qt.ui.theme import Sizes, Tokens
from blackbox_qt.ui.viewport import Viewport

log = logging.getLogger(__name__)

_LOOK_EVERY_MS = 100
_TELL_EVERY_MS = 1000
_NOTE_MS = 4000
_SHUT_WITHIN_S = 1.0
_MIRRORED = "rear"
"""Shown as in a mirror, on screen only: recordings and stills stay as the camera sees."""


class Window(QWidget):
    """Looks at the App; decides nothing about recording by itself.

    `invitation` is the address for a phone, or tells it whenever it is shown; "" for no page.

    Threads: the GUI's, under a running asyncio loop.
    """

    closed = Signal()

    def __init__(self, app: App, config: Config, invitation: Invitation) -> None:
        super().__init__()
        self.failure = ""  # why there can be no pictures here
        self._app = app
        self._invitation = invitation
        self._pause_s = config.web.pause_minutes * 60
        self._sizes = Sizes.of(self.screen(), config.window.dpi)
        tokens = Tokens.load(night=config.window.night)
        self.viewport = Viewport(app.clock, self)
        self.plates = Plates(self.viewport, self._sizes, self)
        self.strip = Strip(self._sizes, self)
        self.snapshot_button = TouchButton("Snapshot (S)", tokens, self._sizes, self, icon=camera_icon)
        self.menu_button = TouchButton("Menu", tokens, self._sizes, self, icon=menu_icon)
        self.mark_button = MarkButton(tokens, self._sizes, self)
        self.flash = Flash(tokens, self._sizes, self)
        self.marker = Marker(app, self.note, self.flash.once)
        self.menu = Menu(self._pause_s, bool(invitation), tokens, self._sizes, self)
        self.phone_card = PhoneCard(tokens, self._sizes, self)  # never opened without an address
        self.question = CloseQuestion(tokens, self._sizes, self)
        self._disk = Disk()
        self._errands = Errands("snapshot")
        self._snapshot: asyncio.Task[None] | None = None
        self._note_over = QTimer(self, singleShot=True, interval=_NOTE_MS)
        self._look = QTimer(self, interval=_LOOK_EVERY_MS)
        self._telling = QTimer(self, interval=_TELL_EVERY_MS)
        self.setWindowTitle("Blackbox Qt")
        self.setMinimumSize(320, 200)
        self.resize(config.window.width, config.window.height)
        self._connect()
        for name, camera in app.cameras.items():
            self.viewport.watch(name, camera.hub, mirrored=name == _MIRRORED)
        self._see()

    def _connect(self) -> None:
        self.viewport.changed.connect(self._see)
        self.viewport.failed.connect(self._give_up)
        self.snapshot_button.clicked.connect(self.snapshot)
        self.menu_button.clicked.connect(self._toggle_menu)
        self.mark_button.pressed.connect(self.mark)
        self.menu.undo_asked.connect(self._undo_mark)
        self.menu.trip_asked.connect(self._keep_trip)
        self.menu.stop_asked.connect(self._stop_recording)
        self.menu.start_asked.connect(self._start_recording)
        self.menu.phone_asked.connect(self._open_phone)
        self.question.accepted.connect(self.closed)
        self._note_over.timeout.connect(lambda: self.note(""))
        self._look.timeout.connect(self._poll)
        self._telling.timeout.connect(self._tell)
        self._telling.start()
        for keys, act in (
            ("F11", self._toggle_full_screen),
            ("Esc", self._leave),
            ("S", self.snapshot),
            ("M", self.mark),
            ("Ctrl+Q", self.close),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setAutoRepeat(False)  # a key that is held is one press
            shortcut.activated.connect(act)

    # ---- how it is

    def _poll(self) -> None:
        self.viewport.check_age()
        self._see()

    def _see(self) -> None:
        """Show the status; it is a cached snapshot, and widgets repaint only what has changed."""
        status = self._app.status()
        self.strip.say(strip_view(status))
        self.viewport.limit(status.shedding.screen_fps)
        self.menu.show_paused(status.recording == "paused")
        self.marker.look(status.marks)
        self.mark_button.say(mark_view(status.marks, asking=self.marker.asking))
        if self.menu.show_mark(undoable=bool(self.marker.last), whole_trip=status.marks.whole_trip):
            self._place_menu()
        self._say_faults(status)

    def _say_faults(self, status: Status) -> None:
        room = self.snapshot_button.x() - 2 * self._sizes.gap
        self.plates.show_status(status, room, self.height() - self._sizes.gap)

    def _tell(self) -> None:
        """The status knows what became of the frames here."""
        for name, view in self.viewport.report().items():
            path = view.path if self.isVisible() else ""  # as without a window
            self._app.cameras[name].show_display(DisplayStatus(view.shown, view.dropped, path))

    def note(self, words: str) -> None:
        """Say something for some seconds, in the corner where faults are said too."""
        self.plates.note = words
        if words:
            self._note_over.start()
        self._see()

    def _give_up(self, why: str) -> None:
        self.failure = why
        self.closed.emit()

    # ---- what can be done

    def snapshot(self) -> None:
        """Save the large picture; one at a time."""
        if self._snapshot is None or self._snapshot.done():
            self._snapshot = asyncio.get_running_loop().create_task(self._save(self.viewport.cameras[0]))

    async def _save(self, camera: str) -> None:
        try:
            path = await take_snapshot(self._app, camera, self._disk, self._errands)
        except SnapshotError as error:
            log.warning("no snapshot: %s", error)
            self.note(f"Not saved: {error}")
        else:
            log.info("snapshot %s", path)
            self.note(f"Saved {path.name}")

    def mark(self) -> None:
        """Keep this moment. The answer comes by `_see`: nothing here waits for the card."""
        self.marker.press()
        self._see()

    def _undo_mark(self) -> None:
        self.menu.hide()
        self.marker.undo()
        self._see()

    def _keep_trip(self) -> None:
        self.menu.hide()
        self.marker.press(whole_trip=True)
        self._see()

    def _stop_recording(self) -> None:
        self._app.pause(self._pause_s)
        self.menu.hide()
        self._see()

    def _start_recording(self) -> None:
        self._app.resume()
        self.menu.hide()
        self._see()

    def _toggle_menu(self) -> None:
        # Everything that opens over the live picture opens here and in _open_phone: the place for driving's rules.
        self.phone_card.hide()
        self.menu.setVisible(not self.menu.isVisible())
        self.menu.raise_()

    def _open_phone(self) -> None:
        self.menu.hide()
        self.phone_card.invite(self._invitation if isinstance(self._invitation, str) else self._invitation())
        self.phone_card.show()
        self.phone_card.raise_()

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _leave(self) -> None:
        """Esc: what is open first, then the full screen."""
        if self.menu.isVisible() or self.phone_card.isVisible():
            self.menu.hide()
            self.phone_card.hide()
        elif self.isFullScreen():
            self.showNormal()

    async def shut(self) -> None:
        """Give back every frame; the window shows nothing from here on. A card that stalls under a still delays it by
        a second, no more.
        """
        self._look.stop()
        self._note_over.stop()
        self._telling.stop()
        if self._snapshot is not None and not self._snapshot.done():
            self._snapshot.cancel()
            await asyncio.gather(self._snapshot, return_exceptions=True)
        self.viewport.changed.disconnect(self._see)
        self.question.hide()
        self.hide()
        self._tell()
        self.viewport.shut()
        stuck = self._errands.close(_SHUT_WITHIN_S)
        if stuck:
            log.error("the thread %s is stuck: the card does not take the picture", stuck)

    # ---- Qt's side

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width, height, gap = self.width(), self.height(), self._sizes.gap
        self.strip.setGeometry(0, 0, width, self._sizes.strip)
        side = self._sizes.target
        left, top = width - gap - side, height - gap - side
        self.menu_button.setGeometry(left, top, side, side)
        self.snapshot_button.setGeometry(left - gap - side, top, side, side)
        tall = side + 2 * gap
        self.mark_button.setGeometry(left - gap - side, top - gap - tall, 2 * side + gap, tall)
        self.flash.setGeometry(0, 0, width, height)
        self._place_cards()
        self.viewport.set_margins(Margins(self._sizes.strip, gap))
        self.viewport.setGeometry(0, 0, width, height)

    def _place_cards(self) -> None:
        gap, strip = self._sizes.gap, self._sizes.strip
        self.phone_card.move(gap, strip + gap)
        self.phone_card.fit(self.width() - 2 * gap, self.height() - strip - 2 * gap)
        self._place_menu()

    def _place_menu(self) -> None:
        """Beside the buttons, or above them where there is no room: MARK is never covered."""
        gap, wanted = self._sizes.gap, self._sizes.px(75)
        beside = self.mark_button.x() - 2 * gap
        self.menu.setFixedWidth(wanted if wanted <= beside else min(wanted, self.width() - 2 * gap))
        self.menu.adjustSize()
        if wanted <= beside:
            left, bottom = self.mark_button.x() - gap, self.height() - gap
        else:
            left, bottom = self.width() - gap, self.mark_button.y() - gap
        self.menu.move(left - self.menu.width(), bottom - self.menu.height())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._poll()
        self._look.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look.stop()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.viewport.minimised = self.isMinimized()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A tap beside what is open closes it."""
        self.menu.hide()
        self.phone_card.hide()

    def closeEvent(self, event: QCloseEvent) -> None:
        """The window takes the recorder along, so a key or a tap on × asks first; a signal does not come by here."""
        if any(c.recording.state in ("recording", "paused") for c in self._app.status().cameras):
            event.ignore()
            self.question.open()
            return
        event.accept()
        self.closed.emit()
