"""What a gloved finger touches: buttons of 15 mm, and one that wants to be held."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from blackbox_qt.ui.theme import Sizes, Tokens

HOLD_MS = 2000
Icon = Callable[[QPainter, QRectF], None]
"""Strokes a picture into a square with the painter's pen."""


class TouchButton(QAbstractButton):
    """An icon in a square, or words in a row, on a plate of its own.

    Threads: the GUI's.
    """

    def __init__(
        self, words: str, tokens: Tokens, sizes: Sizes, parent: QWidget | None = None, *, icon: Icon | None = None
    ) -> None:
        super().__init__(parent)
        self.setText(words)
        self.setAccessibleName(words)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._tokens, self._sizes, self._icon = tokens, sizes, icon
        if icon is not None:
            self.setToolTip(words)

    def sizeHint(self) -> QSize:
        side = self._sizes.target
        if self._icon is not None:
            return QSize(side, side)
        width = QFontMetrics(self._sizes.body_font).horizontalAdvance(self.text())
        return QSize(max(side, width + 6 * self._sizes.gap), side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        self._paint_plate(painter, area)
        if self._icon is not None:
            self._paint_icon(painter, area, self._icon)
        else:
            painter.setPen(QColor(self._tokens.ink))
            painter.setFont(self._sizes.body_font)
            room = area.adjusted(2 * self._sizes.gap, 0, -2 * self._sizes.gap, 0)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.text())
        painter.end()

    def _paint_plate(self, painter: QPainter, area: QRectF) -> None:
        edge = self._tokens.accent if self.isDown() or self.hasFocus() else self._tokens.muted
        painter.setPen(QPen(QColor(edge), 3 if self.isDown() else 1.5))
        painter.setBrush(QColor(self._tokens.surface))
        painter.drawRoundedRect(area, self._sizes.gap, self._sizes.gap)

    def _paint_icon(self, painter: QPainter, area: QRectF, icon: Icon) -> None:
        side = area.height() * 0.46
        pen = QPen(QColor(self._tokens.ink), max(2.0, side / 11))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        icon(painter, QRectF(area.center() - QPointF(side / 2, side / 2), QSize(round(side), round(side))))


class HoldButton(TouchButton):
    """Acts when it has been held for two seconds, which fill it from left to right; a tap does nothing.

    Threads: the GUI's.
    """

    held = Signal()

    def __init__(self, words: str, tokens: Tokens, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(words, tokens, sizes, parent)
        self._filling = QVariantAnimation(self)
        self._filling.setDuration(HOLD_MS)
        self._filling.setStartValue(0.0)
        self._filling.setEndValue(1.0)
        self._filling.valueChanged.connect(self.update)
        self._filling.finished.connect(self.held)
        self.pressed.connect(self._filling.start)
        self.released.connect(self._let_go)
        self.installEventFilter(self)

    @property
    def progress(self) -> float:
        """0..1."""
        running = self._filling.state() == QVariantAnimation.State.Running
        return float(self._filling.currentValue()) if running else 0.0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Hide, QEvent.Type.FocusOut):  # taken away under the finger
            self._let_go()
        return super().eventFilter(watched, event)

    def _let_go(self) -> None:
        self._filling.stop()
        self.update()

    def _paint_plate(self, painter: QPainter, area: QRectF) -> None:
        super()._paint_plate(painter, area)
        if self.progress > 0:
            fill = QColor(self._tokens.warning)
            fill.setAlphaF(0.45)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(
                QRectF(area.left(), area.top(), area.width() * self.progress, area.height()),
                self._sizes.gap,
                self._sizes.gap,
            )


def camera_icon(painter: QPainter, box: QRectF) -> None:
    """A photo camera."""
    body = box.adjusted(0, box.height() * 0.22, 0, -box.height() * 0.06)
    painter.drawRoundedRect(body, box.width() * 0.1, box.width() * 0.1)
    painter.drawEllipse(body.center(), box.width() * 0.2, box.width() * 0.2)
    left, right = box.left() + box.width() * 0.32, box.right() - box.width() * 0.32
    painter.drawLine(QPointF(left, box.top() + box.height() * 0.08), QPointF(right, box.top() + box.height() * 0.08))


def menu_icon(painter: QPainter, box: QRectF) -> None:
    """Three lines."""
    for part in (0.16, 0.5, 0.84):
        y = box.top() + box.height() * part
        painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
