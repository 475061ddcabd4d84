"""Words over the picture, each on its own plate, the card that invites a phone, the question before the end."""

from __future__ import annotations

import segno
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPixmap
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blackbox_qt.ui.buttons import TouchButton
from blackbox_qt.ui.strip import broken
from blackbox_qt.ui.theme import Sizes, Tokens

_INVITATION = """Join the car's network with the phone, then point its camera at this code.

{}

Whoever has this code can watch."""
_MOST_LINES = 3  # of one sentence
_QUIET = 4  # modules of white around a QR code, ISO/IEC 18004


class Plate(QLabel):
    """A few words on a dark plate; hidden while it has none. Taps pass through it.

    Threads: the GUI's.
    """

    def __init__(self, sizes: Sizes, parent: QWidget, *, title: bool = False) -> None:
        super().__init__(parent)
        night = Tokens.load(night=True)
        self._said = ("", 0)
        self._padding = sizes.gap
        self.setFont(sizes.title_font if title else sizes.body_font)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter if title else Qt.AlignmentFlag.AlignLeft)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet(
            f"background: {night.surface}; color: {night.ink}; border-radius: {sizes.gap // 2}px;"
            f"padding: {sizes.gap // 2}px {self._padding}px;"
        )
        self.hide()

    def say(self, words: str, most_width: int) -> None:
        """Show these words, at most so many pixels wide; nothing for none."""
        if (words, most_width) == self._said:
            return
        self._said = words, most_width
        room = most_width - 2 * self._padding
        metrics = QFontMetrics(self.font())
        lines = [line for sentence in words.splitlines() for line in broken(sentence, metrics, room, _MOST_LINES)]
        self.setText("\n".join(lines))
        self.setVisible(bool(words))
        self.adjustSize()


def qr_pixmap(text: str, side: int) -> QPixmap:
    """A QR code, black on white with its quiet zone, in whole pixels per module, at most `side` pixels wide."""
    rows = [[bool(cell) for cell in row] for row in segno.make(text, micro=False, error="m").matrix]
    count = len(rows) + 2 * _QUIET
    scale = max(1, side // count)
    pixmap = QPixmap(count * scale, count * scale)
    pixmap.fill(Qt.GlobalColor.white)
    painter = QPainter(pixmap)
    for y, row in enumerate(rows, _QUIET):
        for x, dark in enumerate(row, _QUIET):
            if dark:
                painter.fillRect(x * scale, y * scale, scale, scale, Qt.GlobalColor.black)
    painter.end()
    return pixmap


class CloseQuestion(QDialog):
    """Asks before the window ends the recording. To be opened with `open()`; `accepted` means to stop and close.

    Threads: the GUI's.
    """

    def __init__(self, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Blackbox Qt")
        self.keep = TouchButton("Keep recording", tokens, sizes, self)
        self.stop = TouchButton("Stop and close", tokens, sizes, self)
        self.keep.clicked.connect(self.reject)
        self.stop.clicked.connect(self.accept)
        title, words = (
            QLabel("Stop recording and close?", self),
            QLabel("Without this window nothing is recorded.", self),
        )
        title.setFont(sizes.title_font)
        words.setFont(sizes.body_font)
        buttons = QHBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(*[3 * sizes.gap] * 4)
        buttons.setSpacing(2 * sizes.gap)
        column.setSpacing(2 * sizes.gap)
        for button in (self.keep, self.stop):
            button.setFixedHeight(sizes.target)
            button.setMinimumWidth(button.sizeHint().width())
            buttons.addWidget(button)
        for part in (title, words):
            column.addWidget(part)
        column.addLayout(buttons)
        self.setStyleSheet(f"QDialog {{ background: {tokens.background}; }} QLabel {{ color: {tokens.ink}; }}")


class PhoneCard(QFrame):
    """How to watch on a phone: the address as QR code and in letters; none until `invite`.

    Threads: the GUI's.
    """

    def __init__(self, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self._address, self._sizes = "", sizes
        self.code = QLabel(self)
        self.code.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = self._label("Watch on a phone", sizes.title_font)
        self._title.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self._words = self._label("", sizes.body_font)
        self.done = TouchButton("Close", tokens, sizes, self)
        self.done.clicked.connect(self.hide)
        self.setObjectName("card")
        self.setStyleSheet(
            f"#card {{ background: {tokens.surface}; border: 1px solid {tokens.muted}; border-radius: {sizes.gap}px; }}"
            f"#card QLabel {{ color: {tokens.ink}; }}"
        )
        self.hide()

    def invite(self, address: str) -> None:
        """Show this address, which may have changed since: a car's Wi-Fi comes up after the window."""
        self._address = address
        self._words.setText(_INVITATION.format(breakable(address)))
        self._words.setAccessibleName(_INVITATION.format(address))
        self.fit(self.width(), self.height())

    def fit(self, width: int, height: int) -> None:
        """Fill so many pixels: code beside words, or above them when upright."""
        self.resize(width, height)
        edge = 2 * self._sizes.gap
        upright = height > width
        side = min(width - 2 * edge, height * 45 // 100) if upright else min(height - 2 * edge, width * 2 // 5)
        code = qr_pixmap(self._address, side)
        self.code.setPixmap(code)
        self.code.setGeometry((width - code.width()) // 2 if upright else edge, edge, code.width(), code.height())
        left = edge if upright else 2 * edge + code.width()
        top = 2 * edge + code.height() if upright else edge
        close = self.done.sizeHint()
        self.done.setGeometry(width - edge - close.width(), top, close.width(), close.height())
        self._title.setGeometry(left, top, width - 2 * edge - close.width() - left, close.height())
        top += close.height() + self._sizes.gap
        self._words.setGeometry(left, top, width - edge - left, height - edge - top)

    def _label(self, words: str, font: QFont) -> QLabel:
        label = QLabel(words, self)
        label.setFont(font)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        return label


def breakable(address: str) -> str:
    """An address that may be broken into lines anywhere."""
    return "\u200b".join(address)
