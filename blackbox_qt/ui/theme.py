"""Colours from the one token file, sizes in millimetres, and the style sheet made of both."""

from __future__ import annotations

import json
from dataclasses import dataclass

from PySide6.QtGui import QFont, QScreen

from blackbox_qt.core import resources

_FAMILIES = ["Noto Sans", "Noto Sans CJK KR", "Noto Sans CJK JP", "DejaVu Sans"]
_CAP_HEIGHT = 0.714  # of an em: Noto Sans' capitals and figures
_SANE_DPI = 60.0, 400.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """One column of the table in DESIGN: colours as #RRGGBB.

    Threads: immutable, any.
    """

    background: str
    surface: str
    ink: str
    muted: str
    accent: str
    recording: str
    warning: str
    ok: str

    @classmethod
    def load(cls, *, night: bool) -> Tokens:
        """From resources/tokens.json. Raises FileNotFoundError on a broken installation."""
        columns = json.loads(resources.path("tokens.json").read_text("utf-8"))
        return cls(**columns["night" if night else "day"])


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1..21. Source: WCAG 2.1, "relative luminance" and "contrast ratio"."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@dataclass(frozen=True, slots=True)
class Sizes:
    """Millimetres on the glass, as pixels of a screen of `dpi` dots per inch.

    Threads: immutable, any.
    """

    dpi: float

    @classmethod
    def of(cls, screen: QScreen, configured_dpi: float) -> Sizes:
        """What the configuration says, else what the screen says of itself, if that can be believed."""
        dpi = configured_dpi or screen.physicalDotsPerInch()
        return cls(dpi if _SANE_DPI[0] <= dpi <= _SANE_DPI[1] else screen.logicalDotsPerInch())

    def px(self, mm: float) -> int:
        return max(1, round(mm * self.dpi / 25.4))

    @property
    def strip(self) -> int:
        return self.px(12.2)  # 64 px on the 7" 800x480

    @property
    def target(self) -> int:
        """What a gloved finger hits on the live screen."""
        return self.px(15)

    @property
    def gap(self) -> int:
        return self.px(2)

    def font(self, mm: float, *, bold: bool = False) -> QFont:
        """Figures and capitals `mm` high, all figures of one width."""
        font = QFont()
        font.setFamilies(_FAMILIES)
        font.setPixelSize(max(8, round(self.px(mm) / _CAP_HEIGHT)))
        font.setBold(bold)
        try:
            font.setFeature(QFont.Tag("tnum"), 1)
        except TypeError:  # PySide6 6.8, trixie's, cannot make a tag; the first of _FAMILIES have such figures anyway
            return font
        return font

    @property
    def strip_font(self) -> QFont:
        return self.font(4.5, bold=True)

    @property
    def body_font(self) -> QFont:
        return self.font(3)

    @property
    def title_font(self) -> QFont:
        return self.font(3.6, bold=True)
