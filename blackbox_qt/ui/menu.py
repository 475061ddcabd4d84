"""The menu: what is not needed while driving. Everything here gets a finger's height."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from blackbox_qt.ui.buttons import HoldButton, TouchButton
from blackbox_qt.ui.theme import Sizes, Tokens

_STOP = "Hold to stop recording.\nIt goes on by itself after {:g} min."


class Menu(QFrame):
    """A column of buttons; hidden until asked for.

    Threads: the GUI's.
    """

    stop_asked = Signal()
    start_asked = Signal()
    phone_asked = Signal()
    undo_asked = Signal()
    trip_asked = Signal()

    def __init__(self, pause_s: float, with_phone: bool, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self.stop = HoldButton(_STOP.format(pause_s / 60), tokens, sizes, self)
        self.start = TouchButton("Record again", tokens, sizes, self)
        self.phone = TouchButton("Watch on a phone", tokens, sizes, self)
        self.undo = HoldButton("Hold to undo the last mark", tokens, sizes, self)
        self.trip = TouchButton("Keep the whole trip", tokens, sizes, self)
        self.undo.held.connect(self.undo_asked)
        self.trip.clicked.connect(self.trip_asked)
        self.stop.held.connect(self.stop_asked)
        self.start.clicked.connect(self.start_asked)
        self.phone.clicked.connect(self.phone_asked)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[sizes.gap] * 4)
        column.setSpacing(sizes.gap)
        for button in (self.phone, self.trip, self.undo, self.start, self.stop):
            button.setFixedHeight(sizes.target)
            column.addWidget(button)
        self.phone.setVisible(with_phone)
        self._paused: bool | None = None
        self._marks: tuple[bool, bool] | None = None
        self.show_paused(False)
        self.show_mark(undoable=False, whole_trip=False)
        self.setObjectName("menu")
        self.setStyleSheet(
            f"#menu {{ background: {tokens.background}; border: 1px solid {tokens.muted};"
            f" border-radius: {sizes.gap}px; }}"
        )
        self.hide()

    def show_paused(self, paused: bool) -> None:
        """Offer what can be done now: start or stop."""
        if paused != self._paused:
            self._paused = paused
            self.stop.setVisible(not paused)
            self.start.setVisible(paused)

    def show_mark(self, *, undoable: bool, whole_trip: bool) -> bool:
        """Offer to take the last mark back, and to keep all of this trip unless it is kept. Whether rows changed."""
        changed = (undoable, whole_trip) != self._marks
        if changed:
            self._marks = undoable, whole_trip
            self.undo.setVisible(undoable)
            self.trip.setVisible(not whole_trip)
        return changed
