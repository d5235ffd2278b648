"""Tables on paper: columns as wide as their share, long text broken, titles again on every page."""

from collections.abc import Callable
from typing import Final

from config.problems import Phrase
from gateway.reports.charts import GREY, INK, PALE, RULE
from gateway.reports.content import Row, Table
from gateway.reports.paper import BOTTOM, MARGIN, WIDTH, Paper

_LINE: Final = 3.1
_PAD: Final = 0.9
_SIZE: Final = 6.6
_RIGHT: Final = ("number", "percent")


class Grid:
    """One table on as many pages as it takes."""

    def __init__(self, paper: Paper, table: Table) -> None:
        self._paper = paper
        self._table = table
        whole = sum(column.width + 2 for column in table.columns)
        self._widths = [WIDTH * (column.width + 2) / whole for column in table.columns]

    def draw(self, tick: Callable[[], None]) -> None:
        """Draw title, head and every row."""
        self._page()
        for row in self._table.rows:
            tick()
            if row.kind in ("note", "heading"):
                self._note(row)
            else:
                self._row(row)

    def _page(self) -> None:
        paper = self._paper
        paper.add_page()
        paper.set_text_color(*INK)
        paper.set_font_size(12)
        paper.text(MARGIN, MARGIN + 5, paper.words(Phrase(f"report.table.{self._table.name}")))
        paper.set_font_size(_SIZE)
        titles = [
            paper.broken(paper.words(Phrase(f"report.column.{column.key}")), width - 2 * _PAD)
            for column, width in zip(self._table.columns, self._widths, strict=True)
        ]
        top = MARGIN + 9
        height = _LINE * max(len(each) for each in titles) + 2 * _PAD
        paper.set_fill_color(*PALE)
        paper.rect(MARGIN, top, WIDTH, height, "F")
        self._cells(titles, top)
        paper.set_y(top + height)

    def _row(self, row: Row) -> None:
        paper = self._paper
        paper.set_font_size(_SIZE)
        cells = []
        for column, cell, width in zip(self._table.columns, row.cells, self._widths, strict=True):
            text = paper.cell_text(column, cell, row.kind)
            # A number in two lines would read as two numbers: it is set smaller instead.
            cells.append([text] if column.kind in _RIGHT else paper.broken(text, width - 2 * _PAD))
        height = _LINE * max(len(each) for each in cells) + 2 * _PAD
        if paper.get_y() + height > BOTTOM:
            self._page()
        top = paper.get_y()
        paper.set_text_color(*INK)
        if row.kind == "total":
            paper.set_fill_color(*PALE)
            paper.rect(MARGIN, top, WIDTH, height, "F")
        self._cells(cells, top)
        paper.set_draw_color(*(GREY if row.kind == "total" else RULE))
        paper.set_line_width(0.2 if row.kind == "total" else 0.1)
        paper.line(MARGIN, top + height, MARGIN + WIDTH, top + height)
        paper.set_y(top + height)

    def _cells(self, cells: list[list[str]], top: float) -> None:
        paper, x = self._paper, MARGIN
        for column, lines, width in zip(self._table.columns, cells, self._widths, strict=True):
            for n, line in enumerate(lines):
                text = line.rstrip()
                y = top + _PAD + _LINE * n + 2.4
                if column.kind not in _RIGHT:
                    paper.text(x + _PAD, y, text)
                    continue
                needed, room = paper.get_string_width(text), width - 2 * _PAD
                if needed > room:
                    paper.set_font_size(_SIZE * room / needed)
                paper.text(x + width - _PAD - min(needed, room), y, text)
                paper.set_font_size(_SIZE)
            x += width

    def _note(self, row: Row) -> None:
        paper = self._paper
        paper.set_font_size(7.5)
        lines = paper.broken(paper.words(row.cells[0]), WIDTH)
        if paper.get_y() + 3.6 * len(lines) + 2 > BOTTOM:
            self._page()
            paper.set_font_size(7.5)
        paper.set_text_color(*GREY)
        top = paper.get_y() + 1
        for n, line in enumerate(lines):
            paper.text(MARGIN, top + 3.6 * n + 3, line)
        paper.set_y(top + 3.6 * len(lines) + 0.5)
