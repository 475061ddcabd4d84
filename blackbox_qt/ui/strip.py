"""The strip along the top: whether it records, what time it is, who watches. Its own plate, never bare on video."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from blackbox_qt.app.words import Mood, Shape
from blackbox_qt.ui.strip_view import StripView
from blackbox_qt.ui.theme import Sizes, Tokens

_ROOM_FOR_WORDS = 0.36  # of the strip's width; with less they go below the title
_TITLE_BASE, _WORDS_BASE = 0.47, 0.85  # of the strip's height, for capitals of 4.5 and 3 mm on 12.2 mm
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignRight


def strip_colours(night: Tokens) -> dict[Mood, tuple[str, str]]:
    """(plate, ink) of each mood; ≥ 7:1. The same by day: the night's reds and ambers carry black ink further."""
    return {
        "well": (night.surface, night.ink),
        "paused": (night.warning, night.background),
        "danger": (night.warning, night.background),
        "alarm": (night.recording, night.background),
    }


class Strip(QWidget):
    """Shows a StripView; repaints only when it says something else.

    Threads: the GUI's.
    """

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sizes = sizes
        self._night = Tokens.load(night=True)
        self._colours = strip_colours(self._night)
        self._view: StripView | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    @property
    def view(self) -> StripView | None:
        return self._view

    def sizeHint(self) -> QSize:
        return QSize(self._sizes.strip * 8, self._sizes.strip)

    def say(self, view: StripView) -> None:
        """Show this from now on."""
        if view != self._view:
            self._view = view
            self.setAccessibleName(" ".join(part for part in (view.title, view.words, view.clock) if part))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        view = self._view
        plate, ink = self._colours[view.mood if view else "well"]
        painter.fillRect(self.rect(), QColor(plate))
        if view is not None:
            self._paint(painter, view, QColor(ink))
        painter.end()

    def _paint(self, painter: QPainter, view: StripView, ink: QColor) -> None:
        gap, height = self._sizes.gap, self.height()
        side = round(height * 0.42)
        shape = QRectF(2 * gap, (height - side) / 2, side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._night.recording) if view.shape == "dot" else ink)
        _SHAPES[view.shape](painter, shape)
        painter.setPen(ink)
        left = round(shape.right()) + gap
        right = self.width() - 2 * gap
        if self.stacks(view, right - left):
            self._put_stacked(painter, view, left, right)
            return
        left = self._put(painter, view.title, self._sizes.strip_font, left) + 2 * gap
        if view.mood == "well":
            self._put(painter, view.clock, self._clock_font(view), left)
            self._put_right(painter, view.watching, right)
        else:
            right = self._put_right(painter, view.clock, right) - 2 * gap
            self._put_words(painter, view.words, QRect(left, 0, max(0, right - left), height))

    def stacks(self, view: StripView, room: int) -> bool:
        """Whether the words go below the title: a window held upright has no room beside it."""
        title = QFontMetrics(self._sizes.strip_font).horizontalAdvance(view.title)
        return bool(view.words) and room - title < _ROOM_FOR_WORDS * self.width()

    def _put_stacked(self, painter: QPainter, view: StripView, left: int, right: int) -> None:
        """Title above, one line of words below; an alarm in so narrow a window has no room for the time.

        Placed by their baselines: two full lines with all their leading would be higher than the strip.
        """
        title, body = self._sizes.strip_font, self._sizes.body_font
        painter.setFont(title)
        painter.drawText(left, round(self.height() * _TITLE_BASE), view.title)
        painter.setFont(body)
        words = QFontMetrics(body).elidedText(view.words, Qt.TextElideMode.ElideRight, right - left)
        painter.drawText(left, round(self.height() * _WORDS_BASE), words)

    def _clock_font(self, view: StripView) -> QFont:
        return self._sizes.strip_font if view.clock[:1].isdigit() else self._sizes.body_font

    def _put(self, painter: QPainter, text: str, font: QFont, left: int) -> int:
        """Text from `left` on; where it ends."""
        painter.setFont(font)
        width = QFontMetrics(font).horizontalAdvance(text)
        painter.drawText(QRect(left, 0, width + 2, self.height()), _LEFT | _MIDDLE, text)
        return left + width

    def _put_right(self, painter: QPainter, text: str, right: int) -> int:
        """Text up to `right`; where it begins."""
        font = self._sizes.body_font
        painter.setFont(font)
        width = QFontMetrics(font).horizontalAdvance(text)
        painter.drawText(QRect(right - width - 2, 0, width + 2, self.height()), _RIGHT | _MIDDLE, text)
        return right - width

    def _put_words(self, painter: QPainter, text: str, room: QRect) -> None:
        """On one line or two, shortened with … if even those do not suffice."""
        font = self._sizes.body_font
        painter.setFont(font)
        lines = broken(text, QFontMetrics(font), room.width(), 2)
        painter.drawText(room, _LEFT | _MIDDLE, "\n".join(lines))


def broken(text: str, metrics: QFontMetrics, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` pixels, broken at spaces; the last one ends in … if it does not fit."""
    lines, rest = [""], text.split()
    while rest:
        longer = f"{lines[-1]} {rest[0]}".strip()
        if metrics.horizontalAdvance(longer) > width and lines[-1]:
            if len(lines) == most:
                lines[-1] = f"{lines[-1]} {' '.join(rest)}"
                break
            lines.append("")
        else:
            lines[-1] = longer
            rest.pop(0)
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in lines]


def _dot(painter: QPainter, box: QRectF) -> None:
    painter.drawEllipse(box)


def _square(painter: QPainter, box: QRectF) -> None:
    painter.drawRect(box)


def _bars(painter: QPainter, box: QRectF) -> None:
    third = box.width() / 3
    painter.drawRect(QRectF(box.left(), box.top(), third, box.height()))
    painter.drawRect(QRectF(box.left() + 2 * third, box.top(), third, box.height()))


def _triangle(painter: QPainter, box: QRectF) -> None:
    painter.drawPolygon(QPolygonF([box.bottomLeft(), box.bottomRight(), QPointF(box.center().x(), box.top())]))


_SHAPES: dict[Shape, Callable[[QPainter, QRectF], None]] = {
    "dot": _dot,
    "square": _square,
    "bars": _bars,
    "triangle": _triangle,
}
