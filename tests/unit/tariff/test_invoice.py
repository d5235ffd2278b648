"""The invoice beside our figures: what agrees, what differs, and why it probably does."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from config.problems import ConfigurationError
from gateway.energy.invoices.file import Invoice, read_invoice, read_invoice_csv
from gateway.energy.invoices.reconcile import Difference, Meter, reconcile
from gateway.energy.pricing.cost import Energy, cost
from gateway.energy.pricing.timetable import QUARTER_NS, Plan, local_midnight, timetable
from tests.unit.tariff.plans import CONTRACT, ENTRY, HALF_HOUR, PRICES, SHANGHAI, plan

START, END = local_midnight(date(2026, 7, 1), SHANGHAI), local_midnight(date(2026, 8, 1), SHANGHAI)
TIMES = np.arange(START, END, HALF_HOUR)
LOAD = np.random.default_rng(7).integers(2_000, 9_000, len(TIMES)) + 3_000 * (np.arange(len(TIMES)) % 48 // 6)


def meter(load: Any = LOAD, its: Plan | None = None, times: Any = TIMES) -> Meter:
    table = timetable(its or plan(), START, END)
    energy = Energy(times, HALF_HOUR, load, Decimal("0.01"))
    return Meter(table, energy, cost(table, energy))


def bill(of: Meter, **changes: Any) -> Invoice:
    """Return the invoice a supplier would write for this meter."""
    kwh = {each.band: each.kwh for each in of.cost.bands if each.kwh}
    lines = [{"item": line.item, "band": line.band, "yuan": line.yuan} for line in of.cost.lines]
    known = {"month": "2026-07", "kwh": kwh, "lines": tuple(lines), "total": of.cost.yuan}
    return Invoice.model_validate(known | changes)


def reasons(found: list[Difference], figure: str = "kwh") -> list[str]:
    return [reason.key for row in found if row.figure == figure for reason in row.reasons]


def test_an_invoice_of_the_same_figures_agrees_in_every_row() -> None:
    ours = meter()
    found = reconcile(bill(ours), ours)
    assert len(found) == 4 + 20 + 1
    assert all(row.agrees and row.difference == 0 and not row.reasons for row in found)


def test_the_rounding_of_lines_is_no_difference() -> None:
    ours = meter()
    total = sum(line.yuan for line in ours.cost.lines if line.item == "transmission")
    for off, agrees in (("0.04", True), ("0.05", False)):
        line = {"item": "transmission", "yuan": total + Decimal(off)}
        (row,) = reconcile(Invoice.model_validate({"month": "2026-07", "lines": [line]}), ours)
        assert row.agrees is agrees


def suspected(theirs: Meter, ours: Meter) -> list[str]:
    return reasons(reconcile(bill(theirs, lines=(), total=None), ours))


def test_hours_of_the_other_season_are_suspected() -> None:
    spring = {**ENTRY, "class": "two_part"}
    its = plan(spring)
    terms = its.terms[0]
    wrong = replace(terms, supply=terms.supply.model_copy(update={"hours": "spring_autumn"}))
    tariff = terms.tariff.model_copy(update={"overlays": ()})
    bare = Plan((replace(terms, tariff=tariff),), its.calendar)
    billed = meter(its=Plan((replace(wrong, tariff=tariff),), its.calendar))
    assert suspected(billed, meter(its=bare))[0] == "season"


def test_a_month_billed_without_sharp_hours_is_suspected() -> None:
    terms = plan().terms[0]
    bare = replace(terms, tariff=terms.tariff.model_copy(update={"overlays": ()}))
    assert suspected(meter(its=Plan((bare,), plan().calendar)), meter())[0] == "overlays"


def test_a_multiplier_is_suspected_with_its_ratio() -> None:
    ours = meter()
    found = reconcile(bill(meter(LOAD * 2), lines=(), total=None), ours)
    first = found[0].reasons[0]
    assert (first.key, first.args) == ("multiplier", {"ratio": Decimal("2.000")})
    assert "2.000" in first.text("zh")


def test_a_clock_that_is_wrong_is_suspected_with_its_minutes() -> None:
    late = timetable(plan(), START, END + HALF_HOUR)
    energy = Energy(TIMES + HALF_HOUR, HALF_HOUR, LOAD, Decimal("0.01"))
    billed = Meter(late, energy, cost(late, energy))
    kwh = {each.band: each.kwh for each in billed.cost.bands if each.kwh}
    found = reconcile(Invoice.model_validate({"month": "2026-07", "kwh": kwh}), meter())
    assert (found[0].reasons[0].key, found[0].reasons[0].args) == ("clock", {"minutes": 30})


def test_a_constant_load_on_one_side_is_suspected_with_its_size() -> None:
    found = reconcile(bill(meter(LOAD + 150), lines=(), total=None), meter())
    (constant,) = [each for each in found[0].reasons if each.key == "constant"]
    assert constant.args == {"kw": Decimal("3.00")}  # 150 × 0.01 kWh in half an hour


def test_one_half_hour_counted_to_another_band_is_named() -> None:
    ours = meter()
    local = (TIMES - START) % (96 * QUARTER_NS) // HALF_HOUR
    moved = Decimal(int(LOAD[local == 27].sum())) / 100  # 13:30-14:00, flat
    kwh = {each.band: each.kwh for each in ours.cost.bands if each.kwh}
    kwh = kwh | {"flat": kwh["flat"] - moved, "peak": kwh["peak"] + moved}
    found = reconcile(Invoice.model_validate({"month": "2026-07", "kwh": kwh}), ours)
    texts = [each.text("en") for row in found for each in row.reasons]
    assert "it looks as if 13:30-14:00 was counted as peak, not flat" in texts
    assert [row.agrees for row in found] == [True, False, False, True]


def test_nothing_is_suspected_where_nothing_fits() -> None:
    kwh = {"sharp": 1.0, "peak": 2.0, "flat": 300_000.0, "valley": 4.0}
    found = reconcile(Invoice.model_validate({"month": "2026-07", "kwh": kwh}), meter())
    assert reasons(found) == []


def test_data_of_ours_that_are_missing_are_said() -> None:
    gap = np.zeros(len(TIMES), bool)
    gap[:100] = True
    table = timetable(plan(), START, END)
    energy = Energy(TIMES, HALF_HOUR, np.where(gap, 0, LOAD), Decimal("0.01"), missing=gap)
    ours = Meter(table, energy, cost(table, energy))
    found = reconcile(bill(meter(), lines=(), total=None), ours)
    assert "missing" in reasons(found)
    assert ours.cost.missing == 100


def test_the_other_reading_of_the_sharp_factor_is_found_on_the_invoice() -> None:
    whole = {**ENTRY, "overlays_on": "whole"}
    billed, ours = meter(its=plan(whole)), meter()
    found = reconcile(bill(billed), ours)
    wrong = [row for row in found if row.agrees is False]
    assert {row.band for row in wrong} == {"sharp", None}
    assert set(reasons(wrong, "transmission")) == {"reading"}
    assert next(row for row in wrong if row.figure == "total").ours == ours.cost.yuan


def test_another_price_is_named_with_what_it_comes_to() -> None:
    dearer = {**ENTRY, "standing": PRICES | {"transmission": 0.15}}
    found = reconcile(bill(meter(its=plan(dearer))), meter())
    wrong = [row for row in found if row.agrees is False and row.figure == "transmission"]
    assert len(wrong) == 4
    for row in wrong:
        (reason,) = row.reasons
        assert reason.key == "price"
        assert abs(reason.args["price"] - Decimal("0.15")) < Decimal("0.000002")


def test_demand_reactive_energy_and_power_factor_stand_beside_ours() -> None:
    ours = replace(meter(), demand_kw=Decimal(800), kvarh=Decimal(500), power_factor=Decimal("0.93"))
    stated = {"month": "2026-07", "demand_kw": 800, "kvarh": 900, "power_factor": 0.93}
    found = reconcile(Invoice.model_validate(stated), ours)
    assert [(row.figure, row.agrees) for row in found] == [
        ("demand_kw", True),
        ("kvarh", False),
        ("power_factor_value", True),
    ]


def test_what_is_not_known_agrees_with_nothing() -> None:
    entry = {**ENTRY, "standing": {"purchase": 0.4}, "contract": CONTRACT}
    ours = meter(its=plan(entry))
    stated = {"month": "2026-07", "lines": [{"item": "funds", "yuan": 5}], "total": 9}
    found = reconcile(Invoice.model_validate(stated), ours)
    assert [(row.ours, row.agrees) for row in found] == [(None, None), (None, None)]


YAML = b"""month: 2026-07
number: "3201"
kwh: {peak: 120.5, flat: 80}
power_factor: 0.93
lines:
  - {item: purchase, band: peak, yuan: 86.76}
  - {item: power_factor, yuan: -1.20}
