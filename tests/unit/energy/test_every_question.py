"""Any node, medium, metric, interval and period: rows in order, and totals that are their sums."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.tariff.office import Office

ADDING = ("energy", "cost", "coal_equivalent", "co2", "co2_market")
METRICS = (*ADDING, "load", "demand")
INTERVALS = ("15min", "60min", "day", "week", "month", "year", "shift", "billing", "batch")
SUBJECTS = ("s", "s/hall", "s/hall/line_1", "main", "press", "oven")
MINUTE_MS = 60_000
CARBON = {
    "electricity": [{"area": "jiangsu", "year": 2022, "calibre": "average"}],
    "residual": [{"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}],
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"), billing={"day": 26, "hour": 8}, carbon=CARBON)


def told(office: Office, start: int, end: int, **words: Any) -> Any:
    answer = office.get("figures", start, end, **words)
    assert answer.status in (200, 404, 422), answer.body
    return answer.json() if answer.status == 200 else None


def known(rows: list[Any]) -> list[Decimal]:
    return [Decimal(row["value"]) for row in rows if row["value"] is not None]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_question_has_rows_in_order_that_add_up_to_its_total(office: Office, data: st.DataObject) -> None:
    interval = data.draw(st.sampled_from(INTERVALS), "interval")
    metric = data.draw(st.sampled_from(METRICS), "metric")
    subject = data.draw(st.sampled_from(SUBJECTS), "subject")
    first = office.at("2026-03-18") // 10**6
    start = data.draw(st.integers(first, office.now // 10**6), "start")
    most = {"15min": 3 * 1440, "60min": 12 * 1440}.get(interval, 60 * 1440)
    end = start + data.draw(st.integers(1, most * MINUTE_MS), "length")
    found = told(office, start * 10**6, end * 10**6, subject=subject, metric=metric, interval=interval)
    assert found is not None
    rows = found["rows"]
    assert all(start <= row["start"] < end for row in rows)
    assert all(row["start"] < row["end"] for row in rows)
    if interval not in ("batch", "shift"):
        assert all(one["end"] == other["start"] for one, other in pairwise(rows))
    if metric in ADDING:
        total = found["total"]["value"]
        assert (total is None) == (not known(rows))
        assert total is None or Decimal(total) == sum(known(rows))
    assert found["unknown"] == len(rows) - len(known(rows))
    if metric == "cost" and found["total"]["value"] is not None:
        assert sum(Decimal(band["yuan"]) for band in found["band_costs"]) == Decimal(found["total"]["value"])


@pytest.mark.parametrize("metric", ["energy", "cost"])
@pytest.mark.parametrize("subject", ["s", "press"])
@pytest.mark.parametrize("interval", ["60min", "day", "week", "month", "shift", "billing"])
def test_each_row_is_the_sum_of_the_finer_rows_within_it(
    office: Office, interval: str, subject: str, metric: str
) -> None:
    """Shifts begin at 07:50 and bills on the 26th at 08:00: hours and quarters are cut there by asking."""
    words = {"subject": subject, "metric": metric}
    start, end = (
        ("2026-04-01", "2026-04-03") if interval in ("60min", "shift") else ("2026-03-26", "2026-05-01")
    )
    rows = told(office, office.at(start), office.at(end), interval=interval, **words)["rows"]
    assert rows
    for row in rows[:: max(1, len(rows) // 6)]:
        first, last = row["start"] * 10**6, min(row["end"] * 10**6, office.now)
        finer = told(
            office, first, last, interval="day" if interval in ("week", "month") else "15min", **words
        )
        if interval == "billing":
            finer = told(office, first, last, interval="60min", **words)
        parts = finer["rows"]
        if interval == "shift":
            # From 07:50 to 08:00 lies the half of a quarter of an hour that shifts cut: evidence has it.
            edge = parts[0]["start"] * 10**6
            head = office.get("evidence", first, edge, subject=subject).json()
            tail = office.get("evidence", parts[-2]["end"] * 10**6, last, subject=subject).json()
            ends = [
                each["cost"]["yuan"] if metric == "cost" else each["figure"]["amount"]
                for each in (head, tail)
            ]
            whole = sum(known(parts[:-1]), Decimal(0)) + sum(Decimal(each) for each in ends)
        else:
            assert (parts[0]["start"], parts[-1]["end"]) >= (row["start"], row["end"]) or row[
                "end"
            ] * 10**6 > office.now
            whole = sum(known(parts), Decimal(0))
        assert Decimal(row["value"]) == whole


def test_other_media_are_answered_alike_and_what_has_no_price_is_refused(office: Office) -> None:
    start, end = office.at("2026-04-01"), office.at("2026-04-08")
    for subject in ("s", "main.reactive"):
        words = {"subject": subject, "medium": "electricity_reactive"}
        days = told(office, start, end, interval="day", **words)
        quarters = told(office, start, end, interval="15min", **words)
        assert days["unit"] == "kvarh"
        assert days["total"]["value"] == quarters["total"]["value"]
        assert sum(known(days["rows"])) == sum(known(quarters["rows"]))
        assert told(office, start, end, metric="cost", **words) is None
