"""Today's figures against what the meters of a made-up plant showed, added up here without the books."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from fastapi import FastAPI

from config.energy_meters import meters
from config.load import read_plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import MINUTE_NS, QUARTER_NS
from gateway.energy.query import Query
from gateway.web.carbon import add_carbon
from gateway.web.energy import Desk, add_energy
from gateway.web.energy_books import Books
from gateway.web.energy_cost import bands
from gateway.web.today.days import Days
from gateway.web.today.figures import _hourly_cost, power_now
from gateway.web.today.routes import TodayDesk, add_today, today_of
from tests.asgi import ask
from tests.unit.energy.lab import Clock
from tests.unit.energy.test_page import CARBON, TARIFF

TODAY: Final = date(2026, 3, 12)
"""A Thursday; so was the day a week before, and no holiday is among them."""
LEVEL: Final = {0: 1.2, 1: 1.0, 7: 1.5}
"""How busy the plant was so many days before."""
EVERY: Final = 5
NOW_MIN: Final = 14 * 60 + 7
SHARES: Final = {"main": 1.0, "press": 0.6, "oven": 0.35}
GAS_METER: Final = "gas.gas"
GAS: Final = 0.1
"""Cubic metres to a kilowatt-hour."""
CARBONS: Final = (
    ("coal", 0.1229, 35.588 / 29.3076),
    ("co2", 0.5978, 35.588e-3 * 0.0153 * 0.99 * 44 / 12 * 1000),
)
"""Kilograms of a kilowatt-hour and of a cubic metre, by the plant's choices."""


def kw(minute: int, back: int) -> float:
    """Return the supply's power; the afternoon takes three times what the morning does."""
    return LEVEL.get(back, 0.9) * (100 if minute < 720 else 300)


def kwh(first: int, last: int, back: int) -> float:
    """Return what the supply's meter counted between two minutes of a day."""
    return sum(kw(minute, back) for minute in range(first, last)) / 60


