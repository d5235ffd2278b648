"""Periods as people write them, on the plant's own calendar."""

from zoneinfo import ZoneInfo

import pytest

from config.energy import Billing, EnergyOptions
from gateway.energy.periods import Calendar, calendar_of
from gateway.reports.periods import interval_of, period_of
from gateway.reports.refused import Refused


@pytest.fixture
def calendar() -> Calendar:
    assert Billing().day == 1
    return calendar_of(EnergyOptions(), ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("text", "first", "last", "interval"),
    [
        ("2026", "2026-01-01T00:00", "2027-01-01T00:00", "month"),
        ("2026-12", "2026-12-01T00:00", "2027-01-01T00:00", "day"),
        ("2026-10-03", "2026-10-03T00:00", "2026-10-04T00:00", "60min"),
        ("2026-10-01..2026-10-15", "2026-10-01T00:00", "2026-10-16T00:00", "day"),
        ("2026-01..2026-03", "2026-01-01T00:00", "2026-04-01T00:00", "month"),
        ("2026-10-01T08:00..2026-10-01T20:00", "2026-10-01T08:00", "2026-10-01T20:00", "60min"),
    ],
)
def test_a_period_is_what_a_person_means(
    calendar: Calendar, text: str, first: str, last: str, interval: str
) -> None:
    span = period_of(calendar, text)
    assert [calendar.local(each).strftime("%Y-%m-%dT%H:%M") for each in span[:2]] == [first, last]
    assert interval_of(span) == interval


@pytest.mark.parametrize(
    "text",
    [
        "",
        "October",
        "2026-13",
        "2026-02-30",
        "2026-10-05..2026-10-01",
        "2026-10-01T08:00",
        "..",
        "0000",
        "2026-W40",
    ],
)
def test_what_is_no_period_is_refused(calendar: Calendar, text: str) -> None:
    with pytest.raises(Refused) as refused:
        period_of(calendar, text)
    assert refused.value.code == "E-RP-0001"


def test_a_period_off_the_books_boundaries_is_refused(calendar: Calendar) -> None:
    with pytest.raises(Refused) as refused:
        period_of(calendar, "2026-10-01T08:05..2026-10-01T09:00")
    assert refused.value.code == "E-RP-0002"
    assert "15" in refused.value.text("zh")
