"""From the plant file to a plan: its tariff entries with their data, and its calendar."""

from dataclasses import replace
from pathlib import Path

from config.plant import Plant
from config.tariff_library import terms_of
from gateway.energy.holidays import holidays_of
from gateway.energy.pricing.timetable import Plan
from gateway.energy.pricing.weather import maxima_of
from gateway.history import HISTORY


def plan_of(plant: Plant, data_dir: Path | None = None) -> Plan | None:
    """Return under which terms a plant buys, None where its file names no tariff.

    `data_dir`: where the history lies that a rule about the weather asks for.

    Files are read: not for every request.

    Raises:
        ValueError: a tariff file was changed since the plant file was read, and has mistakes now.
    """
    if not plant.tariff:
        return None
    terms = terms_of(plant.tariff)
    plan = Plan(terms, holidays_of(plant), plant.energy.billing)
    if data_dir is None or plant.calendar.hot_tag is None:
        return plan
    return replace(plan, maxima=maxima_of(data_dir / HISTORY, plant.calendar.hot_tag, plan.zone))