class Office:
    """A supply, two meters behind it and a gas meter, read every five minutes of nine days."""

    def __init__(
        self,
        folder: Path,
        *,
        is_lost: Callable[[str, int, int], bool] = lambda _name, _back, _minute: False,
        is_booked: bool = True,
        **changes: Any,
    ) -> None:
        tags = {"e_import": {"shape": "counter", "unit": "kWh"}}
        devices = {name: {"at": f"hall/{name}_line", "scan": "5min", "tags": tags} for name in SHARES}
        gas = {"gas_total": {"shape": "counter", "unit": "m³"}}
        plant = {
            "gateway": {"id": "g", "site": "s"},
            "sources": {
                "src": {
                    "kind": "simulated",
                    "devices": devices | {"gas": {"at": "hall/gas_line", "scan": "5min", "tags": gas}},
                }
            },
            "energy": {
                "meters": {
                    "main": {"at": "-", "contract": 500},
                    "press": {"parent": "main", "title": "冲压"},
                    "oven": {"parent": "main"},
                }
            },
            "tariff": TARIFF,
            "calendar": {"major_holidays": ["spring_festival"]},
            "carbon": CARBON
            | {
                "media": {
                    "natural_gas": [
                        {"set": "cn-guide-a", "lhv": 35.588, "per": "m³", "source": "example"}
                    ]
                }
            },
        } | changes  # fmt: skip
        plant = {name: each for name, each in plant.items() if each is not None}
        file = folder / "plant.yaml"
        file.write_text(json.dumps(plant, ensure_ascii=False))
        outcome = read_plant(file)
        assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
        found, calendar = meters(outcome.plant), calendar_of_plant(outcome.plant)
        self.midnight = calendar.midnight(TODAY)
        self.now = self.midnight + NOW_MIN * MINUTE_NS
        self.folder = folder
        if is_booked:
            self._book(folder, found, calendar, is_lost)
        self.books = Books(folder, file, lambda: self.now)
        self.app, desk = FastAPI(), Desk(self.books)
        add_today(self.app, TodayDesk(desk))
        for add in (add_energy, add_carbon):
            add(self.app, desk)

    def _book(self, folder: Path, found: Any, calendar: Any, is_lost: Any) -> None:
        tags = TagTable()
        names = [name for name in (*SHARES, GAS_METER) if name in found]
        numbers = tags.announce(
            [
                Tag(found[name].tag, Kind.FLOAT64, "MTQ" if name == GAS_METER else "KWH", "src", counter=True)
                for name in names
            ]
        )
        ledger = Ledger(folder / FOLDER, found, calendar, tags, Clock(self.now))
        ledger.open()
        moments, totals, total = [], [], 1000.0
        for back in range(8, -1, -1):
            for minute in range(0, 1440 if back else NOW_MIN, EVERY):
                if back in LEVEL or minute % 60 == 0:  # fewer readings of days nobody asks for
                    moments.append((back, minute))
                    totals.append(total)
                total += sum(kw(each, back) for each in range(minute, minute + EVERY)) / 60
        begins = [calendar.midnight(TODAY - timedelta(days=back)) for back in range(9)]
        made = []
        for seq, (name, number) in enumerate(zip(names, numbers.tolist(), strict=True)):
            kept = [i for i, moment in enumerate(moments) if not is_lost(name, *moment)]
            at = np.array([begins[moments[i][0]] + moments[i][1] * MINUTE_NS for i in kept], np.int64)
            value = np.round(np.array([totals[i] for i in kept]) * SHARES.get(name, GAS), 3)
            columns = Columns(np.full(len(kept), number, np.int32), at, value, np.zeros(len(kept), np.uint32))
            if kept:
                made.append(Delivery(Batch((columns,), self.now), Epoch(1, 1), seq))
        ledger.book(made, made[-1])
        ledger.close()

    def get(self, path: str, status: int = 200) -> Any:
        answer = asyncio.run(ask(self.app, f"/api/{path}"))
        assert answer.status == status, answer.body
        return answer.json()

    def today(self) -> Any:
        """Return the whole answer; on a busy machine the first one lacks something."""
        return self.whole("today")

    def whole(self, path: str) -> Any:
        """Ask until nothing is pending, as a page does."""
        told = self.get(path)
        while told["is_pending"]:
            told = self.get(path)
        return told

    def figure(self, name: str) -> Any:
        return next(each for each in self.today()["figures"] if each["name"] == name)

    def energy(self, metric: str) -> Any:
        """Return what the energy view says of the same day."""
        first = self.midnight // 10**6
        return self.get(
            f"energy/figures?subject=s&metric={metric}&interval=day&start={first}&end={first + 86_400_000}"
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("today"))


LAST_QUARTER: Final = 14 * 60
BEFORE: Final = {"yesterday": 1, "weekday": 7}


def test_energy_today_is_what_the_meter_counted_since_midnight(office: Office) -> None:
    found = office.figure("energy")
    assert float(found["value"]) == pytest.approx(kwh(0, NOW_MIN - NOW_MIN % EVERY, 0), abs=0.01)
    assert (found["unit"], found["start"]) == ("kWh", office.midnight // 10**6)


def test_energy_is_compared_up_to_the_same_time_of_day_with_yesterday_and_the_same_weekday(
    office: Office,
) -> None:
    found = office.figure("energy")
    assert found["until"] == office.midnight // 10**6 + LAST_QUARTER * 60_000
    assert float(found["so_far"]) == pytest.approx(kwh(0, LAST_QUARTER, 0), abs=0.01)
    for against in found["against"]:
        back = BEFORE[against["day"]]
        assert float(against["value"]) == pytest.approx(kwh(0, LAST_QUARTER, back), abs=0.01)
        assert against["part"] == pytest.approx(LEVEL[0] / LEVEL[back] - 1, abs=1e-4)


@pytest.mark.parametrize("name", ["energy", "cost", "coal", "co2"])
def test_a_quarter_read_for_a_part_of_its_time_is_compared_with_no_whole_one(
    tmp_path: Path, name: str
) -> None:
    # The quarter from 13:45 is over; the newest readings are of 13:50.
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back == 0 and minute > 13 * 60 + 50)
    figure = found.figure(name)
    assert figure["until"] == found.midnight // 10**6 + (13 * 60 + 45) * 60_000
    for against in figure["against"]:
        assert against["part"] == pytest.approx(LEVEL[0] / LEVEL[BEFORE[against["day"]]] - 1, abs=1e-4)


