"""Holidays: announced days of known years, a plant's own words first, no answer where there is none."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from config.calendars import Calendar, CalendarFile, CalendarOptions, Day, last_known_year
from config.load import read_plant_bytes
from gateway.energy.pricing.plan import plan_of

HEAD = "gateway: {id: g, site: s}\nsources: {t: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"


def calendar(**options: object) -> Calendar:
    return Calendar(CalendarOptions.model_validate(options))


@pytest.mark.parametrize(
    ("day", "kind", "festival"),
    [
        ("2026-02-14", "workday", None),  # a Saturday made up
        ("2026-02-15", "holiday", "spring_festival"),  # a Sunday within the days off
        ("2026-02-24", "workday", None),
        ("2026-03-01", "weekend", None),
        ("2026-10-03", "holiday", "national_day"),
        ("2026-10-10", "workday", None),
        ("2026-01-01", "holiday", "new_years_day"),
        ("2025-10-06", "holiday", "mid_autumn_festival"),
        ("2026-04-05", "holiday", "tomb_sweeping_day"),
        ("2026-05-01", "holiday", "labour_day"),
        ("2026-06-19", "holiday", "dragon_boat_festival"),
    ],
)
def test_days_of_known_years(day: str, kind: str, festival: str | None) -> None:
    found = calendar().day(date.fromisoformat(day))
    assert (found.kind, found.festival) == (kind, festival)


def test_a_year_nobody_has_announced_has_no_answer() -> None:
    after = date(last_known_year() + 1, 1, 1)
    assert calendar().day(after - timedelta(days=1)) is not None
    assert calendar().day(after) is None
    assert calendar().day(date(2003, 12, 31)) is None


def test_days_entered_answer_for_themselves_and_up_to_where_they_are_complete() -> None:
    year = last_known_year() + 1
    own = calendar(days={f"{year}-02-01..{year}-02-07": "spring_festival"}, complete_to=f"{year}-06-30")
    assert own.day(date(year, 2, 7)).festival == "spring_festival"
    week = [own.day(date(year, 3, 1) + timedelta(days=each)) for each in range(7)]
    assert sorted(day.kind for day in week) == ["weekend"] * 2 + ["workday"] * 5
    assert own.day(date(year, 6, 30)) is not None
    assert own.day(date(year, 7, 1)) is None


def test_a_plants_own_word_wins_over_the_announced_day() -> None:
    own = calendar(days={"2026-10-04": "workday", "2026-10-05": "holiday"}, major_holidays=["national_day"])
    assert own.day(date(2026, 10, 4)) == Day("workday")
    assert own.day(date(2026, 10, 5)) == Day("holiday", None, is_major=False)
    assert own.day(date(2026, 10, 3)) == Day("holiday", "national_day", is_major=True)


def test_which_holidays_are_major_is_unknown_until_it_is_said() -> None:
    assert calendar().day(date(2026, 10, 1)).is_major is None
    assert calendar(major_holidays=[]).day(date(2026, 10, 1)).is_major is False


def test_a_calendar_file_is_taken_and_the_plant_file_wins_over_it(tmp_path: Path) -> None:
    (tmp_path / "holidays.yaml").write_text(
        "source: a notice\ndays: {2099-10-01..2099-10-07: national_day}\ncomplete_to: 2099-12-31\n"
    )
    text = HEAD + (
        "calendar: {file: holidays.yaml, days: {2099-10-02: workday}}\n"
        "tariff: [{use: zhejiang-2026, contract: {capacity_kva: 500}}]\n"
    )
    plant = read_plant_bytes(text.encode(), "plant.yaml", tmp_path).plant
    own = plan_of(plant).calendar
    assert own.day(date(2099, 10, 1)).festival == "national_day"
    assert own.day(date(2099, 10, 2)) == Day("workday")
    assert own.day(date(2099, 10, 9)) == Day("workday")


def test_a_holiday_in_a_file_needs_a_source() -> None:
    with pytest.raises(ValueError, match="source"):
        CalendarFile.model_validate({"days": {"2099-10-01": "national_day"}})