total: 321.09
"""
CSV = """item,band,value
month,,2026-07
number,,3201
kwh,peak,120.5
kwh,flat,80
power_factor,,0.93
purchase,peak,86.76
"""


def test_yaml_and_csv_say_the_same() -> None:
    by_csv = read_invoice_csv((CSV + "total,,321.09\n").encode("utf-8-sig"), "bill.csv")
    by_yaml = read_invoice(YAML, "bill.yaml")
    assert by_csv == by_yaml.model_copy(update={"lines": by_yaml.lines[:1]})
    assert by_yaml.lines[1].yuan == Decimal("-1.2")


@pytest.mark.parametrize(
    "row",
    ["kwh,noon,5", "purchase,peak,dear", "kwh,peak,1", "total,,nan", "bribe,,5", "kwh,,5", "month,,july"],
)
def test_a_row_that_says_nothing_we_know_is_refused_with_its_place(row: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_invoice_csv((CSV + row + "\n").encode(), "bill.csv")
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("E-TF-0020", 1 if "july" in row else 8)


def test_mistakes_of_a_yaml_invoice_are_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_invoice(b"month: July\nkwh: {noon: 5}\ntotal: dear\n", "bill.yaml")
    assert sorted(problem.code for problem in caught.value.problems) == [
        "E-CF-0105",
        "E-CF-0109",
        "E-CF-1402",
    ]


def test_a_month_without_energy_by_band_has_only_the_rows_it_states() -> None:
    (row,) = reconcile(Invoice.model_validate({"month": "2026-07", "total": 5}), meter())
    assert (row.figure, row.agrees) == ("total", False)


def test_a_month_billed_by_the_entry_before_is_suspected_with_its_name() -> None:
    old = {
        "use": "jiangsu-2020",
        "from": "2020-01-01",
        "standing": {"energy": {"peak": 1, "flat": 1, "valley": 1}},
    }
    both = plan(old, ENTRY)
    always = Plan((replace(both.terms[0], last=None),), both.calendar)
    found = reconcile(bill(meter(its=always), lines=(), total=None), meter(its=both))
    assert (found[0].reasons[0].key, found[0].reasons[0].args) == ("entry", {"tariff": "jiangsu-2020"})


def test_yuan_that_differ_with_the_energy_are_not_put_down_to_the_price() -> None:
    ours = meter()
    found = reconcile(bill(meter(LOAD * 2)), ours)
    assert set(reasons(found, "transmission")) == {"energy"}


def test_energy_without_a_band_is_said_beside_an_invoice() -> None:
    guangdong = {"use": "guangdong-2021", "contract": {"capacity_kva": 500}, "standing": PRICES}
    start, end = (local_midnight(date(2026, month, 1), SHANGHAI) for month in (5, 6))
    times = np.arange(start, end, HALF_HOUR)
    table, energy = timetable(plan(guangdong), start, end), Energy(times, HALF_HOUR, np.ones(len(times), int))
    ours = Meter(table, energy, cost(table, energy))
    kwh = {"sharp": 12.0, "peak": 422.0, "flat": 558.0, "valley": 496.0}
    found = reconcile(Invoice.model_validate({"month": "2026-05", "kwh": kwh, "total": 900}), ours)
    assert "undecided" in reasons(found)
    assert next(row for row in found if row.figure == "total").agrees is None
