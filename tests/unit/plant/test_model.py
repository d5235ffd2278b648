"""The simulated plant is physics: what is counted is the integral of what is measured."""

import copy
import itertools
import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_deploy.plant.clock import HOUR, SECOND, Clock, parse
from edge_deploy.plant.metering import KWH, Energy, Reading
from edge_deploy.plant.model import LOADS, METERS, Plant, State
from edge_deploy.plant.sun import sine_of_elevation

START = parse("2026-06-21T11:58")
WINDOW = 240 * SECOND
"""Two minutes before lunch to two minutes into it."""


@cache
def warm() -> Plant:
    return Plant(7, START)


def fresh() -> Plant:
    return copy.deepcopy(warm())


@cache
def power_by_second() -> list[dict[str, Reading]]:
    plant = fresh()
    return [plant.at(START + second * SECOND).meters for second in range(WINDOW // SECOND + 1)]


@cache
def day() -> list[State]:
    """A day, every five minutes."""
    plant = fresh()
    return [plant.at(START + number * 300 * SECOND) for number in range(289)]


def totals(energy: Energy) -> list[int]:
    whole = [energy.imported, energy.exported, energy.reactive_in, energy.reactive_out]
    return [*whole, *energy.imported_phase, *energy.exported_phase, *energy.imported_tariff]


def integral(name: str, until: int) -> tuple[int, int]:
    """Add up the power of each second by itself: import and export in W·ns."""
    bought = sold = 0
    for second, meters in enumerate(power_by_second()):
        held = min(SECOND, max(0, until - second * SECOND))
        power = meters[name].power
        bought, sold = bought + max(0, power) * held, sold + max(0, -power) * held
    return bought, sold


@settings(max_examples=40)
@given(st.lists(st.integers(0, WINDOW), min_size=1, max_size=8))
def test_energy_is_the_integral_of_power_over_any_split(cuts: list[int]) -> None:
    plant = fresh()
    before = plant.at(START).meters
    for cut in sorted(cuts):
        now = plant.at(START + cut).meters
        for name in METERS:
            first, last = before[name].energy, now[name].energy
            gained = last.imported - first.imported, last.exported - first.exported
            assert gained == integral(name, cut), name


@settings(max_examples=20)
@given(st.lists(st.integers(0, WINDOW), max_size=6))
def test_how_often_the_plant_is_looked_at_changes_nothing(looks: list[int]) -> None:
    watched, alone = fresh(), fresh()
    for look in sorted(looks):
        watched.at(START + look)
    assert watched.at(START + WINDOW) == alone.at(START + WINDOW)


def test_a_time_gone_by_gives_the_newest_state() -> None:
    plant = fresh()
    newest = plant.at(START + WINDOW)
    assert plant.at(START) == newest


def test_another_seed_is_another_day() -> None:
    assert Plant(8, START).at(START) != fresh().at(START)


def test_no_counter_of_a_day_ever_falls() -> None:
    counters = ("press_good", "press_reject", "assembly_good", "assembly_reject", "air_litres",
                "air_loaded_s", "air_running_s", "air_starts")  # fmt: skip
    for before, after in itertools.pairwise(day()):
        for name in counters:
            assert getattr(after, name) >= getattr(before, name), name
        for meter in METERS:
            pairs = zip(totals(before.meters[meter].energy), totals(after.meters[meter].energy), strict=True)
            assert all(new >= old for old, new in pairs), meter


def net(state: State, name: str) -> int:
    energy = state.meters[name].energy
    return energy.imported - energy.exported


def test_the_grid_supplies_exactly_what_is_used_and_not_generated() -> None:
    first = day()[0]
    for state in day():
        parts = (*LOADS, "solar")
        assert state.meters["grid"].power == sum(state.meters[name].power for name in parts)
        used = sum(net(state, name) - net(first, name) for name in parts)
        assert net(state, "grid") - net(first, "grid") == used


def test_phases_and_tariffs_add_up_to_the_total() -> None:
    first = day()[0]
    for state, name in itertools.product(day(), METERS):
        energy, begin = state.meters[name].energy, first.meters[name].energy
        by_phase = sum(energy.imported_phase) - sum(energy.exported_phase)
        begun = sum(begin.imported_phase) - sum(begin.exported_phase)
        assert by_phase - begun == net(state, name) - net(first, name)
        assert sum(energy.imported_tariff) == energy.imported


def test_currents_and_voltages_make_the_power() -> None:
    for state, name in itertools.product(day(), METERS):
        reading = state.meters[name]
        for phase in range(3):
            made = reading.u[phase] * reading.i[phase] * reading.pf[phase]
            assert math.isclose(made, reading.p[phase], rel_tol=1e-9, abs_tol=1e-6)
        assert all(222 < u < 242 for u in reading.u)
        assert 49.9 < reading.f < 50.1
        assert -1 <= reading.power_factor <= 1


def test_a_day_has_meals_night_and_a_noon_that_feeds_the_grid() -> None:
    at_meal, at_night = day()[6], day()[145]
    """12:28 and 0:03."""
    assert at_meal.press_state == at_meal.assembly_state == "stopped"
    assert at_meal.meters["press"].power < 2_000
    assert at_night.meters["solar"].power == 0
    assert at_night.press_state != "stopped"
    assert day()[-1].meters["grid"].energy.exported > day()[0].meters["grid"].energy.exported + 5 * KWH


def test_every_product_is_made_of_three_blanks_that_were_stamped() -> None:
    def unused(state: State) -> int:
        made = state.assembly_good + state.assembly_reject
        return state.press_good - 3 * made - state.blanks

    begin = unused(day()[0])
    assert all(-3 <= unused(state) - begin <= 3 for state in day()), "one product may be on the line"
    assert day()[-1].press_good - day()[0].press_good > 8_000
    assert {state.press_state for state in day()} >= {"running", "setup", "stopped"}


def test_pressure_and_oven_stay_where_their_controllers_keep_them() -> None:
    for state in day():
        assert 6.5 < state.air_pressure < 7.8
        assert 135 < state.oven_temperature < 186
        assert state.oven_output <= 100


@pytest.mark.parametrize(
    ("moment", "degrees"), [("2026-06-21T12:00", 81.6), ("2026-12-21T12:00", 34.8), ("2026-06-21T00:00", -34)]
)
def test_the_sun_stands_as_high_as_date_and_latitude_say(moment: str, degrees: float) -> None:
    assert abs(math.degrees(math.asin(sine_of_elevation(parse(moment)))) - degrees) < 1.5


def test_the_clock_waits_for_its_beginning_runs_as_fast_as_told_and_stands_still_at_its_end() -> None:
    clock = Clock(START, began=1_000, speed=600, length=HOUR)
    assert clock.at(0) == clock.at(1_000) == START
    assert clock.at(1_000 + SECOND) == START + 600 * SECOND
    assert clock.at(1_000 + 6 * SECOND) == clock.at(1_000 + HOUR) == START + HOUR