def test_a_mean_of_a_part_of_an_hour_is_no_mean_of_it(tmp_path: Path) -> None:
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back == 0 and minute > 13 * 60 + 58)
    first = found.midnight // 10**6
    told = found.get(
        f"energy/figures?subject=s&metric=load&interval=60min&start={first}&end={first + 86_400_000}"
    )
    rows = [row["value"] for row in told["rows"]]
    assert float(rows[12]) == pytest.approx(kw(12 * 60, 0), abs=0.5)
    assert rows[13] is None


@pytest.mark.parametrize("name", ["cost", "coal", "co2"])
def test_what_follows_the_energy_differs_as_it_does(office: Office, name: str) -> None:
    # On days of the same hours and factors these are in proportion to the energy, whatever price or factor.
    for against in office.figure(name)["against"]:
        assert against["part"] == pytest.approx(LEVEL[0] / LEVEL[BEFORE[against["day"]]] - 1, abs=1e-3)


def test_power_now_is_the_mean_of_the_newest_readings_and_stands_against_the_same_quarter(
    office: Office,
) -> None:
    found = office.figure("power")
    assert float(found["value"]) == pytest.approx(kw(NOW_MIN, 0), abs=0.1)
    assert found["end"] == office.midnight // 10**6 + (NOW_MIN - NOW_MIN % EVERY) * 60_000
    for against in found["against"]:
        assert float(against["value"]) == pytest.approx(kw(NOW_MIN, BEFORE[against["day"]]), abs=0.1)


def test_what_an_hour_takes_now_is_told_of_all_media(office: Office) -> None:
    assert float(office.figure("energy")["hourly"]) == pytest.approx(kw(NOW_MIN, 0), abs=0.1)
    assert office.figure("power")["hourly"] is None
    for name, electricity, gas in CARBONS:
        found = office.figure(name)
        per_kwh = electricity + GAS * gas
        assert float(found["hourly"]) == pytest.approx(kw(NOW_MIN, 0) * per_kwh, rel=0.001), name
        assert found["hourly_without"] == []


def _lost_since(name: str, hour: int) -> Callable[[str, int, int], bool]:
    return lambda meter, back, minute: (meter, back) == (name, 0) and minute > hour * 60


@pytest.mark.parametrize(
    ("lost", "gas_scan", "left_out"),
    [
        (_lost_since(GAS_METER, 13), "5min", ["natural_gas"]),
        (lambda meter, back, at: (meter, back) == (GAS_METER, 0) and 760 < at < 845, "5min", ["natural_gas"]),
        (_lost_since("", 0), "1h", ["natural_gas"]),
        (_lost_since("main", 12), "5min", ["electricity"]),
        (_lost_since("main", 12), "1h", ["electricity", "natural_gas"]),
    ],
    ids=["gas is lost", "gas has just come back", "gas is read seldom", "electricity is lost", "both"],
)
def test_a_medium_whose_meter_tells_no_rate_is_left_out_of_now_and_named(
    tmp_path: Path, lost: Any, gas_scan: str, left_out: list[str]
) -> None:
    tags = {"e_import": {"shape": "counter", "unit": "kWh"}}
    devices: dict[str, Any] = {
        name: {"at": f"hall/{name}_line", "scan": "5min", "tags": tags} for name in SHARES
    }
    gas = {"gas_total": {"shape": "counter", "unit": "m³"}}
    devices["gas"] = {"at": "hall/gas_line", "scan": gas_scan, "tags": gas}
    office = Office(tmp_path, is_lost=lost, sources={"src": {"kind": "simulated", "devices": devices}})
    for name, electricity, of_gas in CARBONS:
        found = office.figure(name)
        assert [each["name"] for each in found["hourly_without"]] == left_out
        assert {each["zh"] for each in found["hourly_without"]} <= {"电（受入）", "天然气"}
        if len(left_out) == 2:
            assert found["hourly"] is None
            continue
        per_kwh = electricity if left_out == ["natural_gas"] else GAS * of_gas
        assert float(found["hourly"]) == pytest.approx(kw(NOW_MIN, 0) * per_kwh, rel=0.001), name


