"""Yuan by interval are what the lines of the bill grow by: any cut adds up, and to the lines themselves."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.energy.accounts.intervals import grid
from gateway.energy.periods import Span
from gateway.energy.pricing.cost import Energy, cost
from gateway.energy.pricing.lines import fen
from gateway.energy.pricing.spread import spread
from gateway.energy.pricing.timetable import QUARTER_NS, local_midnight, timetable
from tests.unit.tariff.plans import ENTRY, PRICES, SHANGHAI, plan

START, END = local_midnight(date(2026, 6, 29), SHANGHAI), local_midnight(date(2026, 7, 3), SHANGHAI)
TIMES = np.arange(local_midnight(date(2026, 6, 1), SHANGHAI), END, QUARTER_NS)
NEGATIVE = {**ENTRY, "standing": PRICES | {"system": -0.0021, "purchase": 0.412345}}
TABLE = timetable(plan(NEGATIVE), int(TIMES[0]), END)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.sampled_from([3, 1_000, 10**7]),
    cuts=st.lists(st.integers(1, (END - START) // QUARTER_NS - 1), max_size=12, unique=True),
)
def test_any_cut_adds_up_to_the_lines_across_the_end_of_a_bill(seed: int, most: int, cuts: list[int]) -> None:
    quanta = np.random.default_rng(seed).integers(0, most, len(TIMES))
    energy = Energy(TIMES, QUARTER_NS, quanta, Decimal("0.00001"))
    edges = [START, *(START + each * QUARTER_NS for each in sorted(cuts)), END]
    spans = [Span(a, b) for a, b in pairwise(edges)]
    found = spread(TABLE, energy, spans)
    whole = cost(TABLE, energy, since=START)
    assert sum(each for each in found.yuan if each is not None) == whole.yuan
    assert {band: yuan for band, yuan in found.by_band.items() if band} == {
        each.band: each.yuan for each in whole.bands if each.kwh
    }
    assert found.kwh == {each.band: each.kwh for each in whole.bands if each.kwh}
    for span, yuan in zip(spans, found.yuan, strict=True):
        upto = span.last > TIMES
        part = Energy(TIMES[upto], QUARTER_NS, quanta[upto], Decimal("0.00001"))
        assert cost(TABLE, part, since=span.first).yuan == yuan


def test_each_line_of_a_bill_is_its_energy_times_its_price_rounded_once() -> None:
    quanta = np.random.default_rng(1).integers(0, 9_999, len(TIMES))
    whole = cost(TABLE, Energy(TIMES, QUARTER_NS, quanta, Decimal("0.001")))
    assert len({line.month for line in whole.lines}) == 2
    for line in whole.lines:
        assert line.price is not None
        assert (line.yuan, line.before) == (fen(line.quantity * line.price), 0)


@pytest.mark.parametrize("unknown", ["missing", "price"])
def test_a_span_of_which_something_is_not_known_has_no_yuan_and_its_neighbours_have(unknown: str) -> None:
    gap = (TIMES >= START) & (TIMES < START + 96 * QUARTER_NS)
    prices = {"2026-06": {"purchase": None}, "2026-07": {"purchase": 0.4}}
    entry = {**ENTRY, "prices": prices, "standing": {k: v for k, v in PRICES.items() if k != "purchase"}}
    table = timetable(plan(entry), int(TIMES[0]), END) if unknown == "price" else TABLE
    missing = gap if unknown == "missing" else None
    quanta = np.where(gap, 0, 100) if unknown == "missing" else np.full(len(TIMES), 100)
    energy = Energy(TIMES, QUARTER_NS, quanta, missing=missing)
    days = [Span(START + i * 96 * QUARTER_NS, START + (i + 1) * 96 * QUARTER_NS) for i in range(4)]
    known = [each is not None for each in spread(table, energy, days).yuan]
    assert known == ([False, True, True, True] if unknown == "missing" else [False, False, True, True])


def test_a_year_of_quarters_of_an_hour_has_its_last_one() -> None:
    """Counted in float64 it is lost: (31 536 × 10^12 + 1) / (900 × 10^9) is a whole number there."""
    first, last = local_midnight(date(2025, 1, 1), SHANGHAI), local_midnight(date(2026, 1, 1), SHANGHAI)
    found = grid(first - 1, last, QUARTER_NS)
    assert (int(found[0]), int(found[-1]), len(found)) == (first, last, 365 * 96 + 1)
