"""A report as PDF: what identifies it, charts, every table, and the lines its hash is of as an attachment.

The same content, made at the same time by the same release, is the same file to the byte: so it is verified.
Pages are kept in memory until the file is written, which is why a PDF has fewer rows than a workbook.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from config.base import Text
from config.energy import media
from config.problems import Phrase
from gateway.reports.charts import GREY, INK, NAME_WIDTH, RULE, Bar, Bars, Box, draw_bars, draw_rows
from gateway.reports.content import Cell, Computed, Content, Moment, Row
from gateway.reports.cover import Made, cover, made_line
from gateway.reports.grid import Grid
from gateway.reports.paper import MARGIN, WIDTH, Paper
from gateway.reports.refused import Refused

MOST_ROWS: Final = 20_000
ATTACHED: Final = "content.jsonl"
_CHARTS: Final = 6
_MOST_BARS: Final = 120


def write_pdf(content: Content, target: Path, made: Made, tick: Callable[[], None] = lambda: None) -> None:
    """Write the document; `tick` is called once a row.

    Raises:
        Refused: E-RP-0010, it is too long for paper. OSError: it can't be written.
    """
    if content.rows > MOST_ROWS:
        raise Refused("E-RP-0010", rows=content.rows, most=MOST_ROWS)
    with Paper(content, made) as paper:
        _draw(paper, content, made, tick)
        paper.output(str(target))


def _draw(paper: Paper, content: Content, made: Made, tick: Callable[[], None]) -> None:
    title = Phrase(f"report.title.{paper.head.kind}")
    paper.set_title(paper.words(title))
    _cover(paper, cover(content, made), title)
    match paper.head.kind:
        case "ledger":
            _energy(paper, content)
        case "carbon":
            _scopes(paper, content)
        case "networking":
            _rate(paper, content)
    for table in content.tables():
        Grid(paper, table).draw(tick)
    lines = b"\n".join((made_line(made), *content.lines()))
    at = datetime.fromtimestamp(made.at // 1_000_000_000, UTC)
    paper.embed_file(bytes=lines, basename=ATTACHED, creation_date=at, modification_date=at)


def _cover(paper: Paper, lines: list[tuple[Cell, Cell]], title: Phrase) -> None:
    paper.add_page()
    paper.set_text_color(*INK)
    paper.set_font_size(22)
    paper.text(MARGIN, 32, paper.words(title))
    paper.set_font_size(11)
    paper.set_text_color(*GREY)
    paper.text(MARGIN, 40, paper.plain(f"{paper.head.site} · {paper.head.period}"))
    paper.set_draw_color(*RULE)
    paper.set_line_width(0.3)
    paper.line(MARGIN, 46, MARGIN + WIDTH, 46)
    y = 55.0
    for name, value in lines:
        paper.set_font_size(9)
        paper.set_text_color(*GREY)
        paper.text(MARGIN, y, paper.words(name))
        paper.set_text_color(*INK)
        text = paper.words(value)
        if isinstance(value, Moment):
            text = f"{datetime.fromtimestamp(value.ns // 1_000_000_000, paper.zone):%Y-%m-%d %H:%M:%S}"
        for line in paper.broken(text, WIDTH - 80):
            paper.text(MARGIN + 80, y, line)
            y += 5
        y += 3


def _charts_page(paper: Paper) -> None:
    paper.add_page()
    paper.set_text_color(*INK)
    paper.set_font_size(12)
    paper.text(MARGIN, MARGIN + 5, paper.words(Phrase("report.charts")))
    paper.set_font_size(7.5)
    paper.set_text_color(*GREY)
    paper.text(MARGIN, 200 - 3, paper.words(Phrase(f"report.charts.{paper.head.kind}")))


def _energy(paper: Paper, content: Content) -> None:
    """Draw a chart of each medium of the site, the first six."""
    found: dict[tuple[str, str], list[Bar]] = defaultdict(list)
    titles: dict[tuple[str, str], Text] = {}
    for row in _rows(content, "ledger"):
        node, medium, begin, unit = row.cells[0], row.cells[1], row.cells[2], row.cells[4]
        if node == paper.head.site and isinstance(medium, Text) and isinstance(begin, Moment):
            key = (medium.en, str(unit))
            titles[key] = medium
            amounts = [_value(cell) for cell in row.cells[6:9]]
            bar = Bar(_label(paper, begin), amounts[0], amounts[1] or 0.0, amounts[2] or 0.0)
            found[key].append(bar)
    shown = [key for key, bars in found.items() if len(bars) <= _MOST_BARS][:_CHARTS]
    if not shown:
        return
    _charts_page(paper)
    across = 1 if len(shown) == 1 else 2
    down = -(-len(shown) // across)
    width, height = (WIDTH - 6 * (across - 1)) / across, min(85.0, 170.0 / down)
    for n, key in enumerate(shown):
        row_of, column = divmod(n, across)
        box = Box(MARGIN + column * (width + 6), MARGIN + 11 + row_of * height, width, height - 3)
        names = _media()
        chart = Bars(paper.words(titles[key]), key[1], names.get(key[0], ""), found[key])
        draw_bars(paper, box, chart)


def _media() -> dict[str, str]:
    return {medium.en: name for name, medium in media().items()}


def _label(paper: Paper, begin: Moment) -> str:
    at = datetime.fromtimestamp(begin.ns // 1_000_000_000, paper.zone)
    match paper.head.interval:
        case "15min" | "60min" | "shift":
            return f"{at:%H:%M}"
        case "month" | "billing":
            return f"{at:%Y-%m}"
        case _:
            return f"{at:%m-%d}"


def _scopes(paper: Paper, content: Content) -> None:
    """Draw scopes beside each other, and standard coal below, each group on its own scale."""
    groups: dict[str, list[tuple[list[str], float | None, str]]] = defaultdict(list)
    for row in _rows(content, "scopes"):
        column = next(
            each for table in content.tables() if table.name == "scopes" for each in table.columns[2:3]
        )
        text = paper.cell_text(column, row.cells[2])
        unit = str(row.cells[3])
        told = (_name(paper, row.cells[0]), _value(row.cells[2]), f"{text} {unit}")
        groups[unit].append(told)
    _charts_page(paper)
    y = MARGIN + 14
    for unit, rows in groups.items():
        draw_rows(
            paper, Box(MARGIN, y, WIDTH, 14.0 * len(rows)), rows, "fuel" if unit == "kgce" else "electricity"
        )
        y += 14 * len(rows) + 12


def _name(paper: Paper, cell: Cell) -> list[str]:
    paper.set_font_size(8)
    return paper.broken(paper.words(cell), NAME_WIDTH)


def _rate(paper: Paper, content: Content) -> None:
    for row in _rows(content, "rate"):
        top, bottom, rate = (_value(cell) for cell in row.cells[1:4])
        if top is None or bottom is None or rate is None:
            return
        _charts_page(paper)
        rows = [
            (_name(paper, Phrase("report.column.denominator")), bottom, f"{bottom:.0f}"),
            (_name(paper, Phrase("report.column.numerator")), top, f"{top:.0f}"),
        ]
        draw_rows(paper, Box(MARGIN, MARGIN + 14, WIDTH, 28), rows, "electricity")


def _rows(content: Content, name: str) -> list[Row]:
    return [
        row for table in content.tables() if table.name == name for row in table.rows if row.kind == "row"
    ]


def _value(cell: Cell) -> float | None:
    """Return a number to be drawn."""
    if isinstance(cell, Computed):
        return float(cell.value)
    return float(cell) if isinstance(cell, Decimal) else None
