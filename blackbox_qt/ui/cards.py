"""Words over the picture, each on its own plate, and the card that invites a phone."""

from __future__ import annotations

import segno
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QSizePolicy, QWidget

from blackbox_qt.ui.buttons import TouchButton
from blackbox_qt.ui.theme import Sizes, Tokens

_QUIET = 4  # modules of white around a QR code, ISO/IEC 18004


class Plate(QLabel):
    """A few words on a dark plate; hidden while it has none. Taps pass through it.

    Threads: the GUI's.
    """

    def __init__(self, sizes: Sizes, parent: QWidget, *, title: bool = False) -> None:
        super().__init__(parent)
        night = Tokens.load(night=True)
        self.setFont(sizes.title_font if title else sizes.body_font)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter if title else Qt.AlignmentFlag.AlignLeft)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet(
            f"background: {night.surface}; color: {night.ink}; border-radius: {sizes.gap // 2}px;"
            f"padding: {sizes.gap // 2}px {sizes.gap}px;"
        )
        self.hide()

    def say(self, words: str, most_width: int) -> None:
        """Show these words, at most so many pixels wide; nothing for none."""
        if words != self.text():
            self.setText(words)
        self.setVisible(bool(words))
        self.setWordWrap(False)
        if self.sizeHint().width() > most_width:
            self.setWordWrap(True)
            self.resize(most_width, self.heightForWidth(most_width))
        else:
            self.resize(self.sizeHint())


def qr_image(text: str, side: int) -> QImage:
    """A QR code, black on white with its quiet zone, in whole pixels per module, at most `side` pixels wide."""
    matrix = [[bool(cell) for cell in row] for row in segno.make(text, micro=False, error="m").matrix]
    count = len(matrix) + 2 * _QUIET
    image = QImage(count, count, QImage.Format.Format_Grayscale8)
    image.fill(255)
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                image.setPixel(x + _QUIET, y + _QUIET, 0xFF000000)
    scale = max(1, side // count)
    return image.scaled(count * scale, count * scale)


class PhoneCard(QFrame):
    """How to watch on a phone: the address as QR code and in letters.

    Threads: the GUI's.
    """

    def __init__(self, address: str, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self._address, self._sizes = address, sizes
        self._code = QLabel(self)
        self._code.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = _text("Watch on a phone", sizes, title=True)
        how = _text("Join the car's network with the phone, then point its camera at this code.", sizes)
        key = _text("The code holds the key: show it only to those who may watch.", sizes)
        letters = _text(breakable(address), sizes)
        letters.setAccessibleName(address)
        self.done = TouchButton("Close", tokens, sizes)
        self.done.clicked.connect(self.hide)
        words = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        words.setSpacing(sizes.gap)
        for part in (title, how, letters, key):
            words.addWidget(part)
        words.addStretch(1)
        words.addWidget(self.done, 0, Qt.AlignmentFlag.AlignRight)
        self._whole = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._whole.setSpacing(2 * sizes.gap)
        self._whole.setContentsMargins(*[2 * sizes.gap] * 4)
        self._whole.addWidget(self._code)
        self._whole.addLayout(words, 1)
        self.setObjectName("card")
        self.setStyleSheet(
            f"#card {{ background: {tokens.surface}; border: 1px solid {tokens.muted}; border-radius: {sizes.gap}px; }}"
            f"#card QLabel {{ color: {tokens.ink}; }}"
        )
        self.hide()

    def fit(self, width: int, height: int) -> None:
        """Make the best of so many pixels: code beside words, or above them when upright."""
        upright = height > width
        side = QBoxLayout.Direction.TopToBottom if upright else QBoxLayout.Direction.LeftToRight
        self._whole.setDirection(side)
        margin = 4 * self._sizes.gap
        room = min(width - margin, height // 2) if upright else min(height - margin, width * 2 // 5)
        self._code.setPixmap(QPixmap.fromImage(qr_image(self._address, min(room, self._sizes.px(60)))))
        wide = min(width, self._sizes.px(75 if upright else 140))
        self.resize(wide, min(height, max(self.sizeHint().height(), self._whole.heightForWidth(wide))))


def breakable(address: str) -> str:
    """An address that may be broken into lines anywhere."""
    return "\u200b".join(address)


def _text(words: str, sizes: Sizes, *, title: bool = False) -> QLabel:
    label = QLabel(words)
    label.setFont(sizes.title_font if title else sizes.body_font)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return label
