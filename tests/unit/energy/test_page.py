"""The page's questions to the books: parts that add up, shares, what is missing said and never a number."""

import asyncio
import itertools
import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import yaml

from config.energy_meters import Meter, meters
from config.load import read_plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import MINUTE_NS, Calendar
from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.unit.energy.lab import Clock

TARIFF: Final = [
    {
        "use": "jiangsu-2025", "class": "two_part", "from": "2025-06-01", "overlays_on": "base",
        "example": True,
        "contract": {"use": "industry", "capacity_kva": 1000, "charge": "demand"},
        "standing": {"purchase": 0.4, "losses": 0.02, "demand": 40,
                     "transmission": 0.14, "system": 0.04, "funds": 0.03},
    }
]  # fmt: skip
CARBON: Final = {
    "electricity": [{"area": "jiangsu", "year": 2022, "calibre": "average"}],
    "residual": [{"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}],
}


class Office:
    """A site's meter and the two behind it, read every minute of 6 and 7 March 2026, and its page."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        names = ("main", "press", "oven")
        devices = {
            name: {
                "at": f"hall/{name}_line",
                "scan": "60s",
                "tags": {"e_import": {"shape": "counter", "unit": "kWh"}},
            }
            for name in names
        }
        plant = {
            "gateway": {"id": "g", "site": "s"},
            "sources": {"src": {"kind": "simulated", "devices": devices}},
            "energy": {
                "meters": {
                    "main": {"at": "-", "contract": 200, "unaccounted": 5},
                    "press": {"parent": "main"},
                    "oven": {"parent": "main"},
                }
            },
            "tariff": TARIFF,
            "calendar": {"major_holidays": ["spring_festival"]},
            "carbon": CARBON,
        } | changes
        file = folder / "plant.yaml"
        file.write_text(yaml.safe_dump(plant, allow_unicode=True))
        outcome = read_plant(file)
        assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
        self.meters: dict[str, Meter] = meters(outcome.plant)
        self.calendar: Calendar = calendar_of_plant(outcome.plant)
        self.first = self.calendar.midnight(date(2026, 3, 6))
        self.now = self.first + 2 * 1440 * MINUTE_NS - 30 * MINUTE_NS
        tags = TagTable()
        numbers = tags.announce(
            [Tag(self.meters[name].tag, Kind.FLOAT64, "KWH", "src", counter=True) for name in names]
        )
        ledger = Ledger(folder / FOLDER, self.meters, self.calendar, tags, Clock(self.now))
        ledger.open()
        made = []
        for seq, minute in enumerate(range(2 * 1440 - 30)):
            if 600 <= minute < 660:  # nothing was read for an hour
                continue
            at = np.full(3, self.first + minute * MINUTE_NS, np.int64)
            value = np.array([1000 + minute * 1.5, 50 + minute * 0.9, 70 + minute * 0.5])
            columns = Columns(numbers.astype(np.int32), at, np.round(value, 2), np.zeros(3, np.uint32))
            made.append(Delivery(Batch((columns,), int(at[0])), Epoch(1, 1), seq))
        ledger.book(made, made[-1])
        ledger.close()
        self.app = create_app(View(folder, 0), books=Books(folder, file, lambda: self.now))

    def get(self, path: str, **query: Any) -> Answer:
        start, end = query.pop("start", self.first), query.pop("end", self.first + 1440 * MINUTE_NS)
        words = {"start": start // 10**6, "end": end // 10**6} | query
        text = "&".join(f"{name}={value}" for name, value in words.items())
        return asyncio.run(ask(self.app, f"/api/{path}?{text}"))

    def figures(self, **query: Any) -> Any:
        answer = self.get("energy/figures", **({"subject": "s"} | query))
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


METRICS = ("energy", "cost", "coal_equivalent", "co2", "co2_market")


@pytest.mark.parametrize(
    ("metric", "interval", "subject"),
    list(itertools.product(METRICS, ("15min", "60min", "day"), ("s", "s/hall", "press"))),
)
def test_a_total_is_the_sum_of_its_parts_to_the_last_digit(
    office: Office, metric: str, interval: str, subject: str
) -> None:
    found = office.figures(
        subject=subject, metric=metric, interval=interval, end=office.first + 2 * 1440 * MINUTE_NS
    )
    values = [row["value"] for row in found["rows"]]
    assert values
    assert all(value is not None for value in values[:-2])
    assert sum(Decimal(value) for value in values if value is not None) == Decimal(found["total"]["value"])
    day = office.figures(
        subject=subject, metric=metric, interval="day", end=office.first + 2 * 1440 * MINUTE_NS
    )
    assert day["total"]["value"] == found["total"]["value"]


def test_the_amount_is_what_the_counter_counted(office: Office) -> None:
    found = office.figures(interval="day")
    (row,) = found["rows"]
    assert Decimal(row["value"]) == Decimal(2160)
    assert found["unit"] == "kWh"
    assert Decimal(row["at_least"]) <= Decimal(row["value"]) <= Decimal(row["at_most"])


def test_what_was_not_read_is_estimated_and_says_so(office: Office) -> None:
    found = office.figures(interval="60min")
    hour = found["rows"][10]
    assert hour["estimated"] > 0.9
    assert hour["completeness"] < 0.1
    assert "gap" in hour["flags"]
    assert found["rows"][3] | {"estimated": 0.0, "completeness": 1.0} == found["rows"][3]


def test_intervals_that_have_not_begun_are_no_rows_and_the_running_one_is_whole_so_far(
    office: Office,
) -> None:
    second = office.first + 1440 * MINUTE_NS
    found = office.figures(interval="day", start=second, end=second + 1440 * MINUTE_NS)
    assert len(found["rows"]) == 1
    assert found["total"]["completeness"] > 0.99
    later = office.figures(interval="60min", start=second, end=second + 1440 * MINUTE_NS)
    assert len(later["rows"]) == 24
    tomorrow = second + 1440 * MINUTE_NS
    none = office.figures(interval="60min", start=tomorrow, end=tomorrow + 1440 * MINUTE_NS)
    assert (none["rows"], none["total"]["value"]) == ([], None)


def test_what_was_before_the_first_reading_is_not_known_and_never_0(office: Office) -> None:
    found = office.figures(interval="day", start=office.first - 1440 * MINUTE_NS)
    assert [row["value"] for row in found["rows"]] == [None, "2160.000000"]
    assert found["unknown"] == 1
    assert found["total"]["completeness"] < 0.5


def test_bands_have_no_hole_and_their_kilowatt_hours_and_yuan_are_the_totals(office: Office) -> None:
    found = office.figures(metric="cost", interval="60min")
    for one, other in itertools.pairwise(found["bands"]):
        assert one["end"] == other["start"]
    assert found["bands"][0]["start"] == office.first // 10**6
    assert {each["band"] for each in found["bands"]} == {"peak", "flat", "valley"}
    assert sum(Decimal(each["yuan"]) for each in found["band_costs"]) == Decimal(found["total"]["value"])
    assert sum(Decimal(each["kwh"]) for each in found["band_costs"]) == Decimal(2160)
    assert found["notes"] == ["jiangsu-2025"]


def test_load_is_the_mean_power_and_demand_the_highest_quarter(office: Office) -> None:
    load = office.figures(metric="load", interval="15min", subject="main")
    assert {Decimal(row["value"]) for row in load["rows"]} == {Decimal(90)}
    assert load["unit"] == "kW"
    peak = office.figures(metric="demand", interval="day", subject="main")
    assert Decimal(peak["total"]["value"]) == 90
    assert peak["contract"] == 200


def test_without_prices_and_factors_there_is_what_to_enter_and_no_number(tmp_path: Path) -> None:
    bare = Office(tmp_path, carbon={}, tariff=[{k: v for k, v in TARIFF[0].items() if k != "standing"}])
    cost = bare.figures(metric="cost")
    assert {row["value"] for row in cost["rows"]} == {None}
    assert cost["total"]["value"] is None
    assert any("purchase" in each["en"] or "price" in each["en"].lower() for each in cost["wanted"])
    assert all(each["zh"] != each["en"] for each in cost["wanted"])
    co2 = bare.figures(metric="co2")
    assert co2["total"]["value"] is None
    assert [each["choice"] for each in co2["wanted"]] == ["carbon.electricity"]


def test_a_figure_of_carbon_names_its_factor_with_source_and_year(office: Office) -> None:
    (factor,) = office.figures(metric="co2")["factors"]
    assert factor["row"] == "electricity/jiangsu/2022/average"
    assert factor["source"]
    assert factor["confidence"]


def test_the_report_has_scopes_and_calibres_side_by_side(office: Office) -> None:
    report = office.get("carbon", node="s").json()
    kinds = {each["kind"]: each for each in report["figures"]}
    assert list(kinds) == ["co2_direct", "co2_location", "co2_market", "coal_equivalent", "coal_primary"]
    (line,) = kinds["co2_location"]["lines"]
    assert Decimal(line["amount"]) == 2160
    assert Decimal(kinds["co2_location"]["value"]) == Decimal(line["value"])
    assert kinds["coal_primary"]["value"] is None
    assert [each["choice"] for each in kinds["coal_primary"]["wanted"]] == ["carbon.primary"]
    assert Decimal(kinds["coal_equivalent"]["value"]) == Decimal(2160) * Decimal("0.1229")
    assert (report["days"], report["known"]) == (1, [1])


def test_streams_end_where_they_were_measured_and_the_rest_is_a_stream_of_its_own(office: Office) -> None:
    flows = office.get("energy/flows").json()
    found = {(each["source"], each["target"]): Decimal(each["value"]) for each in flows["flows"]}
    assert found == {
        ("main", "press"): Decimal(1296), ("main", "oven"): Decimal(720), ("main", ""): Decimal(144),
    }  # fmt: skip
    (rest,) = [each for each in flows["flows"] if not each["target"]]
    assert rest["alarm"]
    assert rest["share"] == pytest.approx(144 / 2160)


def test_what_a_virtual_meter_is_made_of_flows_into_it_and_what_it_subtracts_out_of_it(
    tmp_path: Path,
) -> None:
    """main is bought, oven (here a generator) made, press sent out: used = 2160 + 720 − 1296."""
    meters = {
        "main": {"at": "-"},
        "used": {"expression": "main + oven - press", "unaccounted": 5},
        "copy": {"expression": "main", "parent": "used"},
    }
    office = Office(tmp_path, energy={"meters": meters})
    flows = {(each["source"], each["target"]): each for each in office.get("energy/flows").json()["flows"]}
    assert Decimal(flows["main", "used"]["value"]) == 2160
    assert Decimal(flows["oven", "used"]["value"]) == 720
    out = flows["used", "press"]
    assert (Decimal(out["value"]), out["beside"], out["share"]) == (Decimal(1296), True, None)
    assert not flows["main", "used"]["beside"]


def test_many_meters_at_once_are_columns_of_quanta(office: Office) -> None:
    table = office.get("energy/table", start=office.first - 1440 * MINUTE_NS).json()
    assert table["names"] == ["main", "oven", "press"]
    assert table["quanta"][0][0] is None
    assert int(table["quanta"][0][1]) * Fraction(table["quantum"][0]) == 2160


def test_evidence_of_a_figure_holds_its_arithmetic_and_readings(office: Office) -> None:
    told = office.get("energy/evidence", subject="main").json()
    assert Decimal(told["figure"]["amount"]) == 2160
    assert told["terms"][0]["readings"]
    assert len(json.dumps(told)) < 100_000, "only what lies around the boundaries decides"
    off = office.get("energy/evidence", subject="main", start=office.first + MINUTE_NS)
    assert off.status == 422


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("energy/figures", {"subject": "nowhere"}, 404),
        ("energy/figures", {"subject": "s", "medium": "coal"}, 404),
        ("energy/figures", {"subject": "s", "metric": "beauty"}, 422),
        ("energy/figures", {"subject": "s", "interval": "15min", "end": 1_900_000_000 * 10**9}, 200),
        ("energy/figures", {"subject": "s", "interval": "15min", "start": 1_700_000_000 * 10**9}, 422),
        ("energy/figures", {"subject": "s", "start": 5_000_000, "end": 5_000_000}, 422),
        ("carbon", {"node": "nowhere"}, 404),
        ("energy/evidence", {"subject": "nowhere"}, 404),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(
    office: Office, path: str, query: dict[str, Any], status: int
) -> None:
    answer = office.get(path, **query)
    assert answer.status == status, answer.body
    assert status == 200 or answer.json()["detail"]


def test_the_tree_names_places_media_and_meters(office: Office) -> None:
    plant = office.get("energy").json()
    assert [each["path"] for each in plant["places"]] == [
        "s", "s/hall", "s/hall/oven_line", "s/hall/oven_line/oven",
        "s/hall/press_line", "s/hall/press_line/press",
    ]  # fmt: skip
    assert plant["places"][0]["media"] == ["electricity"]
    assert plant["example"] == "jiangsu-2025"
    assert "2026-03-07" in plant["days"]


def test_without_books_or_a_plant_file_the_reason_is_said(tmp_path: Path) -> None:
    app = create_app(View(tmp_path, 0), books=Books(tmp_path, None))
    assert asyncio.run(ask(app, "/api/energy")).status == 503


def test_load_is_not_told_of_an_interval_whose_end_was_not_read(office: Office) -> None:
    second = office.first + 1440 * MINUTE_NS
    now, office.now = office.now, second + 1440 * MINUTE_NS
    try:
        rows = office.figures(metric="load", interval="60min", subject="main", start=second, end=office.now)[
            "rows"
        ]
    finally:
        office.now = now
    # Readings end at 23:29, and half an hour's energy is not an hour's power.
    assert rows[22]["value"] == "90.000"
    assert rows[23]["value"] is None
