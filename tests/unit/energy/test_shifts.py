"""Shifts that follow holidays: none on a day off, others on a weekend that is worked, nothing guessed."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.calendars import Calendar as Holidays
from config.calendars import CalendarOptions
from config.energy import EnergyOptions
from config.load import read_plant_bytes
from config.plant import Plant
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import Calendar

SHIFTS = {
    "early": {"from": "06:00", "to": "14:00", "days": ["workday"], "not_on": ["make_up"]},
    "late": {"from": "14:00", "to": "22:00", "days": ["mon", "tue", "wed", "thu", "fri"],
             "not_on": ["holiday"]},
    "short": {"from": "08:00", "to": "12:00", "days": ["make_up"]},
}  # fmt: skip
ONE = """
gateway: {id: g, site: s}
sources: {trial: {kind: simulated, devices: {d: {tags: {x: {}}}}}}
energy: {shifts: {%s}}
"""


def plant(shifts: str) -> tuple[Plant | None, list[str]]:
    outcome = read_plant_bytes((ONE % shifts).encode(), "plant.yaml", Path())
    return outcome.plant, [each.code for each in outcome.problems]


def calendar(shifts: dict[str, Any] = SHIFTS, **options: Any) -> Calendar:
    energy = EnergyOptions.model_validate({"shifts": shifts}, by_alias=True, by_name=False)
    found, _ = plant("")
    assert found is not None
    holidays = Holidays(CalendarOptions.model_validate(options))
    return Calendar(found.gateway.zone, energy.shifts, energy.billing, holidays)


def begun(day: str, its: Calendar | None = None) -> list[str]:
    its = its or calendar()
    on = date.fromisoformat(day)
    spans = its.spans("shift", its.midnight(on), its.midnight(on + timedelta(days=1)))
    return [each.label.partition(" ")[2] for each in spans]


@pytest.mark.parametrize(
    ("day", "names"),
    [
        ("2026-04-30", ["early", "late"]),  # a Thursday
        ("2026-05-01", []),  # Labour Day, a Friday
        ("2026-05-05", []),  # its last day off, a Tuesday
        ("2026-05-09", ["short"]),  # the Saturday worked for it
        ("2026-05-16", []),  # a Saturday
    ],
)
def test_shifts_follow_days_off_and_worked_weekends(day: str, names: list[str]) -> None:
    assert begun(day) == names


def test_days_the_plant_itself_names_count_too() -> None:
    its = calendar(days={"2026-05-14": "holiday", "2026-05-16": "workday"})
    assert begun("2026-05-14", its) == []
    assert begun("2026-05-16", its) == ["short"]


def test_of_a_year_nobody_announced_no_shift_is_guessed_and_the_year_is_named() -> None:
    its = calendar()
    assert begun("2033-05-12", its) == []
    assert its.undecided(its.midnight(date(2033, 5, 12)), its.midnight(date(2033, 5, 13))) == [2033]
    assert its.undecided(its.midnight(date(2026, 5, 12)), its.midnight(date(2026, 5, 13))) == []
    weekly = calendar({"day": {"from": "08:00", "to": "16:00"}})
    assert begun("2033-05-12", weekly) == ["day"]
    assert weekly.undecided(weekly.midnight(date(2033, 5, 12)), weekly.midnight(date(2033, 5, 13))) == []


def test_a_plants_calendar_knows_holidays_only_where_a_shift_asks_for_them() -> None:
    plain, _ = plant('a: {from: "08:00", to: "16:00"}')
    asking, _ = plant('a: {from: "08:00", to: "16:00", not_on: [holiday]}')
    assert plain is not None
    assert asking is not None
    assert calendar_of_plant(plain).holidays is None
    assert begun("2026-05-01", calendar_of_plant(asking)) == []


@pytest.mark.parametrize(
    ("days", "other", "meets"),
    [
        ("[mon, tue, wed, thu, fri]", "days: [weekend]", False),
        ("[mon, tue, wed, thu, fri]", "days: [holiday]", True),
        ("[mon, tue, wed, thu, fri]", "days: [sat, sun]", False),
        ("[workday]", "days: [make_up]", True),
        ("[workday]", "days: [weekend, holiday]", False),
        ("[sat]", "days: [make_up]", True),
        ("[weekend]", "days: [make_up]", False),
        ("[holiday]", "days: [mon], not_on: [holiday]", False),
    ],
)
def test_shifts_that_may_meet_on_some_type_of_day_are_refused(days: str, other: str, *, meets: bool) -> None:
    text = f'a: {{from: "08:00", to: "16:00", days: {days}}}, b: {{from: "12:00", to: "20:00", {other}}}'
    assert plant(text)[1] == (["E-CF-1329"] if meets else [])


def test_a_night_shift_meets_the_early_one_of_the_next_day_whatever_its_type() -> None:
    night = 'a: {from: "22:00", to: "07:00", days: [workday]}'
    assert plant(night + ', b: {from: "06:00", to: "14:00", days: [weekend]}')[1] == ["E-CF-1329"]
    assert plant(night + ', b: {from: "07:00", to: "14:00", days: [weekend]}')[1] == []