def test_the_cost_of_an_hour_is_told_by_the_last_quarters_price_unless_the_price_has_changed_since(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    accounts = office.books.accounts()
    midnight = office.midnight
    changed = bands(accounts, midnight, midnight + NOW_MIN * MINUTE_NS)[1].start * 10**6
    for minutes, is_told in ((-11, True), (4, False), (19, True)):
        office.now = changed + minutes * MINUTE_NS
        days = Days(accounts)
        days.begin()
        hourly = _hourly_cost(days, days.cost())
        assert (hourly is not None) == is_told, minutes
        if hourly is not None:
            first = (office.now // QUARTER_NS - 1) * QUARTER_NS // 10**6
            asked = f"interval=15min&start={first}&end={first + 900_000}"
            yuan, kwh = (
                float(office.get(f"energy/figures?subject=s&metric={each}&{asked}")["total"]["value"])
                for each in ("cost", "energy")
            )
            power = power_now(days)
            assert power is not None
            assert float(hourly) == pytest.approx(float(power) * yuan / kwh, rel=0.01)


def test_electricity_alone_tells_coal_and_carbon_of_now(tmp_path: Path) -> None:
    tags = {"e_import": {"shape": "counter", "unit": "kWh"}}
    devices = {name: {"at": f"hall/{name}_line", "scan": "5min", "tags": tags} for name in SHARES}
    office = Office(tmp_path, sources={"src": {"kind": "simulated", "devices": devices}})
    power, energy = float(office.figure("power")["value"]), float(office.figure("energy")["so_far"])
    for name in ("coal", "co2"):
        found = office.figure(name)
        of_a_kwh = float(found["so_far"]) / energy
        assert float(found["hourly"]) == pytest.approx(power * of_a_kwh, rel=0.001), name


def test_energy_and_cost_are_the_energy_views_to_the_last_digit(office: Office) -> None:
    for name in ("energy", "cost"):
        assert office.figure(name)["value"] == office.energy(name)["total"]["value"]


def test_coal_and_carbon_are_the_carbon_views_of_all_media_to_the_gram(office: Office) -> None:
    first = office.midnight // 10**6
    told = office.get(f"carbon?node=s&start={first}&end={first + 86_400_000}")
    assert office.figure("co2")["value"] == told["total_location"]
    kinds = {each["kind"]: each["value"] for each in told["figures"]}
    assert office.figure("coal")["value"] == kinds["coal_equivalent"]
    # Gas is in it: electricity alone would be less.
    assert float(office.figure("co2")["value"]) > float(kinds["co2_location"]) > 0


def test_the_curve_is_the_energy_views_load_with_yesterdays_and_the_bands(office: Office) -> None:
    told = office.whole("today/curve")
    rows = told["today"]["rows"]
    for row in rows[: LAST_QUARTER // 15]:
        minute = (row["start"] - office.midnight // 10**6) // 60_000
        assert float(row["value"]) == pytest.approx(kw(minute, 0), abs=0.2)
    assert len(told["yesterday"]["rows"]) == 96
    assert float(told["yesterday"]["rows"][-1]["value"]) == pytest.approx(kw(1439, 1), abs=0.2)
    assert {each["band"] for each in told["today"]["bands"]} >= {"peak", "flat", "valley"}


def test_demand_stands_against_the_contract_with_the_highest_quarter_of_the_billing_month(
    office: Office,
) -> None:
    (found,) = office.today()["demands"]
    assert (found["subject"], found["limit"], found["limit_by"]) == ("main", "500.000", "meter")
    assert found["is_forecast"]
    assert float(found["present"]) == pytest.approx(kw(NOW_MIN, 0), abs=0.5)
    # A week ago was the busiest day of the month.
    assert float(found["highest"]) == pytest.approx(kw(1439, 7), abs=0.5)
    used = kwh(LAST_QUARTER, NOW_MIN - NOW_MIN % EVERY, 0)
    left = 15 - (NOW_MIN - NOW_MIN % EVERY) % 15
    assert float(found["may_use"]) == pytest.approx((500 / 4 - used) * 60 / left, rel=0.01)


def test_the_largest_consumers_come_first_with_their_share_of_the_supply(office: Office) -> None:
    told = office.today()
    assert [each["meter"] for each in told["consumers"]] == ["press", "oven"]
    assert [each["part"] for each in told["consumers"]] == pytest.approx([0.6, 0.35], abs=1e-4)
    assert (told["consumers"][0]["title"], told["metered"]) == ("冲压", 2)


def test_consumers_share_what_is_used_own_generation_with_it_not_what_was_bought(tmp_path: Path) -> None:
    behind: dict[str, Any] = {name: {"parent": "used"} for name in ("press", "oven")}
    # As though a generator gave what the press takes: sixteen tenths of the supply are used.
    behind |= {"main": {"at": "-"}, "used": {"expression": "main + press"}}
    told = Office(tmp_path, energy={"meters": behind}).today()
    assert [each["part"] for each in told["consumers"]] == pytest.approx([0.6 / 1.6, 0.35 / 1.6], abs=1e-4)


MADE: Final = {
    "press": {"medium": "electricity_generation"},
    "oven": {"medium": "electricity_export", "at": "-"},
}
"""The press's counter is taken for a generator's, the oven's for what the supply's meter counts outwards."""


def own(found: Office) -> tuple[Any, float]:
    """Return what is said beside the energy of today, and that energy."""
    told = found.today()
    energy = next(each for each in told["figures"] if each["name"] == "energy")
    return told["own"], float(energy["value"])


def test_beside_own_generation_it_says_what_was_taken_made_fed_in_and_used(tmp_path: Path) -> None:
    office = Office(tmp_path, energy={"meters": {"main": {"at": "-"}} | MADE})
    for name, electricity, gas in CARBONS:  # own generation has neither coal nor carbon
        now = float(office.figure(name)["hourly"])
        assert now == pytest.approx(kw(NOW_MIN, 0) * (electricity + GAS * gas), rel=0.001)
    told, energy = own(office)
    assert energy == pytest.approx(kwh(0, NOW_MIN - NOW_MIN % EVERY, 0), rel=0.01)
    assert told["measures"] == "taken"
    assert float(told["generated"]) == pytest.approx(energy * 0.6, rel=1e-3)
    assert float(told["fed_in"]) == pytest.approx(energy * 0.35, rel=1e-3)
    added = Decimal(told["generated"]) - Decimal(told["fed_in"])
    assert Decimal(told["other"]) == Decimal(f"{energy:.6f}") + added
    assert (told["is_generation_metered"], told["is_feed_in_metered"], told["doubts"]) == (True, True, [])


def test_where_a_virtual_meter_measures_the_site_its_figure_is_what_was_used(tmp_path: Path) -> None:
    behind: dict[str, Any] = MADE | {"used": {"expression": "main + press - oven", "at": "-"}}
    told, energy = own(Office(tmp_path, energy={"meters": behind}))
    assert told["measures"] == "used"
    assert energy == pytest.approx(kwh(0, NOW_MIN - NOW_MIN % EVERY, 0) * 1.25, rel=0.01)
    assert float(told["other"]) == pytest.approx(energy / 1.25, rel=1e-3)
    added = Decimal(told["generated"]) - Decimal(told["fed_in"])
    assert Decimal(told["other"]) == Decimal(f"{energy:.6f}") - added


def test_what_is_not_metered_or_not_known_is_never_added_up(tmp_path: Path) -> None:
    for name in ("no_export", "gap", "no_generation", "net"):
        (tmp_path / name).mkdir()
    meters = {"main": {"at": "-"}, "press": MADE["press"], "oven": {"parent": "main"}}
    told, _ = own(Office(tmp_path / "no_export", energy={"meters": meters}))
    assert (told["other"], told["fed_in"], told["is_feed_in_metered"]) == (None, None, False)
    assert told["generated"] is not None
    # The inverter was first heard two hours ago.
    late = Office(
        tmp_path / "gap",
        is_lost=lambda name, back, minute: name == "press" and (back > 0 or minute < 720),
        energy={"meters": {"main": {"at": "-"}} | MADE},
    )
    told, _ = own(late)
    assert (told["other"], told["generated"] is None) == (None, False)
    fed = {"main": {"at": "-"}, "press": {"parent": "main"}, "oven": MADE["oven"]}
    told, _ = own(Office(tmp_path / "no_generation", energy={"meters": fed}))
    assert (told["other"], told["is_generation_metered"], told["measures"]) == (None, False, "taken")
    net: dict[str, Any] = MADE | {"supply": {"expression": "main - oven", "at": "-"}}
    told, _ = own(Office(tmp_path / "net", energy={"meters": net}))
    assert (told["other"], told["generated"] is None, told["fed_in"] is None) == (None, False, False)


def test_without_own_generation_nothing_is_said_beside_it(office: Office) -> None:
    assert office.today()["own"] is None


def test_a_meter_others_hang_behind_is_no_consumer(tmp_path: Path) -> None:
    behind = {"main": {"at": "-"}, "press": {"parent": "main"}, "oven": {"parent": "press"}}
    told = Office(tmp_path, energy={"meters": behind}).today()
    assert ([each["meter"] for each in told["consumers"]], told["metered"]) == (["oven"], 1)


def test_carbon_is_compared_where_every_medium_is_known_on_both_days(tmp_path: Path) -> None:
    # A week ago the electricity meters were first read an hour after the gas meter.
    found = Office(
        tmp_path,
        is_lost=lambda name, back, minute: name in SHARES and (back > 7 or (back == 7 and minute < 60)),
    )
    for name in ("coal", "co2"):
        weekday = found.figure(name)["against"][1]
        assert weekday["part"] == pytest.approx(LEVEL[0] / LEVEL[7] - 1, abs=1e-3)


def test_without_a_tariff_a_factor_or_a_limit_it_says_what_to_enter_and_no_zero(tmp_path: Path) -> None:
    bare = Office(
        tmp_path,
        tariff=None,
        carbon=None,
        energy={"meters": {"main": {"at": "-"}, "press": {"parent": "main"}, "oven": {"parent": "main"}}},
    )
    told = bare.today()
    lacks = {each["name"]: [one["choice"] for one in each["wanted"]] for each in told["figures"]}
    values = {each["name"]: each["value"] for each in told["figures"]}
    assert (values["cost"], values["co2"]) == (None, None)
    assert lacks["cost"] == ["tariff"]
    assert "carbon.electricity" in lacks["co2"]
    (demand,) = told["demands"]
    assert (demand["limit"], demand["wanted"][0]["choice"]) == (None, "energy.meters")
    assert float(demand["present"]) == pytest.approx(kw(NOW_MIN, 0), abs=0.5)
    assert bare.whole("today/curve")["today"]["bands"] == []


def test_the_tariffs_declared_demand_is_the_limit_where_no_meter_has_one(tmp_path: Path) -> None:
    declared = TARIFF[0] | {
        "contract": {
            "use": "industry",
            "capacity_kva": 1000,
            "charge": "demand",
            "demand_kw": 420,
            "excess_above": 1.05,
            "excess_times": 2,
        }
    }
    found = Office(tmp_path, tariff=[declared], energy={"meters": {"main": {"at": "-"}}})
    (demand,) = found.today()["demands"]
    assert (demand["subject"], demand["limit"], demand["limit_by"]) == ("s", "420.000", "tariff")


def test_a_day_of_which_too_little_is_known_is_compared_with_nothing(tmp_path: Path) -> None:
    # The gateway was installed yesterday at eight.
    young = Office(tmp_path, is_lost=lambda _name, back, minute: back > 1 or (back == 1 and minute < 480))
    for name in ("energy", "cost", "coal", "co2"):
        assert [each["value"] for each in young.figure(name)["against"]] == [None, None], name


def test_a_gap_of_today_is_told_by_its_shares(tmp_path: Path) -> None:
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back == 0 and 360 <= minute < 660)
    energy = found.figure("energy")
    assert energy["measured"] < 0.95
    assert energy["measured"] + energy["estimated"] + energy["manual"] == pytest.approx(1)
    assert found.figure("co2")["measured"] == pytest.approx(energy["measured"], abs=0.01)


def test_a_supply_that_went_silent_has_no_power_now(tmp_path: Path) -> None:
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back == 0 and minute > 12 * 60)
    power = found.figure("power")
    assert power["value"] is None
    assert found.today()["demands"][0]["present"] is None


def test_a_quarter_of_an_hour_ago_the_last_quarters_mean_stands_for_the_power(tmp_path: Path) -> None:
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back == 0 and minute > 13 * 60 + 45)
    power = found.figure("power")
    assert power["end"] - power["start"] == 900_000
    assert power["end"] == found.midnight // 10**6 + (13 * 60 + 45) * 60_000
    assert float(power["value"]) == pytest.approx(kw(13 * 60, 0), abs=0.5)


def test_before_anything_is_booked_the_figures_are_empty_and_no_zero(tmp_path: Path) -> None:
    told = Office(tmp_path, is_booked=False).today()
    assert (told["has_meters"], told["is_booked"], told["is_pending"]) == (True, False, False)
    assert [each["value"] for each in told["figures"]] == [None] * 5


def test_a_plant_without_meters_says_so_and_reads_no_books(tmp_path: Path) -> None:
    plain = {"src": {"kind": "simulated", "devices": {"d": {"at": "a/l", "tags": {"x": {"shape": "sine"}}}}}}
    found = Office(tmp_path, is_booked=False, sources=plain, energy={}, tariff=None, carbon=None)
    told = found.today()
    assert (told["has_meters"], told["figures"], told["demands"]) == (False, [], [])


def test_without_an_electricity_meter_it_says_how_to_have_one(tmp_path: Path) -> None:
    gas = {"gas_total": {"shape": "counter", "unit": "m³"}}
    only = {
        "src": {"kind": "simulated", "devices": {"gas": {"at": "hall/gas_line", "scan": "5min", "tags": gas}}}
    }
    found = Office(tmp_path, sources=only, energy={}, tariff=None)
    told = {each["name"]: each for each in found.today()["figures"]}
    assert told["energy"]["wanted"][0]["choice"] == "energy.meters"
    assert float(told["co2"]["value"]) > 0
    assert found.whole("today/curve")["today"] is None


class Slow(Query):
    """Each question takes 0.7 seconds of a clock of its own."""

    clock = 0.0

    def energy(self, *asked: Any) -> Any:
        found = super().energy(*asked)
        self.clock += 0.7
        return found

    def pieces(self, *asked: Any) -> Any:
        found = super().pieces(*asked)
        self.clock += 0.7
        return found


def test_a_large_plants_first_answer_goes_out_after_a_second_and_the_next_ones_fill_it(
    office: Office,
) -> None:
    accounts = office.books.accounts()
    query = Slow(office.folder / FOLDER, accounts.query.meters, accounts.query.calendar)
    slow = Days(replace(accounts, query=query), lambda: query.clock)
    answers = []
    while not answers or answers[-1].is_pending:
        begun = query.clock
        slow.begin()
        answers.append(today_of(slow))
        assert query.clock - begun < 1.0 + 0.7 * 3  # standard coal and carbon read three media at once
    assert 2 < len(answers) < 15
    assert len(answers[0].figures) < 5
    assert [each.name for each in answers[-1].figures] == ["power", "energy", "cost", "coal", "co2"]


def test_a_day_with_holes_is_read_again_soon_for_a_backlog_may_fill_it(tmp_path: Path) -> None:
    found = Office(tmp_path, is_lost=lambda _name, back, minute: back > 1 or (back == 1 and minute < 480))
    accounts, now = found.books.accounts(), [0.0]
    query = Counted(found.folder / FOLDER, accounts.query.meters, accounts.query.calendar)
    kept = Days(replace(accounts, query=query), lambda: now[0])
    asked = []
    for now[0] in (0.0, 30.0):
        kept.begin()
        query.asked = 0
        kept.quarters(1)
        kept.quarters(0)
        asked.append(query.asked)
    assert asked == [2, 2]


def test_a_day_that_is_over_and_known_is_kept_for_minutes(office: Office) -> None:
    accounts, now = office.books.accounts(), [0.0]
    query = Counted(office.folder / FOLDER, accounts.query.meters, accounts.query.calendar)
    kept = Days(replace(accounts, query=query), lambda: now[0])
    for now[0] in (0.0, 30.0, 500.0, 700.0):
        kept.begin()
        kept.quarters(1)
    assert query.asked == 2


class Counted(Query):
    """Counts the questions."""

    asked = 0

    def energy(self, *asked: Any) -> Any:
        self.asked += 1
        return super().energy(*asked)


def test_twenty_browsers_cost_one_reading(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    first = office.today()
    monkeypatch.setattr("gateway.energy.query.connect_for_reading", lambda *_, **__: pytest.fail("read"))
    assert [office.today() for _ in range(20)] == [first] * 20
