"""The charts of PDF reports, as vectors: calm, from zero, estimated hatched, manual dotted, missing a gap.

Numbers become floats here because a drawing has no other; nothing drawn is ever added or written elsewhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fpdf import FPDF

INK: Final = (31, 41, 51)
GREY: Final = (123, 135, 148)
RULE: Final = (216, 222, 228)
PALE: Final = (240, 243, 246)
# Okabe and Ito's palette; a medium keeps its colour, as on the page.
_COLOURS: Final = {
    "electricity": (0, 114, 178),
    "gas": (230, 159, 0),
    "heat": (213, 94, 0),
    "water": (86, 180, 233),
    "air": (0, 158, 115),
    "fuel": (204, 121, 167),
}
_FAMILY: Final = {
    "natural": "gas",
    "steam": "heat",
    "heat": "heat",
    "water": "water",
    "compressed": "air",
    "electricity": "electricity",
}


NAME_WIDTH: Final = 80.0
"""mm for the name beside a horizontal bar."""


class Box(NamedTuple):
    """Where a chart is drawn, mm."""

    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """One interval; None: nothing is known of it."""

    label: str
    measured: float | None
    estimated: float = 0.0
    manual: float = 0.0


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart of energy by interval."""

    title: str
    unit: str
    medium: str
    bars: Sequence[Bar]


def colour_of(medium: str) -> tuple[int, int, int]:
    """Return a medium's colour."""
    return _COLOURS[_FAMILY.get(medium.partition("_")[0], "fuel")]


def draw_bars(pdf: FPDF, box: Box, chart: Bars) -> None:
    """Draw bars in a box, with a title above and labels below."""
    pdf.set_text_color(*INK)
    pdf.set_font_size(9)
    pdf.text(box.x, box.y + 3, f"{chart.title}  ({chart.unit})")
    plot = Box(box.x + 16, box.y + 7, box.width - 18, box.height - 15)
    top = nice(max((_whole(each) for each in chart.bars), default=0.0))
    _scale(pdf, plot, top)
    if not chart.bars:
        return
    slot = plot.width / len(chart.bars)
    every = max(1, math.ceil(14 / slot))
    colour = colour_of(chart.medium)
    for n, bar in enumerate(chart.bars):
        x = plot.x + n * slot
        if bar.measured is None:
            pdf.set_fill_color(*PALE)
            pdf.rect(x, plot.y, slot, plot.height, "F")
        else:
            _stack(pdf, Box(x + slot * 0.12, plot.y, slot * 0.76, plot.height), bar, top, colour)
        if n % every == 0:
            pdf.set_text_color(*GREY)
            pdf.set_font_size(6)
            pdf.text(x + slot * 0.12, plot.y + plot.height + 3.2, bar.label)


def draw_rows(
    pdf: FPDF, box: Box, rows: Sequence[tuple[Sequence[str], float | None, str]], colour: str
) -> None:
    """Draw a horizontal bar a row: lines of its name, its value, and how that is read; None is only said."""
    top = max((value or 0.0 for _, value, _ in rows), default=0.0) or 1.0
    step = min(14.0, box.height / max(1, len(rows)))
    left, room = NAME_WIDTH + 2, box.width - NAME_WIDTH - 44.0
    for n, (name, value, text) in enumerate(rows):
        y = box.y + n * step
        pdf.set_font_size(8)
        pdf.set_text_color(*INK)
        for m, line in enumerate(name):
            pdf.text(box.x, y + 5 + 3.4 * m, line)
        if value is not None:
            pdf.set_fill_color(*_COLOURS[colour])
            pdf.rect(box.x + left, y + 1.5, max(0.2, room * max(0.0, value) / top), 5, "F")
        else:
            pdf.set_fill_color(*PALE)
            pdf.rect(box.x + left, y + 1.5, room, 5, "F")
        pdf.text(box.x + left + room + 3, y + 5, text)
    pdf.set_draw_color(*GREY)
    pdf.set_line_width(0.2)
    pdf.line(box.x + left, box.y, box.x + left, box.y + step * len(rows))


def nice(most: float) -> float:
    """Return the end of an axis that begins at 0: 1, 2, 2.5 or 5 times a power of ten."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= most)


def _whole(bar: Bar) -> float:
    return (bar.measured or 0.0) + bar.estimated + bar.manual


def _scale(pdf: FPDF, plot: Box, top: float) -> None:
    pdf.set_line_width(0.1)
    pdf.set_draw_color(*RULE)
    pdf.set_text_color(*GREY)
    pdf.set_font_size(6)
    for part in range(5):
        y = plot.y + plot.height * (1 - part / 4)
        pdf.line(plot.x, y, plot.x + plot.width, y)
        text = f"{top * part / 4:,.10g}"
        pdf.text(plot.x - 1.5 - pdf.get_string_width(text), y + 1, text)


def _stack(pdf: FPDF, box: Box, bar: Bar, top: float, colour: tuple[int, int, int]) -> None:
    base = box.y + box.height
    pdf.set_fill_color(*colour)
    pdf.set_draw_color(*colour)
    pdf.set_line_width(0.15)
    for kind, value in (("solid", bar.measured or 0.0), ("hatched", bar.estimated), ("dotted", bar.manual)):
        height = box.height * max(0.0, value) / top
        if height <= 0:
            continue
        part = Box(box.x, base - height, box.width, height)
        if kind == "solid":
            pdf.rect(*part, "F")
        else:
            pdf.rect(*part)
            (_hatch if kind == "hatched" else _dots)(pdf, part)
        base -= height


def _hatch(pdf: FPDF, box: Box) -> None:
    """Fill a box with lines at 45°."""
    offset = 1.2
    while offset < box.width + box.height:
        x0, y0 = box.x + max(0.0, offset - box.height), box.y + box.height - min(offset, box.height)
        x1, y1 = box.x + min(offset, box.width), box.y + box.height - max(0.0, offset - box.width)
        pdf.line(x0, y0, x1, y1)
        offset += 1.2


def _dots(pdf: FPDF, box: Box) -> None:
    """Fill a box with dots."""
    y = box.y + 0.8
    while y < box.y + box.height - 0.2:
        x = box.x + 0.6
        while x < box.x + box.width - 0.2:
            pdf.rect(x, y, 0.35, 0.35, "F")
            x += 1.2
        y += 1.2
