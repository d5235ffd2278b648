"""What a figure of cost says of itself: open questions, months in part, shares, and many meters at once."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gateway.energy
from config.bands import BANDS
from config.problems import Phrase, catalogue
from gateway.energy.pricing.basic import BillFacts
from gateway.energy.pricing.cost import Cost, Energy, cost, costs
from gateway.energy.pricing.power_factor import Reactive
from gateway.energy.pricing.prices import price_of
from gateway.energy.pricing.timetable import local_midnight, timetable
from tests.unit.tariff.plans import CONTRACT, ENTRY, HALF_HOUR, PRICES, SHANGHAI, plan

APRIL = (date(2026, 4, 1), date(2026, 5, 1))
MODULES = sorted(Path(gateway.energy.__file__).parent.rglob("*.py"))


def priced(entry: dict[str, Any], days: tuple[date, date] = APRIL, **facts: Any) -> Cost:
    start, end = (local_midnight(day, SHANGHAI) for day in days)
    times = np.arange(start, end, HALF_HOUR)
    return cost(
        timetable(plan(entry), start, end), Energy(times, HALF_HOUR, np.ones(len(times), int)), **facts
    )


def with_contract(**contract: Any) -> dict[str, Any]:
    return {**ENTRY, "contract": CONTRACT | contract, "standing": PRICES | {"capacity": 30, "demand": 48}}


def notes(found: Cost) -> list[str]:
    return [each.code for each in found.open]


def test_a_sub_meter_has_no_basic_charge() -> None:
    assert {line.unit for line in priced(with_contract()).lines} == {"kWh"}


def test_a_part_of_a_month_has_no_basic_charge_and_says_so() -> None:
    found = priced(with_contract(), (date(2026, 4, 2), date(2026, 5, 1)), basic=True)
    assert notes(found) == ["E-TF-0009"]
    assert {line.unit for line in found.lines} == {"kWh"}


def test_two_months_and_a_part_have_two_basic_charges() -> None:
    found = priced(with_contract(), (date(2026, 4, 1), date(2026, 6, 10)), basic=True)
    assert [line.month for line in found.lines if line.item == "capacity"] == ["2026-04", "2026-05"]
    assert notes(found) == ["E-TF-0009"]


def test_a_month_in_which_the_entry_changes_has_no_basic_charge_and_says_so() -> None:
    start, end = (local_midnight(day, SHANGHAI) for day in APRIL)
    its = plan(with_contract(), with_contract() | {"from": "2026-04-16"})
    times = np.arange(start, end, HALF_HOUR)
    energy = Energy(times, HALF_HOUR, np.ones(len(times), int))
    assert notes(cost(timetable(its, start, end), energy, basic=True)) == ["E-TF-0010"]


def test_a_maximum_demand_that_is_not_known_leaves_the_total_open() -> None:
    found = priced(with_contract(charge="demand"), basic=True)
    assert notes(found) == ["E-TF-0006"]
    assert found.yuan is None
    assert found.known_yuan > 0


@pytest.mark.parametrize(
    ("contract", "reactive", "reason"),
    [
        ({}, None, "reactive"),
        ({}, Reactive(Decimal(5), Decimal(1)), "reverse"),
        ({"reverse_reactive": "added"}, Reactive(Decimal(5), Decimal(1)), None),
        ({"reverse_reactive": "ignored"}, Reactive(Decimal(5), Decimal(1)), None),
    ],
)
def test_an_adjustment_that_can_not_be_computed_says_why(
    contract: dict[str, Any], reactive: Reactive | None, reason: str | None
) -> None:
    given = {} if reactive is None else {"2026-04": reactive}
    found = priced(with_contract(power_factor=0.9, **contract), basic=True, reactive=given)
    said = [each.args["reason"].key.rpartition(".")[2] for each in found.open]
    assert said == ([] if reason is None else [reason])
    assert (found.yuan is None) == (reason is not None)


def test_reactive_energy_fed_back_counts_as_the_contract_says() -> None:
    """1440 kWh; with 1080 kvarh taken 1440 / 1800 = 0.80; with 360 fed back as well 1440 / 2036 = 0.71."""
    reactive = {"2026-04": Reactive(Decimal(1080), Decimal(360))}
    for says, percent in (("ignored", "5"), ("added", "9.5")):
        entry = with_contract(power_factor=0.9, reverse_reactive=says)
        (line,) = [each for each in priced(entry, basic=True, reactive=reactive).lines if each.unit == "%"]
        assert line.quantity == Decimal(percent)


def test_funds_are_no_part_of_what_is_adjusted() -> None:
    found = priced(with_contract(power_factor=0.9), basic=True, reactive={"2026-04": Reactive(Decimal(1440))})
    (line,) = [each for each in found.lines if each.unit == "%"]
    others = [each.yuan for each in found.lines if each.item not in ("funds", "power_factor")]
    assert line.price == sum(others)


def test_an_adjustment_of_whole_prices_needs_their_funds() -> None:
    prices = {"energy": {"peak": 1.0, "flat": 0.6, "valley": 0.3}, "capacity": 30}
    entry = with_contract(power_factor=0.9) | {"standing": prices}
    reactive = {"2026-04": Reactive(Decimal(10))}
    found = priced(entry, basic=True, reactive=reactive)
    assert [each.args["reason"].key for each in found.open] == ["tariff.no_adjustment.funds"]
    found = priced(entry | {"standing": prices | {"funds": 0.03}}, basic=True, reactive=reactive)
    assert found.yuan is not None


def test_a_price_that_is_missing_is_named_once_with_its_month() -> None:
    found = priced({**ENTRY, "standing": {name: PRICES[name] for name in PRICES if name != "system"}})
    (note,) = found.open
    assert (note.code, note.args["month"]) == ("E-TF-0005", "2026-04")
    assert "system" in note.text("en")
    assert "系统运行费用" in note.text("zh")
    assert found.yuan is None


def test_the_price_of_each_band_that_is_missing_is_named() -> None:
    prices = {name: PRICES[name] for name in PRICES if name != "purchase"} | {
        "purchase_by_band": {"flat": 0.4}
    }
    found = priced({**ENTRY, "standing": prices})
    assert sorted(each.args["part"].key for each in found.open) == [
        "tariff.asked.purchase.peak",
        "tariff.asked.purchase.valley",
    ]


def test_many_meters_cost_what_each_costs_alone() -> None:
    start, end = (local_midnight(day, SHANGHAI) for day in (date(2026, 7, 1), date(2026, 8, 1)))
    times = np.arange(start, end, HALF_HOUR)
    load = np.random.default_rng(3).integers(0, 10_000, (5, len(times)))
    estimated = load // 3
    table = timetable(plan(), start, end)
    together = costs(table, Energy(times, HALF_HOUR, load, Decimal("0.01"), estimated))
    for row in range(5):
        assert together[row] == cost(
            table, Energy(times, HALF_HOUR, load[row], Decimal("0.01"), estimated[row])
        )
        assert together[row].shares["estimated"] == Decimal(int(estimated[row].sum())) / 100


def test_facts_are_those_of_each_row() -> None:
    start, end = (local_midnight(day, SHANGHAI) for day in APRIL)
    times = np.arange(start, end, HALF_HOUR)
    facts = [BillFacts({"2026-04": Decimal(kw)}) for kw in (10, 20)]
    table = timetable(plan(with_contract(charge="demand")), start, end)
    found = costs(table, Energy(times, HALF_HOUR, np.ones((2, len(times)), int)), facts=facts)
    assert [line.quantity for each in found for line in each.lines if line.item == "demand"] == [10, 20]


def test_no_energy_at_all_costs_nothing() -> None:
    start, end = (local_midnight(day, SHANGHAI) for day in APRIL)
    none = np.array([], np.int64)
    found = cost(timetable(plan(), start, end), Energy(none, HALF_HOUR, none))
    assert (found.kwh, found.yuan, found.lines) == (0, 0, ())


def test_prices_are_exact_whatever_their_digits() -> None:
    entry = {**ENTRY, "standing": PRICES | {"purchase": 0.412345678901234}}
    found = price_of(plan(entry).terms[0], "2026-07", "sharp")
    assert found.parts["purchase"] == Decimal("0.412345678901234") * Decimal("2.16")


def test_every_code_and_reason_of_the_books_has_its_words_in_both_languages() -> None:
    text = "\n".join(file.read_text("utf-8") for file in MODULES)
    used = set(re.findall(r"[EW]-TF-\d{4}", text))
    known = {key for key in catalogue() if re.fullmatch(r"[EW]-TF-\d{4}", key)}
    assert used == known
    for group, pattern in (
        ("invoice.reason.", r'Reason\(\s*"(\w+)"'),
        ("tariff.no_adjustment.", r'reason = "(\w+)"'),
    ):
        said = {f"{group}{each}" for each in re.findall(pattern, text)}
        assert said == {key for key in catalogue() if key.startswith(group)}


def test_bands_are_called_as_on_the_invoice() -> None:
    assert [Phrase(f"band.{band}").text("zh") for band in BANDS] == ["尖", "峰", "平", "谷", "深谷"]
    assert [Phrase(f"band.{band}").text("en") for band in BANDS] == [
        "sharp",
        "peak",
        "flat",
        "valley",
        "deep valley",
    ]


def test_a_months_own_way_of_pricing_takes_the_place_of_the_standing_one() -> None:
    standing = {"energy": {"peak": 1.0, "flat": 0.6, "valley": 0.3}, "funds": 0.03}
    months = {
        "2026-04": {name: PRICES[name] for name in PRICES if name != "funds"},
        "2026-05": {"energy": {"flat": 0.7}},
        "2026-06": {"system": None},
    }
    terms = plan({**ENTRY, "standing": standing, "prices": months}).terms[0]
    assert price_of(terms, "2026-04", "flat").parts["purchase"] == Decimal("0.4")
    assert price_of(terms, "2026-05", "flat").total == Decimal("0.7")
    assert price_of(terms, "2026-05", "peak").total is None
    assert price_of(terms, "2026-06", "peak").total == Decimal(1)


def test_nothing_is_rounded_before_the_line_is() -> None:
    """(10^15 + 1) × 0.00499999999999999 = 4999999999999.99499999999999999: 30 digits, a hair below a half."""
    prices = dict.fromkeys(PRICES, 0) | {"purchase": 0.00499999999999999}
    start = local_midnight(date(2026, 4, 1), SHANGHAI)
    energy = Energy(np.array([start]), HALF_HOUR, np.array([10**15 + 1]))
    found = cost(timetable(plan({**ENTRY, "standing": prices}), start, start + HALF_HOUR), energy)
    assert found.yuan == Decimal("4999999999999.99")


def test_intervals_that_were_not_handed_over_are_missing_on_a_bill_and_stop_the_adjustment() -> None:
    start, end = (local_midnight(day, SHANGHAI) for day in APRIL)
    times = np.arange(start, end, HALF_HOUR)[5:]
    entry, facts = with_contract(power_factor=0.9), {"2026-04": Reactive(Decimal(5))}
    energy = Energy(times, HALF_HOUR, np.ones(len(times), int))
    table = timetable(plan(entry), start, end)
    found = cost(table, energy, reactive=facts, basic=True)
    assert found.missing == 5
    assert notes(found) == ["E-TF-0007", "E-TF-0008"]
    assert cost(table, energy).missing == 0


def test_intervals_that_overlap_are_refused() -> None:
    start = local_midnight(date(2026, 4, 1), SHANGHAI)
    table = timetable(plan(), start, start + 4 * HALF_HOUR)
    for second in (start, start + HALF_HOUR // 2):
        with pytest.raises(ValueError, match="overlap"):
            cost(table, Energy(np.array([start, second]), HALF_HOUR, np.array([1, 1])))


def test_shares_that_are_more_than_the_energy_are_refused() -> None:
    start = local_midnight(date(2026, 4, 1), SHANGHAI)
    energy = Energy(
        np.array([start]), HALF_HOUR, np.array([5]), estimated=np.array([3]), manual=np.array([3])
    )
    with pytest.raises(ValueError, match="more is estimated"):
        cost(timetable(plan(), start, start + HALF_HOUR), energy)
