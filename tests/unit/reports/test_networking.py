"""The networking rate: a list somebody answers for below, what the history holds above, and no flattery."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

from connectors import Kind, Tag, TagTable
from connectors.quality import BAD
from gateway.history import HISTORY
from gateway.reports.content import Computed, Content, words
from gateway.reports.ground import Ground
from tests.conftest import FakeClock
from tests.unit.history.lab import delivery, opened
from tests.unit.reports.factory import LONG, content_of, ground_for, plant_in
from tests.unit.reports.test_ledger import rows_of

HOUR = 3_600_000_000_000


def ground_with(folder: Path, listed: str | None) -> Ground:
    """A history in which the main meter had a value, the press a Bad one, and the oven one a day too late."""
    plant = plant_in(folder)
    plain = ground_for(folder, plant, "2026-10-01")
    tags = TagTable()
    paths = ("s/-/-/main/e_import", "s/hall/line_1/press/e_import", f"s/hall/{LONG}/oven/e_import")
    tags.announce([Tag(path, Kind.FLOAT64, "KWH", "src") for path in paths])
    first, last = plain.period.first, plain.period.last
    rows = [(0, first + HOUR, 1.0, 0), (1, first + HOUR, 0.0, BAD), (2, last + HOUR, 1.0, 0)]
    with opened(folder / "data" / HISTORY, tags, FakeClock(last + 2 * HOUR)) as store:
        sent = delivery(tags, 1, rows)
        store.book([sent], sent)
    if listed is None:
        return plain
    (folder / "equipment.csv").write_text(listed, encoding="utf-8")
    return ground_for(folder, plant, "2026-10-01", equipment=folder / "equipment.csv")


def rate(content: Content) -> list[object]:
    (row,) = rows_of(content, "rate")
    return [each.value if isinstance(each, Computed) else each for each in row.cells[1:]]


def test_what_is_connected_and_collected_counts_and_the_others_say_why(tmp_path: Path) -> None:
    listed = f"equipment,device\nMain,-/-/main\nPress,hall/line_1/press\nOven,hall/{LONG}/oven\nOld lathe,\n"
    with closing(content_of("networking", ground_with(tmp_path, listed))) as content:
        assert rate(content) == [Decimal(1), Decimal(4), Decimal("0.25")]
        told = {row.cells[0]: words(row.cells[3], "en") for row in rows_of(content, "equipment")}
        assert told == {
            "Main": "",
            "Press": "in the gateway, no usable value in the period",
            "Oven": "in the gateway, no usable value in the period",
            "Old lathe": "not connected",
        }


def test_without_a_list_there_is_no_rate_and_the_gateways_devices_are_listed(tmp_path: Path) -> None:
    with closing(content_of("networking", ground_with(tmp_path, None))) as content:
        assert rate(content) == [None, None, None]
        assert "--equipment" in words(rows_of(content, "rate", "note")[0].cells[0], "zh")
        assert len(rows_of(content, "equipment")) == 3


def test_without_a_history_nothing_is_known_and_there_is_no_rate(tmp_path: Path) -> None:
    plant = plant_in(tmp_path)
    (tmp_path / "equipment.csv").write_text("equipment,device\nMain,-/-/main\n", encoding="utf-8")
    ground = ground_for(tmp_path, plant, "2026-10-01", equipment=tmp_path / "equipment.csv")
    with closing(content_of("networking", ground)) as content:
        assert rate(content) == [None, None, None]
        assert {row.cells[2] for row in rows_of(content, "equipment")} == {None}
