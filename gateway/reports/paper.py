"""A4 pages of a PDF report: the font, the text of cells, tables that go on over pages, the footer."""

import re
from bisect import bisect_right
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Final, Self, cast
from zoneinfo import ZoneInfo

from fpdf import FPDF
from fpdf.fonts import TTFFont

from gateway.reports.charts import GREY
from gateway.reports.content import Cell, Column, Computed, Content, Moment, words
from gateway.reports.cover import Made

FONT: Final = "NotoSansSC-Wanglian.otf"
_FITS_NOWHERE: Final = 1_000
"""Characters that are wider than a page."""
MARGIN: Final = 12.0
WIDTH: Final = 297.0 - 2 * MARGIN
BOTTOM: Final = 210.0 - 16.0
_PIECE: Final = re.compile(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]*[\s/,.;:_-]?")


class Paper(FPDF):
    """A landscape A4 document in our font; what it lacks is written as its code, never left out."""

    def __init__(self, content: Content, made: Made) -> None:
        super().__init__("L", "mm", "A4")
        created = datetime.fromtimestamp(made.at // 1_000_000_000, UTC)
        self.head = content.head()
        self.wording = made.wording
        self.zone = ZoneInfo(self.head.zone)
        self._digest = content.hash
        folder = resources.files("gateway.reports") / "fonts"
        with resources.as_file(folder / FONT) as file:
            self.add_font("noto", "", file)
        self._font = cast("TTFFont", self.fonts["noto"])
        self._known = frozenset(self._font.cmap)
        self.set_font("noto", size=8)
        self.set_auto_page_break(auto=False)
        self.set_margin(MARGIN)
        self.set_subject(f"SHA-256 {content.hash}")
        self.set_producer(f"Wanglian {made.release}")
        self.set_creation_date(created)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The library leaves the font's file open until the garbage is collected.
        self._font.ttfont.close()

    def footer(self) -> None:
        """Write site, period, page and the hash's beginning under every page."""
        self.set_font_size(7)
        self.set_text_color(*GREY)
        self.text(MARGIN, 203, self.plain(f"{self.head.site} · {self.head.period}"))
        page = f"{self.page_no()}"
        self.text(148.5 - self.get_string_width(page) / 2, 203, page)
        told = f"SHA-256 {self._digest[:16]}…"
        self.text(MARGIN + WIDTH - self.get_string_width(told), 203, told)

    def words(self, value: object) -> str:
        """Return text, phrase or text of two languages as it is printed."""
        return self.plain(words(value, self.wording))

    def plain(self, text: str) -> str:
        """Return text with every character the font lacks spelled out."""
        if all(ord(each) in self._known for each in text):
            return text
        return "".join(each if ord(each) in self._known else f"[U+{ord(each):04X}]" for each in text)

    def cell_text(self, column: Column, cell: Cell, kind: str = "row") -> str:
        """Return a cell as it is printed."""
        if isinstance(cell, Computed):
            cell = cell.value
        match cell:
            case None:
                return "–" if kind == "row" else ""
            case Moment():
                at = datetime.fromtimestamp(cell.ns // 1_000_000_000, self.zone)
                return f"{at:%Y-%m-%d %H:%M}"
            case Decimal() if column.kind == "percent":
                return f"{cell * 100:.{column.places}f}%"
            case Decimal():
                return f"{cell:,.{column.places}f}".replace("-", "−")
            case _:
                return self.words(cell)

    def broken(self, text: str, width: float) -> list[str]:
        """Return text in lines that are no wider than `width`, mm."""
        if not self._is_wide(text, width):
            return [text]
        lines, line = [], ""
        for piece in filter(None, _PIECE.findall(text)):
            part = piece
            while self._is_wide(line + part[:_FITS_NOWHERE], width):
                if line:
                    lines.append(line)
                    line = ""
                else:
                    cut = max(1, _fitting(self, part, width))
                    lines.append(part[:cut])
                    part = part[cut:]
            line += part
        return [*lines, line] if line.strip() else lines

    def _is_wide(self, text: str, width: float) -> bool:
        return len(text) > _FITS_NOWHERE or self.get_string_width(text) > width


def _fitting(pdf: Paper, text: str, width: float) -> int:
    """Return how many characters of a text fit."""
    counts = range(1, min(len(text), _FITS_NOWHERE) + 1)
    return bisect_right(counts, width, key=lambda count: pdf.get_string_width(text[:count]))
