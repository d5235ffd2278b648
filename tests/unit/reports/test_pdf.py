"""PDF reports: the same content is the same file, what the font lacks is spelled out, too long is refused."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.reports.charts import nice
from gateway.reports.content import Column, Content, Head, Row, Table
from gateway.reports.cover import Made
from gateway.reports.grid import Grid
from gateway.reports.make import write
from gateway.reports.paper import MARGIN, Paper
from gateway.reports.pdf import MOST_ROWS
from gateway.reports.refused import Refused
from tests.unit.reports.factory import content_of, filled, ground_for, plant_in
from tests.unit.reports.test_ledger import NOW

HEAD = Head("ledger", "s", "g", "Asia/Shanghai", 0, 86_400_000_000_000, "1970-01-01", "60min")


@pytest.mark.parametrize("kind", ["ledger", "carbon", "networking"])
def test_the_same_content_is_the_same_document_to_the_byte(kind: str, tmp_path: Path) -> None:
    plant = plant_in(tmp_path)
    filled(tmp_path, plant, days=2)
    with closing(content_of(kind, ground_for(tmp_path, plant, "2026-10-01"))) as content:  # type: ignore[arg-type]
        made = Made(NOW, "1", "", "both")
        write(content, tmp_path / "a.pdf", made)
        write(content, tmp_path / "b.pdf", made)
        first = (tmp_path / "a.pdf").read_bytes()
        assert first == (tmp_path / "b.pdf").read_bytes()
        assert first.startswith(b"%PDF-")
        assert content.hash.encode() not in first[:10]
        assert all(line in first for line in content.lines())


def test_a_character_the_font_lacks_is_printed_as_its_code() -> None:
    with closing(Content()) as content:
        content.write(HEAD, [])
        with Paper(content, Made(NOW, "1")) as paper:
            assert paper.plain("鑫能 \U00020bb7 m³") == "鑫能 [U+20BB7] m³"
            assert paper.cell_text(Column("amount", "number", 2), Decimal("-1234.5")) == "−1,234.50"
            assert paper.cell_text(Column("amount", "number", 2), None) == "–"


def test_long_text_is_broken_and_nothing_of_it_is_lost() -> None:
    with closing(Content()) as content:
        content.write(HEAD, [])
        with Paper(content, Made(NOW, "1")) as paper:
            for text in ("a" * 300, "一条很长的说明" * 20, "hall/line/" * 20, "words of some length " * 9):
                lines = paper.broken(text, 40)
                assert "".join(lines).replace(" ", "") == text.replace(" ", "")
                assert all(paper.get_string_width(line) <= 40 for line in lines)


def test_what_is_too_long_for_paper_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    rows = (Row((str(n),)) for n in range(MOST_ROWS + 1))
    with closing(Content()) as content:
        content.write(HEAD, [Table("ledger", (Column("node"),), rows)])
        with pytest.raises(Refused) as refused:
            write(content, tmp_path / "r.pdf", Made(NOW, "1"))
    assert refused.value.code == "E-RP-0010"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("most", "end"), [(0, 1), (0.7, 1), (1.2, 2), (1920, 2000), (48, 50), (5.1, 10)])
def test_an_axis_ends_at_a_round_number_not_below_what_is_drawn(most: float, end: float) -> None:
    assert nice(most) == pytest.approx(end)


def test_a_number_too_wide_for_its_column_is_set_smaller_and_stays_in_one_piece() -> None:
    columns = (Column("amount", "number", 12, 2), Column("node", width=90))
    rows = [Row((Decimal("123456789.123456789012"), "x"))]
    with closing(Content()) as content:
        content.write(HEAD, [])
        with Paper(content, Made(NOW, "1")) as paper:
            shown: list[tuple[float, str]] = []
            paper.text = lambda x, _y, text: shown.append((x, text))  # type: ignore[method-assign]
            Grid(paper, Table("ledger", columns, rows)).draw(lambda: None)
    (at,) = [x for x, text in shown if text == "123,456,789.123456789012"]
    assert at >= MARGIN
