"""MARK: the largest target on the live screen, in colours of its own, and the edge that flashes when it is saved."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from blackbox_qt.ui.buttons import TouchButton
from blackbox_qt.ui.marker import MarkView
from blackbox_qt.ui.theme import Sizes, Tokens

FLASH_MS = 450
_TITLE = "MARK"


class MarkButton(TouchButton):
    """A flag, MARK, and below it what is being kept. Each mood has a colour, a shape and words of its own.

    Threads: the GUI's.
    """

    def __init__(self, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(_TITLE, tokens, sizes, parent)
        self.view = MarkView("idle", "")
        self.setToolTip("Keep this moment (M)")
        self._plates = {
            "idle": tokens.accent,
            "keeping": tokens.ok,
            "waiting": tokens.warning,
        }

    def say(self, view: MarkView) -> None:
        """Show this from now on."""
        if view != self.view:
            self.view = view
            self.setAccessibleName(f"{_TITLE} {view.words}".strip())
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        ink = QColor(self._tokens.surface)
        painter.setPen(QPen(ink, 4 if self.isDown() else 1.5))
        painter.setBrush(QColor(self._plates[self.view.mood]))
        painter.drawRoundedRect(area, self._sizes.gap, self._sizes.gap)
        cut = area.top() + area.height() * (0.58 if self.view.words else 1)
        self._paint_row(painter, QRectF(area.left(), area.top(), area.width(), cut - area.top()), ink)
        if self.view.words:
            self._paint_words(painter, QRectF(area.left(), cut, area.width(), area.height() * 0.34), ink)
        painter.end()

    def _paint_flag(self, painter: QPainter, box: QRectF, ink: QColor) -> None:
        pen = QPen(ink, max(2.0, box.width() / 10))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(ink if self.view.mood == "keeping" else Qt.BrushStyle.NoBrush)
        (_paint_clock if self.view.mood == "waiting" else _paint_flag)(painter, box)

    def _paint_row(self, painter: QPainter, row: QRectF, ink: QColor) -> None:
        """The flag and the title, together in the middle."""
        font, gap = self._sizes.strip_font, self._sizes.gap
        metrics = QFontMetrics(font)
        side, wide = metrics.capHeight() * 1.25, metrics.horizontalAdvance(_TITLE)
        left = row.center().x() - (side + gap + wide) / 2
        self._paint_flag(painter, QRectF(left, row.center().y() - side / 2, side, side), ink)
        painter.setPen(ink)
        painter.setFont(font)
        where = QRectF(left + side + gap, row.top(), wide + 2, row.height())
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, _TITLE)

    def _paint_words(self, painter: QPainter, row: QRectF, ink: QColor) -> None:
        font = self._sizes.body_font
        painter.setPen(ink)
        painter.setFont(font)
        words = QFontMetrics(font).elidedText(self.view.words, Qt.TextElideMode.ElideRight, round(row.width()))
        painter.drawText(row, Qt.AlignmentFlag.AlignCenter, words)


def _paint_flag(painter: QPainter, box: QRectF) -> None:
    left = box.left() + box.width() * 0.12
    painter.drawLine(QPointF(left, box.top()), QPointF(left, box.bottom()))
    tip, notch = box.right(), box.right() - box.width() * 0.2
    middle, low = box.top() + box.height() * 0.27, box.top() + box.height() * 0.54
    points = (left, box.top()), (tip, box.top()), (notch, middle), (tip, low), (left, low)
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))


def _paint_clock(painter: QPainter, box: QRectF) -> None:
    painter.drawEllipse(box)
    painter.drawPolyline(
        [QPointF(box.center().x(), box.top() + box.height() * 0.2), box.center(),
         QPointF(box.right() - box.width() * 0.25, box.center().y())]
    )  # fmt: skip


class Flash(QWidget):
    """The edge of the window, once, when a mark is saved.

    Threads: the GUI's.
    """

    def __init__(self, tokens: Tokens, sizes: Sizes, parent: QWidget) -> None:
        super().__init__(parent)
        self._colour, self._width = QColor(tokens.ok), sizes.gap
        self._over = QTimer(self, singleShot=True, interval=FLASH_MS)
        self._over.timeout.connect(self.hide)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def once(self) -> None:
        self.show()
        self.raise_()
        self._over.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        pen = QPen(self._colour, self._width)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        half = self._width / 2
        painter.drawRect(QRectF(self.rect()).adjusted(half, half, -half, -half))
        painter.end()
